"""A run as the player in assets/ui/player.js draws it: a head, a frame for every step, and an end.

Short names keep it small: it goes to the browser while the model works, a frame at a time, and whole in an
exported page. A frame:

    p   positions that were committed          c   their confidences, thousandths
    t   their token ids                        f   network evaluations so far
    b   the block                              n   {id: text} of ids that no frame before has named
    u   positions after the end of the text    m   positions that were masked again (by hand)
    h   1 where a person made the step         o   open positions: [position, id, thousandths, id, ...]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Step, Trace

Film = dict[str, Any]


def film(trace: Trace, *, title: str = "", note: str = "", recorded: bool = False, candidates: bool = True) -> Film:
    """The whole run. title, note: shown above and below the board; recorded: says so on the screen."""
    texts = dict(trace.texts) | dict(trace.answer)
    shoot = Camera(lambda token: texts.get(token, ""), candidates)
    opening = head(trace.options, trace.question, {at: texts.get(t, "") for at, t in trace.fixed.items()}, trace.about)
    extra = {"title": title, "note": note, "recorded": recorded}
    return {
        "head": {**opening, **{name: value for name, value in extra.items() if value}},
        "frames": [shoot.frame(step) for step in trace.steps],
        "end": end(trace),
    }


def head(options: SamplingOptions, question: str, fixed: Mapping[int, str], about: Mapping[str, Any]) -> dict[str, Any]:
    """What is known before the first step. fixed: {position: text}."""
    told = {name: about[name] for name in ("model", "adapter", "date", "branch_step") if about.get(name) is not None}
    return {
        "question": question,
        "length": options.gen_length,
        "block": options.block_length,
        "steps": options.steps,
        "fixed": {str(at): text for at, text in fixed.items()},
        "about": {**told, "seed": options.seed},
    }


def end(trace: Trace) -> dict[str, Any]:
    """What is known after the last step: every cell's final text, and where the text ended (the rest is filler)."""
    return {"cells": [text for _, text in trace.answer], "tail": trace.tail}


class Camera:
    """Turns steps into frames, and remembers which texts it has sent. text: the text of a token id."""

    def __init__(self, text: Callable[[int], str], candidates: bool = True) -> None:
        self._text, self._candidates = text, candidates
        self._sent: set[int] = set()

    def frame(self, step: Step) -> dict[str, Any]:
        """One step."""
        open_ = [
            [at, *(value for c in best for value in (c.token, _thousandths(c.probability)))]
            for at, best in (step.candidates if self._candidates else ())
        ]
        ids = {*step.tokens, *(token for row in open_ for token in row[1::2])} - self._sent
        self._sent |= ids
        frame = {
            "p": list(step.positions),
            "t": list(step.tokens),
            "c": [_thousandths(c) for c in step.confidences],
            "f": step.forwards,
            "b": step.block,
        }
        more = {"u": list(step.unasked), "m": list(step.masked), "h": int(step.by_hand), "o": open_}
        named = {str(token): self._text(token) for token in sorted(ids)}
        return {**frame, **{name: value for name, value in {**more, "n": named}.items() if value}}


def _thousandths(probability: float) -> int:
    return round(1000 * probability)
