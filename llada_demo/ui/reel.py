"""The lines that a player reads: JSON that only ever grows at its end, so that a browser gets what is new."""

from __future__ import annotations

import json
import uuid
from typing import Any

from llada_demo.engine.run import Run
from llada_demo.export.film import Camera, Film, end, head


class Live:
    """A run while it is written."""

    def __init__(self, run: Run, title: str = "") -> None:
        self.run = run
        fixed = {at: run.token_text(token) for at, token in run.prepared.fixed.items()}
        self._shoot = Camera(run.token_text)
        opening = head(run.options, run.trace().question, fixed, run.about)
        self._lines = [line(run=new_id(), head={**opening, "title": title})]
        self._sent = 0

    def lines(self, whole: bool = False) -> str:
        """All lines up to now; `whole`: with the last, which gives the final texts."""
        self._lines += [line(frame=self._shoot.frame(step)) for step in self.run.steps[self._sent :]]
        self._sent = len(self.run.steps)
        return "".join([*self._lines, *([line(end=end(self.run.trace()))] if whole else [])])


def whole_film(film: Film, other: Film | None = None) -> str:
    """The one line of a run that is whole, and of the one that is shown beside it."""
    return line(run=new_id(), film=film, **({"other": other} if other else {}))


def line(**data: Any) -> str:
    """One line of JSON."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"


def new_id() -> str:
    """What tells one run's lines from another's."""
    return uuid.uuid4().hex[:8]
