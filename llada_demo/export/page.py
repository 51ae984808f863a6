"""The page that plays by itself: the player, its look, and one film, or several side by side on one clock."""

from __future__ import annotations

import json
from collections.abc import Sequence

from llada_demo.core.settings import UI
from llada_demo.export.film import Film


def player_page(films: Film | Sequence[Film]) -> str:
    """HTML that needs nothing else; of several films the first gives the clock."""
    told = json.dumps(films, ensure_ascii=False, separators=(",", ":"))
    parts = {
        "STYLE": (UI / "player.css").read_text(encoding="utf-8"),
        "SCRIPT": (UI / "player.js").read_text(encoding="utf-8"),
        # Inside a script element only "<" can end it or begin a comment.
        "FILM": told.replace("<", "\\u003c"),
    }
    page = (UI / "export.html").read_text(encoding="utf-8")
    return "".join(parts.get(piece, piece) for piece in page.split("%%"))
