"""What is measured on: held-out conversations and text as (prompt ids, answer ids, characters)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llada_demo.core.chat import SYSTEM_PROMPT, Message
from llada_demo.learning.corpus import Conversation, conversation, read_rows
from llada_demo.model.template import encode_chat
from llada_demo.model.tokenizer import LLaDATokenizer

Texts = tuple[tuple[str, ...], str]  # (the turns before, the text that is measured)


@dataclass(frozen=True)
class Item:
    """ids: prompt, then what is measured, its end token included; start: where that begins; text: its words."""

    ids: tuple[int, ...]
    start: int
    text: str


def read_texts(path: Path) -> list[Texts]:
    """Every row of a JSONL file: a conversation's last answer with what came before it, or a plain text alone."""
    found = []
    for row in read_rows(path):
        if talk := conversation(row, path.stem):
            found.append(((talk.wordings[0], *talk.turns[:-1]), talk.turns[-1].strip()))
        elif text := str(row.get("text", "")).strip():
            found.append(((), text))
    return [(turns, text) for turns, text in found if text]


def encode_items(tokenizer: LLaDATokenizer, texts: Iterable[Texts], longest: int) -> Iterator[Item]:
    """Items for a tokenizer; those of more than `longest` tokens are left out.

    A conversation is asked as the chat asks it, with the default system prompt; plain text follows <BOS>.
    """
    for turns, text in texts:
        special = tokenizer.special
        prompt = _prompt(tokenizer, turns) if turns else [special.bos]
        ids = (*prompt, *tokenizer.encode(text), special.eot if turns else special.eos)
        if len(ids) <= longest:
            yield Item(ids, len(prompt), text)


def questions(talks: Sequence[Conversation], count: int) -> list[str]:
    """`count` first questions, evenly over the conversations."""
    count = min(count, len(talks))
    return [talks[i * len(talks) // count].wordings[0] for i in range(count)]


def _prompt(tokenizer: LLaDATokenizer, turns: Sequence[str]) -> list[int]:
    roles = ("user", "assistant")
    messages: list[Message] = [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)]
    return encode_chat(tokenizer, [{"role": "system", "content": SYSTEM_PROMPT}, *messages])
