"""What a comparison costs is measured on the real one, and its panes are the single runs; no time is asserted."""

from __future__ import annotations

import pytest

from llada_demo.bench.panes import panes
from llada_demo.bench.table import columns
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings


def test_panes_in_float32_are_the_single_runs() -> None:
    options = SamplingOptions(gen_length=8, steps=4, block_length=8, threshold=0.9)
    rows = panes(Settings(dtype="bfloat16", device="cpu"), "Halo!", options, repeats=1)
    assert [row["dtype"] for row in rows] == ["float32", "bfloat16"]
    assert rows[0]["tokens_identical"]
    assert rows[0]["answers_differ"] > 1
    for row in rows:
        assert row["panes"] == 4
        assert row["panes_seconds"] > 0
        assert row["panes/mean_single"] * row["singles/panes"] == pytest.approx(row["panes"], rel=0.01)
    assert len(list(columns(rows))) == 3
