"""The charts say what the trace says."""

from __future__ import annotations

import pytest

from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Trace
from llada_demo.engine import Engine
from llada_demo.ui.charts import confidence, order, progress


@pytest.fixture(scope="module")
def trace(engine: Engine) -> Trace:
    options = SamplingOptions(gen_length=16, steps=8, block_length=8, end_rule="forbid")
    return engine.trace([{"role": "user", "content": "Apa itu awan?"}], options)


def test_masks_fall_to_none_and_forwards_are_counted(trace: Trace) -> None:
    masks, forwards = progress(trace, "id").data
    assert list(masks.y) == [16, 14, 12, 10, 8, 6, 4, 2, 0]
    assert list(forwards.y) == list(range(9))


def test_every_position_stands_at_its_step(trace: Trace) -> None:
    (dots,) = order(trace, "en").data
    where = dict(zip(dots.x, dots.y, strict=True))
    assert sorted(where) == list(range(16))
    assert all(where[at] == number for number, step in enumerate(trace.steps, 1) for at in step.positions)


def test_the_map_is_empty_where_nothing_was_asked(trace: Trace) -> None:
    (picture,) = confidence(trace, "id").data
    for row, step in zip(picture.z, trace.steps, strict=True):
        asked = {at for at, _ in step.candidates}
        assert {at for at, value in enumerate(row) if value is not None} == asked
