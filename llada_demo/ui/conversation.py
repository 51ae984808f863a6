"""A conversation as data: what the model reads of it, and how it is cut, undone and written to a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llada_demo.core.chat import Message
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.engine.run import MASK_CELL
from llada_demo.ui.words import SENTENCES, SHIELD, say, shielded

LONGEST_MESSAGE = 8000  # characters; far more than any model here reads, far less than a server minds

Record = dict[str, Any]  # of one answer: options, stats, about, and the Run itself


def plain(history: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The chatbot's messages as role and text, whatever shape the browser sent them in."""
    messages: list[Message] = []
    for message in history:
        content = message["content"]
        if isinstance(content, list):
            content = "".join(part.get("text", "") if isinstance(part, dict) else str(part) for part in content)
        messages.append({"role": message["role"], "content": str(content or "").replace(SHIELD, "")})
    return messages


def shown(history: Sequence[Message]) -> list[Message]:
    """The messages as the chatbot may have them: every character is shown, none is taken for HTML."""
    return [{"role": m["role"], "content": shielded(m["content"])} for m in history]


def for_model(history: Sequence[Message], system_prompt: str) -> list[Message]:
    """What the model reads: the system prompt, if there is one, and the turns; answers that stayed empty
    (stopped before the first word) are left out with their question."""
    turns: list[Message] = []
    for message in history:
        if message["role"] == "assistant" and not message["content"].strip():
            turns = turns[:-1]
        else:
            turns.append({"role": message["role"], "content": without_masks(message["content"])})
    if system_prompt and system_prompt.strip():
        return [{"role": "system", "content": system_prompt}, *turns]
    return turns


def checked(text: str) -> str:
    """A visitor's message. Raises UserError where it is too long to be looked at."""
    if len(text) > LONGEST_MESSAGE:
        raise UserError(*(s.format(length=len(text), limit=LONGEST_MESSAGE) for s in SENTENCES["message_too_long"]))
    return text


def without_masks(text: str) -> str:
    """What is written of an unfinished answer: a stop keeps it."""
    return re.sub(rf" ?{MASK_CELL.strip()}", "", text).strip()


def to_last_question(history: Sequence[Message]) -> list[Message]:
    """The history up to the last message of the user. Raises UserError where there is none."""
    for i in range(len(history) - 1, -1, -1):
        if history[i]["role"] == "user":
            return list(history[: i + 1])
    raise UserError(*SENTENCES["nothing_to_answer"])


def answers(history: Sequence[Message]) -> int:
    """How many answers a history has; a conversation keeps one record for each."""
    return sum(message["role"] == "assistant" for message in history)


def record(options: SamplingOptions, stats: Mapping[str, Any], about: Mapping[str, Any]) -> Record:
    """What makes an answer repeatable."""
    return {"options": options.to_dict(), "stats": dict(stats), "about": dict(about)}


def status(record: Record, language: str) -> str:
    """The line under an answer."""
    stats = record["stats"]
    line = say("status", language, **stats)
    if not stats["finished"]:
        line += say("stopped", language)
    if stats["dropped_turns"]:
        line += say("dropped", language, **stats)
    return line


def to_json(history: Sequence[Message], records: Sequence[Record], system_prompt: str) -> str:
    """The conversation with the settings, seed, versions and model digest of every answer."""
    left = iter({name: value for name, value in record.items() if name != "run"} for record in records)
    turns = [{**m, **(next(left, {}) if m["role"] == "assistant" else {})} for m in history]
    data = {
        "format": "llada-indonesia-conversation",
        "schema": 1,
        "system_prompt": system_prompt,
        "messages": turns,
    }
    return json.dumps(data, ensure_ascii=False, indent=1)


def to_markdown(history: Sequence[Message], records: Sequence[Record], system_prompt: str, language: str) -> str:
    """The conversation to read, each answer with its line of figures."""
    who = {"user": ("Anda", "You"), "assistant": ("Asisten", "Assistant")}
    parts = ["# LLaDA Indonesia", f"> {system_prompt}"] if system_prompt.strip() else ["# LLaDA Indonesia"]
    left = iter(records)
    for message in history:
        parts.append(f"**{who[message['role']][language == 'en']}**\n\n{message['content']}")
        if message["role"] == "assistant" and (about := next(left, None)):
            parts.append(f"*{about['about']['model']} · {status(about, language)}*")
    return "\n\n".join(parts) + "\n"
