"""Going on from the middle of a recorded run: what a person changed, and how many steps are left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Step, Trace
from llada_demo.diffusion.loop import Begun
from llada_demo.diffusion.schedule import commits_per_step


def by_hand(trace: Trace, step: int, edits: Mapping[int, int | None]) -> Step:
    """The edits as a step of their own, behind `step` steps of the trace. None masks a position again."""
    before = trace.answer_at(step)
    written = {at: token for at, token in sorted(edits.items()) if token is not None}
    masked = tuple(sorted(at for at, token in edits.items() if token is None and at not in trace.fixed))
    after = [None if at in masked else written.get(at, token) for at, token in enumerate(before)]
    return Step(
        index=step,
        block=min(edits) // trace.options.block_length,
        positions=tuple(written),
        tokens=tuple(written.values()),
        confidences=(1.0,) * len(written),
        masks_left=after.count(None),
        forwards=trace.steps[step - 1].forwards if step else 0,
        by_hand=True,
        masked=masked,
    )


def begun(options: SamplingOptions, earlier: Sequence[Step], state: Sequence[int | None]) -> Begun:
    """How far an answer is.

    Where nothing was changed by hand, the schedule of the first block with masks goes on. Otherwise its masks are
    spread over the steps that it has left; a block that was complete and has masks again gets a step for each of
    them, at most its own number.
    """
    made = [step for step in earlier if not step.by_hand]
    length, share = options.block_length, options.steps // options.blocks
    block = next((at // length for at, token in enumerate(state) if token is None), options.blocks)
    masks = sum(token is None for token in state[block * length : (block + 1) * length])
    here = [step for step in made if step.block == block]
    left = share - len(here)
    if len(made) == len(earlier):
        whole = commits_per_step(masks + sum(len(step.positions) for step in here), share)
        counts = whole[min(len(here), len(whole) - 1) :]
    else:
        counts = commits_per_step(masks, left if left > 0 else max(1, min(masks, share)))
    return Begun(
        committed={at: token for at, token in enumerate(state) if token is not None},
        step=len(made),
        forwards=made[-1].forwards if made else 0,
        counts=counts,
    )
