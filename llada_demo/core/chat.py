"""What every conversation is made of, and what it starts from."""

from __future__ import annotations

from typing import TypedDict

# The sample system prompt of the write-up that this project follows.
SYSTEM_PROMPT = "Asisten adalah chatbot bernama Anita, seorang chatbot yang ramah."


class Message(TypedDict):
    """One turn: role is "system", "user" or "assistant"."""

    role: str
    content: str


def opened(text: str, system: str = SYSTEM_PROMPT) -> list[Message]:
    """A conversation of one message behind a system prompt; a blank one is left out."""
    head: list[Message] = [{"role": "system", "content": system}] if system.strip() else []
    return [*head, {"role": "user", "content": text}]
