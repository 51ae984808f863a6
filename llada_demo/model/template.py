"""The chat template: messages -> token ids, in segments, so that a message's text stays text.

Rendered (facts of the published checkpoints): `<|startoftext|>`, then per message
`<|start_header_id|>{role}<|end_header_id|>`, two line breaks, the trimmed content and `<|eot_id|>`; then,
where an answer is asked for, the header of the assistant.
"""

from __future__ import annotations

from collections.abc import Sequence

from llada_demo.core.chat import Message
from llada_demo.model.tokenizer import LLaDATokenizer

ROLES = ("system", "user", "assistant")


def encode_header(tokenizer: LLaDATokenizer, role: str, text: str = "") -> list[int]:
    """The header of a turn, two line breaks, and the text."""
    ids = tokenizer.special
    return [ids.header_start, *tokenizer.encode(role), ids.header_end, *tokenizer.encode("\n\n" + text)]


def encode_message(tokenizer: LLaDATokenizer, message: Message) -> list[int]:
    """One whole turn. Raises ValueError for a role that the template does not know."""
    if message["role"] not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, not {message['role']!r}")
    return [*encode_header(tokenizer, message["role"], message["content"].strip()), tokenizer.special.eot]


def encode_chat(tokenizer: LLaDATokenizer, messages: Sequence[Message], answer_header: bool = True) -> list[int]:
    """A conversation as ids; with `answer_header` it ends where the assistant's answer begins."""
    ids = [tokenizer.special.bos]
    for message in messages:
        ids += encode_message(tokenizer, message)
    return ids + encode_header(tokenizer, "assistant") if answer_header else ids


def fit_chat(tokenizer: LLaDATokenizer, messages: Sequence[Message], room: int) -> tuple[list[int], int]:
    """The conversation with as many of its latest turns as fit `room` tokens, and how many were dropped.

    A system message at the start always stays, and the last message too: if these alone do not fit, the ids
    are longer than `room` and it is the caller who says so. After dropping, the history starts with a user
    turn.
    """
    head = 1 if messages and messages[0]["role"] == "system" else 0
    first = head
    ids = encode_chat(tokenizer, messages)
    while len(ids) > room and first < len(messages) - 1:
        first += 1
        while first < len(messages) - 1 and messages[first]["role"] != "user":
            first += 1
        ids = encode_chat(tokenizer, [*messages[:head], *messages[first:]])
    return ids, first - head
