"""The text that models are trained and measured on: conversations and plain text from JSONL files.

`percakapan` rows: {"q": [wordings], "a": answer} or {"turns": [user, assistant, ...]}.
Other rows: {"messages": [user, assistant, ...], "source": ..., "licence": ...} or {"text": ..., "source": ...}.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llada_demo.core.errors import UserError
from llada_demo.core.settings import ASSETS

OWN_TEXT = (ASSETS / "data" / "percakapan", ASSETS / "data" / "tambahan")  # what this project wrote itself


@dataclass(frozen=True)
class Conversation:
    """Turns user, assistant, user, ...; the first user turn may have several wordings."""

    wordings: tuple[str, ...]
    turns: tuple[str, ...]  # from the first answer on: assistant, user, assistant, ...
    source: str

    def cut(self, rng: random.Random) -> list[str]:
        """One wording and the turns up to a random answer: a dialogue of n answers is n examples."""
        answers = (len(self.turns) + 1) // 2
        return [rng.choice(self.wordings), *self.turns[: 2 * rng.randint(1, answers) - 1]]


@dataclass
class Corpus:
    """What was read, and from where."""

    conversations: list[Conversation] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)  # (text, source)
    licences: dict[str, str] = field(default_factory=dict)

    def texts_of_all(self) -> Iterator[str]:
        """Every string once, for the tokenizer."""
        for talk in self.conversations:
            yield from talk.wordings
            yield from talk.turns
        for text, _ in self.texts:
            yield text

    def counts(self) -> dict[str, int]:
        """Rows per source."""
        return dict(Counter([t.source for t in self.conversations] + [s for _, s in self.texts]).most_common())


def read_corpus(folders: Iterable[Path], leave_out: Iterable[str] = (), only: Iterable[str] = ()) -> Corpus:
    """Every training file of the folders.

    A file or source named in `leave_out` is skipped, and held-out files (`heldout*`) always are; where `only`
    is not empty, rows of the kind {"messages"} or {"text"} are kept only for the sources it names. Raises
    UserError for a folder without text or a line that is no JSON.
    """
    corpus, leave_out, only = Corpus(), set(leave_out), set(only)
    for folder in folders:
        files = sorted(Path(folder).glob("*.jsonl"))
        if not files:
            raise UserError(f"Tidak ada berkas .jsonl di {folder}.", f"There is no .jsonl file in {folder}.")
        for path in files:
            if path.stem in leave_out or path.stem.startswith("heldout"):
                continue
            for row in read_rows(path):
                if (source := row.get("source", path.stem)) not in leave_out and (
                    not only or "source" not in row or source in only
                ):
                    _add(corpus, row, source)
    return corpus


def read_heldout(path: Path) -> Corpus:
    """The conversations of one file, to measure on; an empty corpus where the file is not there."""
    rows = read_rows(path) if path.exists() else iter(())
    return Corpus([talk for talk in (conversation(row, "heldout") for row in rows) if talk])


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file. Raises UserError naming the line that is damaged."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("an object in braces is needed")
                except ValueError as error:
                    raise UserError(
                        f"{path}, baris {number}: bukan JSON ({error}).",
                        f"{path}, line {number}: no JSON ({error}).",
                    ) from error
                yield row


def conversation(row: dict[str, Any], source: str) -> Conversation | None:
    """The conversation in a row of any of the known kinds, or None where there is none."""
    if "q" in row:
        return Conversation(tuple(row["q"]), (row["a"],), source)
    turns = row.get("turns") or row.get("messages") or []
    if len(turns) < 2:
        return None
    return Conversation((turns[0],), tuple(turns[1 : len(turns) - len(turns) % 2]), source)


def _add(corpus: Corpus, row: dict[str, Any], source: str) -> None:
    corpus.licences[source] = row.get("licence", "CC0-1.0")
    if talk := conversation(row, source):
        corpus.conversations.append(talk)
    elif row.get("text", "").strip():
        corpus.texts.append((row["text"].strip(), source))
