"""What stands on the comparison's board: a comparison that is written, or one from a file, as lines for the browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from llada_demo.core.comparison import ComparisonRecord
from llada_demo.engine.compare import Comparison
from llada_demo.export.comparison import pane_film
from llada_demo.export.film import Camera, end, head
from llada_demo.ui.compare_link import Wish
from llada_demo.ui.reel import line, new_id


class Written:
    """A comparison that is written: iterating makes its steps, and `lines` is what the browser draws of them.

    The lines only ever grow at their end. Safe to be read from another thread between two steps.
    """

    def __init__(self, wish: Wish, comparison: Comparison, slots: Sequence[int]) -> None:
        """slots: the numbers of the adapters' slots, from 1."""
        self.wish, self._comparison, self._sent = wish, comparison, 0
        self._cameras = [Camera(run.token_text) for run in comparison.runs]
        self._parted = comparison.divergence
        self._lock = threading.RLock()
        heads = list(map(_head, comparison.runs))
        self._lines = [line(run=new_id(), slots=[0, *slots], system=comparison.system_prompt, heads=heads)]
        self._ended = self._told = False

    def __iter__(self) -> Iterator[None]:
        with closing(iter(self._comparison)) as steps:  # type: ignore[type-var]
            while True:
                with self._lock:
                    if next(steps, None) is None:
                        return
                yield

    def lines(self) -> str:
        """All lines up to now."""
        with self._lock:
            runs = self._comparison.runs
            new = [run.steps[self._sent :] for run in runs]
            if any(new):
                shots = [list(map(shoot.frame, steps)) for shoot, steps in zip(self._cameras, new, strict=True)]
                self._lines.append(line(frames=shots))
                self._sent = max(len(run.steps) for run in runs)
            if self._parted != self._comparison.divergence:
                self._parted = self._comparison.divergence
                self._lines.append(line(diverges=_diverges(self._parted)))
            return "".join(self._lines)

    def end(self) -> str:
        """All lines, and the final texts of the cells: no step will follow."""
        with self._lock:
            self.lines()
            if not self._ended:
                self._lines.append(line(ends=[end(run.trace()) for run in self._comparison.runs]))
            self._ended = True
            return self.lines()

    def finish(self) -> str:
        """The same, and what is told below the panes; some of it needs forwards."""
        with self._lock:
            self.end()
            if not self._told:
                self._lines.append(line(below=_below(self.record())))
            self._told = True
            return self.lines()

    def measure(self) -> Iterator[None]:
        """`finish` as the one step of a run."""
        self.finish()
        yield

    def record(self) -> ComparisonRecord:
        """As far as it is written."""
        with self._lock:
            return self._comparison.record()


class Opened:
    """A comparison from a file."""

    def __init__(self, record: ComparisonRecord) -> None:
        adapters = tuple(pane.adapter or "" for pane in record.panes[1:])
        self.wish = Wish(record.question, adapters, record.panes[0].trace.options, record.system_prompt)
        self._record = record

    def lines(self) -> str:
        """The one line that the browser draws."""
        films = list(map(pane_film, self._record.panes))
        told = {"slots": list(range(len(films))), "system": self._record.system_prompt, "films": films}
        return line(run=new_id(), **told, below=_below(self._record))

    def record(self) -> ComparisonRecord:
        """As it was saved."""
        return self._record


Board = Written | Opened


def _head(run: Any) -> dict[str, Any]:
    """What the player knows of a pane before its first step (see `export.comparison.pane_film`)."""
    fixed = {at: run.token_text(token) for at, token in run.prepared.fixed.items()}
    opening = head(run.options, run.trace().question, fixed, run.about)
    adapter = run.about["adapter"]
    return opening | ({"title": adapter, "diverges": None} if adapter else {"base": True})


def _diverges(parted: Sequence[Any]) -> list[dict[str, int] | None]:
    return [where and {"step": where.step, "at": where.position} for where in parted]


def _below(record: ComparisonRecord) -> list[dict[str, Any]]:
    """What is told below each pane: its text in pieces, and its figures."""
    return [
        {"text": pane.text, "pieces": [list(piece) for piece in pane.pieces], "figures": dict(pane.figures)}
        for pane in record.panes
    ]
