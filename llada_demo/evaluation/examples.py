"""What adapters are judged on: questions with a written reference answer, from a file or a data set of the hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llada_demo.core.chat import Message, opened
from llada_demo.core.errors import UserError
from llada_demo.core.files import sha256_of
from llada_demo.evaluation.heldout import Item, encode_items
from llada_demo.learning.corpus import conversation, read_rows
from llada_demo.learning.sharegpt import Dropped, messages_of
from llada_demo.model.tokenizer import LLaDATokenizer

HUB = "hub:"
COLUMNS = (("question", "answer"), ("input", "output"), ("instruction", "output"), ("prompt", "response"))
ROLES = ("user", "assistant")


@dataclass(frozen=True)
class Example:
    """turns: what was said before, the question last; reference: the written answer; item: both as ids."""

    turns: tuple[str, ...]
    reference: str
    item: Item

    @property
    def prompt(self) -> str:
        """The turns in one line, `first | second`, as `evaluate --prompts` reads them."""
        return " | ".join(self.turns)

    def messages(self) -> list[Message]:
        """The conversation as the chat asks it, with the default system prompt."""
        earlier: list[Message] = [
            {"role": ROLES[i % 2], "content": turn} for i, turn in enumerate(self.turns[:-1])
        ]  # fmt: skip
        system, question = opened(self.turns[-1])
        return [system, *earlier, question]


@dataclass(frozen=True)
class Heldout:
    """file: a name without folders, or `hub:...`; sha256: of the file, or of the hub's rows as they were read;
    left_out: examples that do not fit the model's context."""

    file: str
    sha256: str
    examples: tuple[Example, ...]
    left_out: int

    def about(self) -> dict[str, Any]:
        """Plain JSON data for a result."""
        return {"file": self.file, "sha256": self.sha256, "count": len(self.examples), "left_out": self.left_out}


def read_heldout(source: str, tokenizer: LLaDATokenizer, longest: int, room: int, count: int | None) -> Heldout:
    """`count` examples (None: all), evenly over a JSONL file or `hub:NAME@revision:split`.

    Kept are rows with a question and an answer that fit `longest` tokens together, with `room` tokens left for
    an answer after the question. Raises UserError for a source that cannot be read or holds no such row.
    """
    rows, file, digest = _rows(source)
    pairs = list(filter(None, map(pair, rows)))
    fitting = [found for turns, text in pairs if (found := _example(turns, text, tokenizer, longest, room))]
    if not fitting:
        raise UserError(
            f"{source}: tidak ada baris dengan pertanyaan dan jawaban rujukan yang muat dalam {longest} token.",
            f"{source}: no row has a question and a reference answer that fit into {longest} tokens.",
        )
    taken = min(count or len(fitting), len(fitting))
    chosen = tuple(fitting[i * len(fitting) // taken] for i in range(taken))
    return Heldout(file, digest or _digest(pairs), chosen, len(pairs) - len(fitting))


def pair(row: Mapping[str, Any]) -> tuple[tuple[str, ...], str] | None:
    """(turns with the question last, answer) of a row: ours (`q`/`a`, `turns`, `messages`), ShareGPT
    (`conversations`), or two of COLUMNS; None where there is no question or no answer."""
    try:
        turns: Sequence[Any] = _turns(row)
    except (Dropped, IndexError, KeyError, TypeError):
        return None
    if len(turns) < 2 or not all(isinstance(turn, str) and turn.strip() for turn in turns):
        return None
    *before, answer = (turn.strip() for turn in turns)
    return tuple(before), answer


def _turns(row: Mapping[str, Any]) -> Sequence[Any]:
    if row.get("conversations"):
        return [m["content"] for m in messages_of(row) if m["role"] != "system"]
    if talk := conversation(dict(row), ""):
        return (talk.wordings[0], *talk.turns)
    for question, answer in COLUMNS:
        if row.get(question) and row.get(answer):
            return (row[question], row[answer])
    return ()


def _example(turns: tuple[str, ...], text: str, tokenizer: LLaDATokenizer, longest: int, room: int) -> Example | None:
    for item in encode_items(tokenizer, [(turns, text)], longest):
        if item.start + room <= longest:
            return Example(turns, text, item)
    return None


def _rows(source: str) -> tuple[Iterable[Mapping[str, Any]], str, str]:
    """The rows, what to call them, and the digest where there is a file."""
    if source.startswith(HUB):
        return _hub_rows(source), source, ""
    path = Path(source).expanduser()
    try:
        return list(read_rows(path)), path.name, sha256_of(path)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(source, error) from error


def _hub_rows(source: str) -> Iterator[Mapping[str, Any]]:
    name, _, split = source.removeprefix(HUB).partition(":")
    name, _, revision = name.partition("@")
    try:
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ModuleNotFoundError as error:
        raise UserError(
            f"Untuk membaca data dari hub diperlukan paket {error.name}: pip install datasets.",
            f"Reading data of the hub needs the package {error.name}: pip install datasets.",
        ) from error
    try:
        yield from load_dataset(name, split=split or "test", revision=revision or None, streaming=True)
    except (OSError, ValueError, DatasetsError) as error:  # not there, no network, no such split
        raise _unreadable(source, error) from error


def _digest(pairs: Iterable[tuple[tuple[str, ...], str]]) -> str:
    found = hashlib.sha256()
    for turns, text in pairs:
        found.update(json.dumps([turns, text], ensure_ascii=False).encode() + b"\n")
    return found.hexdigest()


def _unreadable(source: str, error: Exception) -> UserError:
    why = " ".join(str(error).split())[:300]
    return UserError(
        f"{source} tidak dapat dibaca: {why}. Beri --heldout berkas JSONL atau hub:NAMA@revisi:split.",
        f"{source} cannot be read: {why}. Give --heldout a JSONL file or hub:NAME@revision:split.",
    )
