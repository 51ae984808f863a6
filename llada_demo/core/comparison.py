"""Base and adapters on one question: where they part, and the public file format of a whole comparison."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from llada_demo.core.errors import UserError
from llada_demo.core.text import Piece
from llada_demo.core.trace import LONGEST_FILE, Step, Trace, read_trace

FORMAT = "llada-indonesia-comparison"
SCHEMA = 1
MOST_ADAPTERS = 3
LONGEST_COMPARISON = (1 + MOST_ADAPTERS) * LONGEST_FILE  # characters

# What is measured of a pane: its type, its greatest value, and whether it may be missing (None).
FIGURES: Mapping[str, tuple[type, float, bool]] = {
    "forwards": (int, math.inf, False),  # network evaluations of this pane
    "seconds": (float, math.inf, False),  # of the whole comparison, the same for all panes
    "tokens": (int, math.inf, False),  # written before the end token
    "confidence": (float, 1, True),  # mean over those that the model committed
    "nats_under_base": (float, math.inf, True),  # a bound of -log p(text) under the base, per token
    "repeated_3": (float, 1, False),  # share of word 3-grams that stood there before
    "ended": (bool, 1, False),  # whether the model wrote an end of its own
}


class Divergence(NamedTuple):
    """The first step in which a pane committed something else than the base, and the first such position; both
    count from 0."""

    step: int
    position: int


@dataclass(frozen=True)
class Pane:
    """One side of a comparison. adapter: as it is asked for, None for the base; divergence: None while equal."""

    adapter: str | None
    text: str
    pieces: tuple[Piece, ...]
    divergence: Divergence | None
    figures: Mapping[str, Any]
    trace: Trace


@dataclass(frozen=True)
class ComparisonRecord:
    """A whole comparison: the base, then its adapters, on one question with the same options and seed."""

    question: str
    system_prompt: str
    panes: tuple[Pane, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `from_dict` gives the same record back."""
        return {
            "format": FORMAT,
            "schema": SCHEMA,
            "question": self.question,
            "system_prompt": self.system_prompt,
            "panes": [
                {
                    "adapter": pane.adapter,
                    "text": pane.text,
                    "pieces": [list(piece) for piece in pane.pieces],
                    "divergence": pane.divergence and pane.divergence._asdict(),
                    "figures": dict(pane.figures),
                    "trace": pane.trace.to_dict(),
                }
                for pane in self.panes
            ],
        }

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ComparisonRecord:
        """A record from JSON data. Raises UserError for another format or schema, and for a damaged file."""
        found = (data.get("format"), data.get("schema")) if isinstance(data, Mapping) else (None, None)
        if found != (FORMAT, SCHEMA):
            raise UserError(
                f"Ini bukan perbandingan {FORMAT} dengan skema {SCHEMA} (isinya: {str(found)[:80]}).",
                f"This is no comparison {FORMAT} of schema {SCHEMA} (it says: {str(found)[:80]}).",
            )
        try:
            panes = _of(list, data["panes"])
            if not 2 <= len(panes) <= 1 + MOST_ADAPTERS:
                raise ValueError(f"there are {len(panes)} panes, and 2 to {1 + MOST_ADAPTERS} are possible")
            record = cls(_of(str, data["question"]), _of(str, data["system_prompt"]), tuple(map(_pane, panes)))
            _check_together(record.panes)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise UserError(
                f"Perbandingan ini rusak: {repr(error)[:200]}.", f"This comparison is damaged: {repr(error)[:200]}."
            ) from error
        return record


def read_comparison(text: str) -> ComparisonRecord:
    """A record from the text of its file. Raises UserError for what is too long, no JSON, or damaged."""
    if len(text) > LONGEST_COMPARISON:
        raise UserError(
            f"Perbandingan ini terlalu besar: paling banyak {LONGEST_COMPARISON // 2**20} MB.",
            f"This comparison is too big: {LONGEST_COMPARISON // 2**20} MB at most.",
        )
    try:
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False).encode()  # JSON can hold halves of characters, which no file can
    except (ValueError, RecursionError) as error:
        raise UserError(f"Berkas ini bukan JSON: {error}.", f"This file is no JSON: {error}.") from error
    return ComparisonRecord.from_dict(data)


def parted(base: Step | None, other: Step | None) -> int | None:
    """The first position in which a step of another run differs from the base's; None where it does not.

    A position that the other committed counts first, one that only the base committed where there is none such.
    None as a step: that run is done.
    """
    ours, theirs = _committed(base), _committed(other)
    return min((at for at, _ in theirs - ours or ours - theirs), default=None)


def divergence_of(base: Sequence[Step], other: Sequence[Step]) -> Divergence | None:
    """Where another run parts from the base; None if it never does."""
    for i, pair in enumerate(zip_longest(base, other)):
        if (position := parted(*pair)) is not None:
            return Divergence(i, position)
    return None


def _committed(step: Step | None) -> set[tuple[int, int]]:
    return set(zip(step.positions, step.tokens, strict=True)) if step else set()


def _pane(data: Any) -> Pane:
    """A pane; KeyError, TypeError, ValueError or UserError for what is no such thing."""
    fields = _of(dict, data)
    trace = read_trace(json.dumps(_of(dict, fields["trace"]), ensure_ascii=False))
    text, divergence = _of(str, fields["text"]), fields["divergence"]
    pieces = tuple(Piece(_of(str, piece), _of(bool, differs)) for piece, differs in _of(list, fields["pieces"]))
    if "".join(piece.text for piece in pieces) != text:
        raise ValueError("the pieces of a text are not that text")
    if divergence is not None:
        divergence = Divergence(_of(int, divergence["step"]), _of(int, divergence["position"]))
    adapter = fields["adapter"]
    return Pane(
        adapter=None if adapter is None else _of(str, adapter),
        text=text,
        pieces=pieces,
        divergence=divergence,
        figures=_figures(_of(dict, fields["figures"])),
        trace=trace,
    )


def _figures(data: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a pane, and no others."""
    return {name: _figure(name, data[name]) for name in FIGURES}


def _figure(name: str, value: Any) -> Any:
    kind, most, optional = FIGURES[name]
    if value is None and optional:
        return None
    number = _of(int, value) if kind is float and type(value) is int else _of(kind, value)
    if not (0 <= number <= most and number < math.inf):
        raise ValueError(f"{name} cannot be {value}")
    return number


def _check_together(panes: Sequence[Pane]) -> None:
    """Raises ValueError where panes are not of one comparison."""
    base = panes[0]
    for i, pane in enumerate(panes):
        if pane.adapter != pane.trace.about.get("adapter") or bool(pane.adapter) != bool(i):
            raise ValueError(f"pane {i} says that it is of {str(pane.adapter)[:60]!r}, and its trace says otherwise")
        if (pane.trace.options, pane.trace.prompt) != (base.trace.options, base.trace.prompt):
            raise ValueError(f"pane {i} has another prompt or other options than the base")
        if pane.divergence != divergence_of(base.trace.steps, pane.trace.steps):
            raise ValueError(f"pane {i} does not part from the base where it says")


def _of(kind: type, value: Any) -> Any:
    """The value, which must be of exactly this type."""
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} where {kind.__name__} should be")
    return value
