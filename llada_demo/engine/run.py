"""One answer while it is written: the state that a view shows, and the record that stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Step, Trace, apply, blank
from llada_demo.model.tokenizer import LLaDATokenizer

MASK_CELL = " ░░"


@dataclass(frozen=True)
class Prepared:
    """A question made ready: prompt ids, the fixed tokens, and how many old turns had to be left out."""

    prompt: Sequence[int]
    fixed: Mapping[int, int]
    dropped: int


@dataclass
class Run:
    """Iterating writes the answer, a Step at a time; the attributes say how far it is.

    Closing the iterator (or leaving the loop) stops the work within one step; what is written stays.
    """

    prepared: Prepared
    options: SamplingOptions
    tokenizer: LLaDATokenizer
    begin: Callable[[], Iterator[Step]]
    about: Mapping[str, Any]
    answer: list[int | None] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0
    earlier: Sequence[Step] = ()  # the steps of another run that this one goes on from

    def __post_init__(self) -> None:
        self.answer = blank(self.options, self.prepared.fixed)
        for step in self.earlier:
            self.answer = apply(self.answer, step, self.tokenizer.special.eos)
        self.steps = list(self.earlier)

    def __iter__(self) -> Iterator[Step]:
        began = time.perf_counter()
        for made in self.begin():
            yield self.take(made, time.perf_counter() - began)

    def take(self, made: Step, seconds: float) -> Step:
        """Writes down one more step, made `seconds` after the beginning. Returns it with its number in this run."""
        step = replace(made, index=len(self.steps))
        self.answer = apply(self.answer, step, self.tokenizer.special.eos)
        self.steps.append(step)
        self.seconds = seconds
        return step

    @property
    def finished(self) -> bool:
        """Whether no mask is left."""
        return None not in self.answer

    @property
    def ended(self) -> bool:
        """Whether the model wrote an end of its own."""
        return any(token in self.tokenizer.special.ends for token in self.answer)

    @property
    def written(self) -> list[int]:
        """The answer's committed tokens up to its end, in order; masks left out."""
        ids = []
        for token in self.answer:
            if token in self.tokenizer.special.ends:
                break
            if token is not None:
                ids.append(token)
        return ids

    @property
    def text(self) -> str:
        """What is written, without masks: the whole answer at the end, what there is after a stop."""
        return self.tokenizer.decode(self.written).strip()

    def picture(self) -> str:
        """The answer with its masks visible, words in their places, nothing after a committed end."""
        ends = [i for i, token in enumerate(self.answer) if token in self.tokenizer.special.ends]
        shown = self.answer[: ends[0]] if ends else self.answer
        cells = self.tokenizer.cells([self.tokenizer.special.eos if t is None else t for t in shown])
        return "".join(MASK_CELL if t is None else cell for t, cell in zip(shown, cells, strict=True)).strip()

    def stats(self) -> dict[str, Any]:
        """Figures of the run: steps, forwards, written tokens, seconds, tokens per second, seed."""
        tokens = len(self.written)
        return {
            "steps": len(self.steps),
            "forwards": self.steps[-1].forwards if self.steps else 0,
            "tokens": tokens,
            "seconds": round(self.seconds, 2),
            "tokens_per_second": round(tokens / self.seconds, 1) if self.seconds else 0.0,
            "seed": self.options.seed,
            "finished": self.finished,
            "dropped_turns": self.prepared.dropped,
        }

    def trace(self) -> Trace:
        """The record of the run; masks that were left by a stop have the text "" and the mask's id."""
        ids = [self.tokenizer.special.mask if t is None else t for t in self.answer]
        return Trace(
            options=self.options,
            prompt=self._cells(self.prepared.prompt),
            answer=self._cells(ids),
            fixed=dict(self.prepared.fixed),
            steps=tuple(self.steps),
            eos=self.tokenizer.special.eos,
            about=dict(self.about),
            texts={token: self.token_text(token) for token in sorted(named(self.steps))},
        )

    def token_text(self, token: int) -> str:
        """A token alone: its text, or its name where it is a special one."""
        return self.tokenizer.name(token) or self.tokenizer.cells([token])[0]

    def _cells(self, ids: Sequence[int]) -> tuple[tuple[int, str], ...]:
        texts = self.tokenizer.cells(ids)
        return tuple((t, self.tokenizer.name(t) or text) for t, text in zip(ids, texts, strict=True))


def named(steps: Sequence[Step]) -> set[int]:
    """Every token that the steps commit or list as a candidate."""
    candidates = {c.token for step in steps for _, best in step.candidates for c in best}
    return candidates | {token for step in steps for token in step.tokens}
