"""Base and adapters on one question, in step: rows of one batch, and the step and position at which they part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import MaskedLMOutput

from llada_demo.adapters import AdapterError
from llada_demo.adapters.attaching import Mix
from llada_demo.core.chat import Message
from llada_demo.core.comparison import MOST_ADAPTERS, ComparisonRecord, Divergence, Pane, parted
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.text import repeated, word_difference
from llada_demo.core.trace import Step
from llada_demo.diffusion.likelihood import negative_log_likelihood
from llada_demo.diffusion.loop import Ask, Predict, Request, denoise
from llada_demo.engine.run import Run
from llada_demo.engine.shelf import NO_MIX, Shelf, written

if TYPE_CHECKING:
    from llada_demo.engine.engine import Engine

DRAWS = 16  # masks for each text that is measured
ROWS = 4  # of them in one forward: another visitor's step waits no longer than for that

Steps = tuple[Step | None, ...]


@dataclass
class Comparison:
    """Iterating writes all answers, a step of each at a time (None: that one is done); pane 0 is the base.

    runs, divergence: of every pane, as far as they are. Closing the iterator stops the work within one step, and
    what is written stays; so it does where an adapter is taken off the shelf meanwhile, which raises UserError.
    """

    runs: tuple[Run, ...]
    question: str
    system_prompt: str
    begin: Callable[[], Iterator[Steps]]
    bound: Callable[[Run], float | None]  # nats per token of a run's text under the base
    divergence: tuple[Divergence | None, ...] = ()
    seconds: float = 0.0
    _bounds: dict[tuple[int | None, ...], float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.divergence = (None,) * len(self.runs)

    def __iter__(self) -> Iterator[Steps]:
        began = time.perf_counter()
        try:
            for made in self.begin():
                self.seconds = time.perf_counter() - began
                yield self._take(made)
        except AdapterError as error:
            raise UserError(
                f"{error.in_language('id')} Perbandingan berhenti; yang sudah ditulis tetap ada.",
                f"{error.in_language('en')} The comparison stops; what is written stays.",
            ) from error

    def _take(self, made: Steps) -> Steps:
        pairs = zip(self.runs, made, strict=True)
        steps = tuple(None if step is None else run.take(step, self.seconds) for run, step in pairs)
        number = max(len(run.steps) for run in self.runs) - 1
        at = [parted(steps[0], step) for step in steps]
        self.divergence = tuple(
            before or (None if position is None else Divergence(number, position))
            for before, position in zip(self.divergence, at, strict=True)
        )
        return steps

    def figures(self) -> list[dict[str, Any]]:
        """What is measured of every pane (see `core.comparison.FIGURES`). Texts under the base are forwards of the
        network: the first call takes as long as a few steps. A stopped run, or an empty text, has no such figure."""
        return [self._figures(run) for run in self.runs]

    def _figures(self, run: Run) -> dict[str, Any]:
        end = next((at for at, token in enumerate(run.answer) if token in run.tokenizer.special.ends), len(run.answer))
        sure = [c for step in run.steps for at, c in zip(step.positions, step.confidences, strict=True) if at < end]
        answer = tuple(run.answer)
        if answer not in self._bounds:
            self._bounds[answer] = self.bound(run)
        nats = self._bounds[answer]
        return {
            "forwards": run.stats()["forwards"],
            "seconds": round(self.seconds, 2),
            "tokens": len(run.written),
            "confidence": round(sum(sure) / len(sure), 4) if sure else None,
            "nats_under_base": None if nats is None else round(nats, 4),
            "repeated_3": round(repeated([run.text]), 4),
            "ended": run.ended,
        }

    def record(self) -> ComparisonRecord:
        """The whole comparison as data that can be saved and shown without a model."""
        base = self.runs[0].text
        panes = (
            Pane(
                adapter=run.about["adapter"],
                text=run.text,
                pieces=word_difference(base, run.text)[1],
                divergence=divergence,
                figures=figures,
                trace=run.trace(),
            )
            for run, divergence, figures in zip(self.runs, self.divergence, self.figures(), strict=True)
        )
        return ComparisonRecord(self.question, self.system_prompt, tuple(panes))

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON data; `core.comparison.read_comparison` reads it."""
        return self.record().to_dict()


def compare(
    engine: Engine,
    messages: Sequence[Message],
    options: SamplingOptions,
    adapters: Sequence[str],
    candidates: int = 0,
) -> Comparison:
    """The base and up to three adapters, ready to be iterated. Raises UserError before any work is done."""
    mixes = mixes_of(engine.shelf, adapters)
    prepared = engine.prepare(messages, options)
    prompt = torch.tensor(prepared.prompt, device=engine.model.device)
    requests = [Request(prompt, options, prepared.fixed, mix=mix) for mix in mixes]
    first = messages[0]
    return Comparison(
        runs=tuple(
            Run(prepared, options, engine.tokenizer, _written_here, engine.about(written(mix))) for mix in mixes
        ),
        question=messages[-1]["content"],
        system_prompt=first["content"] if first["role"] == "system" else "",
        begin=lambda: denoise(engine.predict_rows, requests, engine.tokens, candidates),
        bound=lambda run: nats_per_token(engine, run),
    )


def mixes_of(shelf: Shelf, adapters: Sequence[str]) -> list[Mix]:
    """The base's mix, then those of the adapters. Raises UserError for too few, too many, unknown or equal ones."""
    if not 1 <= len(adapters) <= MOST_ADAPTERS:
        there = ", ".join(row["name"] for row in shelf.listed())
        raise UserError(
            f"Pilih 1 sampai {MOST_ADAPTERS} adapter untuk dibandingkan dengan model dasar, bukan {len(adapters)}. "
            f"Yang ada: {there or 'belum ada'}.",
            f"Choose 1 to {MOST_ADAPTERS} adapters to compare with the base, not {len(adapters)}. "
            f"There are: {there or 'none yet'}.",
        )
    mixes: list[Mix] = [NO_MIX]
    for adapter in adapters:
        mix = shelf.mix(adapter)
        if mix in mixes:
            name = written(mix)
            raise UserError(
                f"{name or 'Model dasar'} sudah ada di perbandingan ini. Pilih adapter lain, atau skala lain.",
                f"{name or 'The base'} is in this comparison already. Choose another adapter, or another scale.",
            )
        mixes.append(mix)
    return mixes


def nats_per_token(engine: Engine, run: Run, draws: int = DRAWS) -> float | None:
    """The bound of -log p(text | prompt) under the base, per token of a run's text with its end token.

    The same masks for equally long texts. None for an empty text, and for a run that was stopped: a text with gaps
    says nothing about the base.
    """
    if not (run.finished and run.text):
        return None
    ends = [at for at, token in enumerate(run.answer) if token in run.tokenizer.special.ends]
    text = run.answer[: ends[0] + 1] if ends else run.answer
    start = len(run.prepared.prompt)
    ids = torch.tensor([*run.prepared.prompt, *text], device=engine.model.device)
    return negative_log_likelihood(_Base(engine.predict_rows), ids, start, engine.tokens.mask, draws) / len(text)


class _Base(nn.Module):
    """The base as a network whose rows wait for their turn among those of all visitors."""

    def __init__(self, predict: Predict) -> None:
        super().__init__()
        self.predict = predict

    def forward(self, ids: Tensor, positions: Tensor) -> MaskedLMOutput:
        """Canvases (B, L) and the positions (B, P) asked for -> logits (B, P, V)."""
        asks = [Ask(row, canvas, at) for row, (canvas, at) in enumerate(zip(ids, positions, strict=True))]
        parts = [self.predict(asks[first : first + ROWS]) for first in range(0, len(asks), ROWS)]
        return MaskedLMOutput(logits=torch.stack([row for part in parts for row in part]))


def _written_here() -> Iterator[Step]:
    """A pane alone makes no steps: its comparison does."""
    return iter(())
