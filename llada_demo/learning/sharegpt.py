"""Preprocessing of curated rows: ShareGPT conversation -> chat template -> ids -> labels.

The ids are those of `learning.rows`: the prompt as in chat, then the answer and its end of turn, without
padding. Only the last answer is supervised; a label of -100 is one that a loss leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from llada_demo.core.chat import Message
from llada_demo.learning.rows import Row
from llada_demo.model.template import encode_chat
from llada_demo.model.tokenizer import LLaDATokenizer

IGNORED = -100
# The names of the original ShareGPT files beside those of the chat template.
ROLES = {"human": "user", "gpt": "assistant", "system": "system", "user": "user", "assistant": "assistant"}


class Dropped(ValueError):
    """A row that nothing can be learnt from; its text says why: no content, not text, wrong order, too long."""


def messages_of(row: Mapping[str, Any]) -> list[Message]:
    """The messages of a ShareGPT row: {"role", "content"} or {"from", "value"}, trimmed.

    Raises Dropped: no content, not text, or wrong order (perhaps a system message, then user and assistant
    in turn, an answer last).
    """
    messages: list[Message] = []
    turns = row.get("conversations") or []
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise Dropped("not text")
    for turn in turns:
        role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        if content is None or (isinstance(content, str) and not content.strip()):
            raise Dropped("no content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise Dropped("not text")
        messages.append({"role": ROLES.get(role, role), "content": content.strip()})
    if not messages:
        raise Dropped("no content")
    roles = [message["role"] for message in messages]
    asked = roles[1:] if roles[0] == "system" else roles
    if not asked or asked != ["user", "assistant"] * (len(asked) // 2):
        raise Dropped("wrong order")
    return messages


def encode_conversation(tokenizer: LLaDATokenizer, messages: list[Message], max_length: int) -> Row:
    """ids: the conversation up to the last answer's header, the answer, its end of turn; the answer is
    supervised from `start` to `end`. Raises Dropped for more than max_length tokens."""
    prompt = encode_chat(tokenizer, messages[:-1])
    ids = (*prompt, *tokenizer.encode(messages[-1]["content"].strip()), tokenizer.special.eot)
    if len(ids) > max_length:
        raise Dropped("too long")
    return Row(ids, len(prompt), len(ids))


def labels_of(row: Row) -> tuple[int, ...]:
    """One label a token: the id itself in the answer and its end of turn, IGNORED elsewhere."""
    behind = len(row.ids) - row.end
    return (*[IGNORED] * row.start, *row.ids[row.start : row.end], *[IGNORED] * behind)


def templated(tokenizer: LLaDATokenizer, ids: Iterable[int]) -> str:
    """ids as text in which special tokens stand by their names: for reading, never for encoding again."""
    ids = list(ids)
    return "".join(tokenizer.name(i) or cell for i, cell in zip(ids, tokenizer.cells(ids), strict=True))


def stages(row: Mapping[str, Any], tokenizer: LLaDATokenizer, max_length: int) -> dict[str, str]:
    """{stage: text} of one ShareGPT row on its way: row, conversation, templated text, ids, labels; where it
    is dropped, "dropped" with the reason stands in place of what would follow."""
    found = {"row": json.dumps(row, ensure_ascii=False)}
    try:
        messages = messages_of(row)
        found["conversation"] = "\n".join(f"{message['role']}: {message['content']}" for message in messages)
        made = encode_conversation(tokenizer, messages, max_length)
    except Dropped as reason:
        return {**found, "dropped": str(reason)}
    found["templated text"] = templated(tokenizer, made.ids)
    found["ids"] = " ".join(map(str, made.ids))
    found["labels"] = " ".join(map(str, labels_of(made)))
    return found
