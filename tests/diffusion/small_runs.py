"""Company for the loop: a random network that is a function of the ids, and a replay of Steps."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from llada_demo.core.options import REMASKING, SamplingOptions
from llada_demo.core.trace import Step, apply, blank
from llada_demo.diffusion import Ask, Request, Tokens, denoise, noise
from llada_demo.diffusion.loop import Predict

VOCABULARY = 24
TOKENS = Tokens(mask=23, eos=22, ends=(22, 21))
WORDS = 21  # ids below this one are ordinary


def toy_logits(ids: Tensor) -> Tensor:
    """(L, V) random logits that depend on every id of the canvas and on nothing else."""
    generator = torch.Generator().manual_seed(zlib.crc32(bytes(ids.tolist())))
    return 2 * torch.randn(len(ids), VOCABULARY, generator=generator)


@dataclass
class Toy:
    """`predict` over `toy_logits` that remembers what it was asked."""

    asked: list[list[Ask]] = field(default_factory=list)

    def __call__(self, asks: Sequence[Ask]) -> list[Tensor]:
        self.asked.append(list(asks))
        return [toy_logits(ask.ids)[ask.positions] for ask in asks]


def request(options: SamplingOptions, prompt: Sequence[int] = (3, 1, 4)) -> Request:
    """A row; constraints of `options` are single ids."""
    fixed = {at: ids[0] for at, ids in options.constraints.items()}
    return Request(torch.tensor(prompt, dtype=torch.long), options, fixed)


def steps_of(of: Request, predict: Predict, candidates: int = 0) -> list[Step]:
    """All steps of one row. A loop that does not end fails instead of hanging."""
    most = of.options.steps
    steps = [row[0] for row in islice(denoise(predict, [of], TOKENS, candidates), most + 1)]
    assert len(steps) <= most, "more steps than the options allow"
    return [step for step in steps if step]


def run(of: Request, candidates: int = 0) -> tuple[list[Step], Toy]:
    """All steps of one row, and what was asked for them."""
    toy = Toy()
    return steps_of(of, toy, candidates), toy


def answers(of: Request, steps: Sequence[Step], eos: int = TOKENS.eos) -> list[list[int | None]]:
    """The answer before the first step and after each one."""
    states = [blank(of.options, of.fixed)]
    for step in steps:
        states.append(apply(states[-1], step, eos))
    return states


def scores(row: Request, asks: Sequence[Ask]) -> Tensor:
    """The guided logits (P, V) of a step, worked again: un + (scale + 1) x (cond - un)."""
    parts = [toy_logits(ask.ids)[ask.positions] for ask in asks]
    if len(parts) == 1:
        return parts[0]
    return parts[1] + (row.options.cfg_scale + 1) * (parts[0] - parts[1])


def choices(row: Request, asks: Sequence[Ask], step: int) -> dict[int, int]:
    """The token that each open position wants at a step, worked again."""
    relative = asks[0].positions - len(row.prompt)
    wanted = scores(row, asks)
    last_fixed = max(row.fixed, default=-1)
    for i, at in enumerate(relative.tolist()):
        if row.options.end_rule == "forbid" or at < last_fixed:
            wanted[i, list(TOKENS.ends)] = -torch.inf
    if row.options.temperature:
        drawn = noise.gumbel(row.options.seed, step, relative, VOCABULARY)
        wanted = wanted + row.options.temperature * drawn
    wanted[:, TOKENS.mask] = -torch.inf
    return dict(zip(relative.tolist(), wanted.argmax(1).tolist(), strict=True))


def decisions(steps: Sequence[Step]) -> list[tuple[Any, ...]]:
    """What a run decided, without the confidences, which batching may change in the last digits."""
    return [(s.index, s.block, s.positions, s.tokens, s.masks_left, s.forwards, s.unasked) for s in steps]


def visible(answer: Sequence[int | None]) -> list[int | None]:
    """The answer up to its first end token."""
    end = next((i for i, token in enumerate(answer) if token in TOKENS.ends), len(answer))
    return list(answer[:end])


@st.composite
def options(draw: st.DrawFn, **given: object) -> SamplingOptions:
    """Any small valid options; `given` decides a field."""
    block_length = draw(st.integers(1, 6))
    blocks = draw(st.integers(1, 3))
    length = block_length * blocks
    fixed = draw(st.dictionaries(st.integers(0, length - 1), st.tuples(st.integers(0, WORDS - 1)), max_size=3))
    values = {
        "gen_length": length,
        "block_length": block_length,
        "steps": blocks * draw(st.integers(1, block_length)),
        "temperature": draw(st.sampled_from((0.0, 0.7, 1.0))),
        "cfg_scale": draw(st.sampled_from((0.0, 0.5))),
        "remasking": draw(st.sampled_from(REMASKING)),
        "threshold": draw(st.sampled_from((None, 0.1, 0.3, 0.9))),
        "constraints": fixed,
        "stop_at_end": draw(st.booleans()),
        "end_rule": draw(st.sampled_from(("free", "last", "forbid"))),
        "seed": draw(st.integers(0, 2**31 - 1)),
    }
    return SamplingOptions(**{**values, **given})


def requests(**given: object) -> st.SearchStrategy[Request]:
    """Any small row."""
    prompts = st.lists(st.integers(0, VOCABULARY - 2), max_size=5)
    return st.builds(request, options(**given), prompts)
