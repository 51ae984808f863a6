"""Many prompts, each answered by the base and by adapters, as rows of one batch.

The rows of `rows_at_once` prompts take their steps together in one `denoise`, so that a forward serves all of
them (on a CPU those of one length) and other visitors join it as ever. There is no thread and nothing to clean up:
a generator that is closed makes no further step.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import torch

from llada_demo.adapters.errors import AdapterError
from llada_demo.core.chat import SYSTEM_PROMPT, opened
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Step
from llada_demo.diffusion.loop import Request, denoise
from llada_demo.engine.engine import Engine
from llada_demo.engine.run import Prepared, Run


@dataclass(frozen=True)
class Answered:
    """A prompt with the answers of all systems, in the order in which the systems were given.

    index: which prompt. texts: None where a system gave no answer. seconds: from the first step of the prompts that
    were answered together until this one had all its answers. forwards: of each answer, a guided step counts 2.
    ended: whether the model wrote an end of its own. error: (Indonesian, English) of the first answer that is
    missing, or None.
    """

    index: int
    texts: tuple[str | None, ...]
    seconds: float
    forwards: tuple[int, ...]
    ended: tuple[bool, ...]
    error: tuple[str, str] | None = None


def answer_many(
    engine: Engine,
    prompts: Sequence[str],
    systems: Sequence[str | None],
    options: SamplingOptions,
    system_prompt: str = SYSTEM_PROMPT,
    rows_at_once: int = 4,
) -> Iterator[Answered]:
    """Every prompt answered by every system (None: the base; else adapters as `Engine.start` takes them), each
    yielded once, as soon as it is whole.

    Prompt i has the seed options.seed + i, the same for every system; each text is what `engine.start` writes with
    it. A prompt that does not fit, or an adapter that is taken off meanwhile, costs its own answers alone.
    A forward has up to rows_at_once x systems rows, twice that with guidance.
    Raises UserError for an adapter that is not there at the start, and ValueError for rows_at_once below 1.
    """
    with closing(stepwise(engine, prompts, systems, options, system_prompt, rows_at_once)) as steps:
        for answered in steps:
            if answered is not None:
                yield answered


def stepwise(
    engine: Engine,
    prompts: Sequence[str],
    systems: Sequence[str | None],
    options: SamplingOptions,
    system_prompt: str = SYSTEM_PROMPT,
    rows_at_once: int = 4,
) -> Generator[Answered | None, None, None]:
    """As `answer_many`, and a None after every step: a page that iterates this can be stopped at each of them."""
    if rows_at_once < 1:
        raise ValueError(f"rows_at_once is {rows_at_once}; it must be 1 or more")
    for system in systems:
        engine.shelf.mix(system)
    for first in range(0, len(prompts), rows_at_once):
        rows = {
            i: [_Cell(engine, prompts[i], system, options, i, system_prompt) for system in systems]
            for i in range(first, min(first + rows_at_once, len(prompts)))
        }
        began = time.perf_counter()
        for _ in _written(engine, [cell for cells in rows.values() for cell in cells]):
            for i in [i for i, cells in rows.items() if all(cell.over for cell in cells)]:
                yield _answered(i, rows.pop(i), time.perf_counter() - began)
            yield None


@dataclass
class _Cell:
    """One prompt, one system: refused at birth, or a request and the steps made so far."""

    engine: Engine
    prompt: str
    system: str | None
    options: SamplingOptions
    index: int
    system_prompt: str
    steps: list[Step] = field(default_factory=list)
    error: UserError | None = None
    over: bool = False

    def __post_init__(self) -> None:
        try:
            self.options = replace(self.options, seed=self.options.seed + self.index)
            self.prepared: Prepared = self.engine.prepare(opened(self.prompt, self.system_prompt), self.options)
            prompt = torch.tensor(self.prepared.prompt, device=self.engine.model.device)
            self.mix = self.engine.shelf.mix(self.system)
            self.request = Request(prompt, self.options, self.prepared.fixed, mix=self.mix)
        except UserError as error:
            self.fail(error)

    def fail(self, error: UserError) -> None:
        """There will be no answer."""
        self.error, self.over = error, True

    def take(self, step: Step | None) -> None:
        """A step of this answer; None where it had made its last one."""
        if step is not None:
            self.steps.append(step)
        self.over = step is None or step.masks_left == 0

    def run(self) -> Run:
        """What is written, as the run that it would have been alone."""
        return Run(self.prepared, self.options, self.engine.tokenizer, lambda: iter(()), {}, earlier=self.steps)


def _written(engine: Engine, cells: Sequence[_Cell]) -> Iterator[None]:
    """Writes all cells to their ends, a step of each at a time.

    When an adapter has been taken off, the forward fails as a whole: who asked for it is out, and the others begin
    again. With their seeds they write the same.
    """
    while going := [cell for cell in cells if not cell.over]:
        try:
            for steps in denoise(engine.predict_rows, [cell.request for cell in going], engine.tokens):
                for cell, step in zip(going, steps, strict=True):
                    cell.take(step)
                yield
            for cell in going:
                cell.over = True  # also those whose answer was given whole, and took no step
        except AdapterError as error:
            attached = engine.shelf.attached.names
            for cell in going:
                if not cell.over:
                    cell.steps.clear()
                    if not cell.mix.keys() <= set(attached):
                        cell.fail(error)
    yield


def _answered(index: int, cells: Sequence[_Cell], seconds: float) -> Answered:
    runs = [None if cell.error else cell.run() for cell in cells]
    error = next((cell.error for cell in cells if cell.error), None)
    return Answered(
        index=index,
        texts=tuple(run.text if run else None for run in runs),
        seconds=seconds,
        forwards=tuple(run.stats()["forwards"] if run else 0 for run in runs),
        ended=tuple(bool(run and run.ended) for run in runs),
        error=(error.in_language("id"), error.in_language("en")) if error else None,
    )
