"""Step and Trace: what happened while an answer was written, as frozen data and as a public file format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions

SCHEMA = 1


class Candidate(NamedTuple):
    """A token that could have stood there, and its probability."""

    token: int
    probability: float


@dataclass(frozen=True)
class Step:
    """One denoising step of one answer. Positions count from the answer's start.

    positions, tokens, confidences: what was committed, by position; the confidence is the probability of the
    token without noise. candidates: for every position that was open, the likeliest tokens. forwards: network
    evaluations so far (a guided step counts 2). unasked: positions after the end of the text, which the
    model was never asked for; they hold the EOS token.
    """

    index: int
    block: int
    positions: tuple[int, ...]
    tokens: tuple[int, ...]
    confidences: tuple[float, ...]
    masks_left: int
    forwards: int
    candidates: tuple[tuple[int, tuple[Candidate, ...]], ...] = ()
    unasked: tuple[int, ...] = ()


def apply(answer: Sequence[int | None], step: Step, eos: int) -> list[int | None]:
    """The answer after a step. None stands for a mask."""
    after = list(answer)
    for position, token in zip(step.positions, step.tokens, strict=True):
        after[position] = token
    for position in step.unasked:
        after[position] = eos
    return after


def blank(options: SamplingOptions, fixed: Mapping[int, int]) -> list[int | None]:
    """The answer before the first step: masks, and the fixed tokens."""
    return [fixed.get(i) for i in range(options.gen_length)]


@dataclass(frozen=True)
class Trace:
    """A whole run: enough to draw every step without a model, and to repeat it with one.

    prompt and answer are (token id, text cell) pairs, the answer as it was at the end; `about` holds model id,
    sha256, adapter, versions and date.
    """

    options: SamplingOptions
    prompt: tuple[tuple[int, str], ...]
    answer: tuple[tuple[int, str], ...]
    fixed: Mapping[int, int]
    steps: tuple[Step, ...]
    eos: int
    about: Mapping[str, Any] = field(default_factory=dict)

    def answer_at(self, step: int) -> list[int | None]:
        """Ids of the answer after `step` steps (0 = before the first); None where still masked."""
        answer = blank(self.options, self.fixed)
        for done in self.steps[:step]:
            answer = apply(answer, done, self.eos)
        return answer

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `from_dict` gives the same trace back."""
        return {
            "schema": SCHEMA,
            "about": dict(self.about),
            "options": self.options.to_dict(),
            "eos": self.eos,
            "prompt": [list(cell) for cell in self.prompt],
            "answer": [list(cell) for cell in self.answer],
            "fixed": {str(k): v for k, v in self.fixed.items()},
            "steps": [_step_to_dict(step) for step in self.steps],
        }

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Trace:
        """A trace from JSON data. Raises UserError for another schema or a damaged file."""
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, Mapping) else None
            raise UserError(
                f"Ini bukan rekaman dengan skema {SCHEMA} (skema: {found!r}).",
                f"This is no trace of schema {SCHEMA} (schema: {found!r}).",
            )
        try:
            options = SamplingOptions.from_dict(data["options"])
            return cls(
                options=options,
                prompt=_cells(data["prompt"]),
                answer=_cells(data["answer"]),
                fixed={int(k): int(v) for k, v in data["fixed"].items()},
                steps=tuple(_step_from_dict(step, options.gen_length) for step in data["steps"]),
                eos=int(data["eos"]),
                about=dict(data["about"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"Rekaman ini rusak: {error!r}.", f"This trace is damaged: {error!r}.") from error


def _cells(pairs: Iterable[Sequence[Any]]) -> tuple[tuple[int, str], ...]:
    return tuple((int(token), str(text)) for token, text in pairs)


def _step_to_dict(step: Step) -> dict[str, Any]:
    data = {name: getattr(step, name) for name in _STEP_FIELDS}
    data["candidates"] = {str(at): [list(candidate) for candidate in best] for at, best in step.candidates}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}


def _step_from_dict(data: Mapping[str, Any], length: int) -> Step:
    """A step of an answer of `length` tokens; KeyError, TypeError or ValueError for what cannot be drawn."""
    values: dict[str, Any] = {name: data[name] for name in _STEP_FIELDS}
    for name in ("index", "block", "masks_left", "forwards"):
        values[name] = int(values[name])
    for name in ("positions", "tokens", "unasked"):
        values[name] = tuple(int(value) for value in values[name])
    values["confidences"] = tuple(float(value) for value in values["confidences"])
    values["candidates"] = tuple(
        (int(at), tuple(Candidate(int(t), float(p)) for t, p in best)) for at, best in data["candidates"].items()
    )
    step = Step(**values)
    if not len(step.positions) == len(step.tokens) == len(step.confidences):
        raise ValueError(f"step {step.index} has not one token and confidence per position")
    if outside := [at for at in (*step.positions, *step.unasked) if not 0 <= at < length]:
        raise ValueError(f"step {step.index} writes to {outside}, and the answer has {length} positions")
    return step


_STEP_FIELDS = tuple(Step.__dataclass_fields__)
