"""Recorded attention as a page that needs nothing else: the explorer, its look, and the data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llada_demo.core.settings import UI

# The explorer's own files, in the order in which they need one another.
EXPLORER = (
    "ink.js",
    "attention_words.js",
    "attention_shares.js",
    "attention_shapes.js",
    "attention_answers.js",
    "attention.js",
)


def attention_page(record: Mapping[str, Any], locked: Sequence[int] = ()) -> str:
    """HTML of a record as `AttentionRecord.to_dict` gives it; locked: the words that are chosen when it opens."""
    told = json.dumps({"record": record, "locked": list(locked)}, ensure_ascii=False, separators=(",", ":"))
    parts = {
        "STYLE": (UI / "attention.css").read_text(encoding="utf-8"),
        "SCRIPT": "\n".join((UI / name).read_text(encoding="utf-8") for name in EXPLORER),
        # Inside a script element only "<" can end it or begin a comment.
        "RECORD": told.replace("<", "\\u003c"),
    }
    page = (UI / "attention.html").read_text(encoding="utf-8")
    return "".join(parts.get(piece, piece) for piece in page.split("%%"))
