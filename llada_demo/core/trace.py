"""Step and Trace: what happened while an answer was written, as frozen data and as a public file format."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions

SCHEMA = 1
LONGEST_FILE = 5 * 2**20  # characters
END_OF_HEADER, END_OF_TURN = "<|end_header_id|>", "<|eot_id|>"  # of the chat template, as cells name them
END_NAMES = ("<|endoftext|>", END_OF_TURN)


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
    model was never asked for; they hold the EOS token. by_hand: not the model but a person wrote this step:
    first `masked` are masks again, then the positions get their tokens, with confidence 1.
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
    by_hand: bool = False
    masked: tuple[int, ...] = ()


def apply(answer: Sequence[int | None], step: Step, eos: int) -> list[int | None]:
    """The answer after a step. None stands for a mask."""
    after = list(answer)
    for position in step.masked:
        after[position] = None
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

    prompt and answer are (token id, text cell) pairs, the answer as it was at the end; texts: the text of every
    other token that the steps name; `about` holds model id, sha256, adapter, versions and date, and of a branch
    the trace and the step at which it left ("branch_of", "branch_step").
    """

    options: SamplingOptions
    prompt: tuple[tuple[int, str], ...]
    answer: tuple[tuple[int, str], ...]
    fixed: Mapping[int, int]
    steps: tuple[Step, ...]
    eos: int
    about: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[int, str] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The last message of the prompt, without the template's tokens."""
        names = [text for _, text in self.prompt]
        ends = [i for i, name in enumerate(names) if name == END_OF_TURN]
        starts = [i for i, name in enumerate(names[: ends[-1]]) if name == END_OF_HEADER] if ends else []
        return "".join(names[starts[-1] + 1 : ends[-1]]).strip() if starts else "".join(names).strip()

    @property
    def tail(self) -> int:
        """Where the text ends: the position of the first end token, or the length; what follows is filler."""
        ends = (at for at, (token, text) in enumerate(self.answer) if token == self.eos or text in END_NAMES)
        return next(ends, len(self.answer))

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
            "texts": {str(token): text for token, text in self.texts.items()},
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
            if len(data["answer"]) != options.gen_length:
                raise ValueError(f"the answer has {len(data['answer'])} cells, and its length is {options.gen_length}")
            return cls(
                options=options,
                prompt=_cells(data["prompt"]),
                answer=_cells(data["answer"]),
                fixed={_within(int(k), options.gen_length): int(v) for k, v in data["fixed"].items()},
                steps=tuple(_step_from_dict(step, options.gen_length) for step in data["steps"]),
                eos=int(data["eos"]),
                about=dict(data["about"]),
                texts={int(token): str(text) for token, text in data["texts"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"Rekaman ini rusak: {error!r}.", f"This trace is damaged: {error!r}.") from error


def read_trace(text: str) -> Trace:
    """A trace from the text of its file. Raises UserError for what is too long, no JSON, or damaged."""
    if len(text) > LONGEST_FILE:
        raise UserError(
            f"Rekaman ini terlalu besar: paling banyak {LONGEST_FILE // 2**20} MB.",
            f"This trace is too big: {LONGEST_FILE // 2**20} MB at most.",
        )
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"Berkas ini bukan JSON: {error}.", f"This file is no JSON: {error}.") from error
    return Trace.from_dict(data)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _cells(pairs: Iterable[Sequence[Any]]) -> tuple[tuple[int, str], ...]:
    return tuple((int(token), str(text)) for token, text in pairs)


def _step_to_dict(step: Step) -> dict[str, Any]:
    data = {name: getattr(step, name) for name in _STEP_FIELDS}
    data["candidates"] = {str(at): [list(candidate) for candidate in best] for at, best in step.candidates}
    for name in _OPTIONAL:
        if not data[name]:
            del data[name]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}


def _step_from_dict(data: Mapping[str, Any], length: int) -> Step:
    """A step of an answer of `length` tokens; KeyError, TypeError or ValueError for what cannot be drawn."""
    values: dict[str, Any] = {name: data[name] for name in _STEP_FIELDS if name in data or name not in _OPTIONAL}
    for name in ("index", "block", "masks_left", "forwards"):
        values[name] = int(values[name])
    for name in ("positions", "tokens", "unasked", "masked"):
        values[name] = tuple(int(value) for value in values.get(name, ()))
    values["by_hand"] = bool(values.get("by_hand", False))
    values["confidences"] = tuple(map(_probability, values["confidences"]))
    values["candidates"] = tuple(
        (int(at), tuple(Candidate(int(t), _probability(p)) for t, p in best)) for at, best in data["candidates"].items()
    )
    step = Step(**values)
    if not len(step.positions) == len(step.tokens) == len(step.confidences):
        raise ValueError(f"step {step.index} has not one token and confidence per position")
    written = (*step.positions, *step.unasked, *step.masked, *(at for at, _ in step.candidates))
    if outside := [at for at in written if not 0 <= at < length]:
        raise ValueError(f"step {step.index} writes to {outside}, and the answer has {length} positions")
    return step


def _within(position: int, length: int) -> int:
    if not 0 <= position < length:
        raise ValueError(f"position {position} lies outside the answer of {length}")
    return position


def _probability(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and 0 <= number <= 1):
        raise ValueError(f"{number} is no probability")
    return number


_OPTIONAL = ("by_hand", "masked")  # written only where there is something to say
_STEP_FIELDS = tuple(Step.__dataclass_fields__)
