"""The pairs that are compared are valid for every preset."""

from __future__ import annotations

import pytest

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.ui.controls import PRESETS, preset_options
from llada_demo.ui.side_by_side import PAIRS, changed


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", PAIRS)
def test_every_pair_fits_every_preset_and_its_sides_differ(preset: str, name: str) -> None:
    left, right = (changed(preset_options(preset), side) for side in (PAIRS[name].left, PAIRS[name].right))
    assert left != right
    assert left.seed == right.seed


def test_left_to_right_is_a_block_for_each_token() -> None:
    assert changed(SamplingOptions(), PAIRS["order"].left).blocks == 64
    assert changed(SamplingOptions(), PAIRS["order"].right).blocks == 1


def test_an_answer_that_is_too_short_is_refused() -> None:
    with pytest.raises(UserError, match="at least 8"):
        changed(SamplingOptions(gen_length=4, steps=4, block_length=4), PAIRS["steps"].left)
