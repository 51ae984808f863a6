"""A comparison as a page: every pane is there, marked, and nothing in it can leave its place."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from llada_demo.bench.panes import made_up_adapter
from llada_demo.core.comparison import ComparisonRecord
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from llada_demo.export.comparison import comparison_page, pane_film
from llada_demo.export.film import film


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> ComparisonRecord:
    engine = Engine.load(Settings(dtype="float32", device="cpu"))
    engine.shelf.add(made_up_adapter(engine.model, tmp_path_factory.mktemp("a") / "gaya", 8, size=0.05))
    options = SamplingOptions(gen_length=16, steps=8, block_length=8, constraints={5: "laut"})
    comparison = engine.compare([{"role": "user", "content": "Apa itu ombak?"}], options, ["gaya", "gaya:0"], 2)
    for _ in comparison:
        pass
    return comparison.record()


def films(page: str) -> list[dict[str, Any]]:
    return json.loads(re.search(r'id="film">(.*?)</script>', page, re.S)[1])


def test_every_pane_is_its_traces_film_with_what_is_told_of_it(record: ComparisonRecord) -> None:
    shown = films(comparison_page(record))
    for pane, shot in zip(record.panes, shown, strict=True):
        plain = film(pane.trace, title=pane.adapter or "", recorded=True)
        assert (shot["frames"], shot["end"]) == (plain["frames"], plain["end"])
        assert shot["head"].items() >= plain["head"].items()
        assert shot["head"]["figures"] == pane.figures
    base, gaya, same = (shot["head"] for shot in shown)
    assert base["base"]
    assert "diverges" not in base
    where = record.panes[1].divergence
    assert where
    assert gaya["diverges"] == {"step": where.step, "at": where.position}
    assert same["diverges"] is None


def test_a_page_needs_nothing_else(record: ComparisonRecord) -> None:
    page = comparison_page(record)
    assert not re.search(r"(?:src|href)\s*=|https?://(?!www\.w3\.org)", page)
    assert "%%" not in page


def test_names_and_texts_cannot_leave_the_data(record: ComparisonRecord) -> None:
    text = "</script><script>alert(1)</script><!-- %%STYLE%%"
    base, gaya, same = record.panes
    trace = dataclasses.replace(gaya.trace, answer=tuple((token, text) for token, _ in gaya.trace.answer))
    hostile = dataclasses.replace(gaya, adapter=text, trace=trace)
    page = comparison_page(dataclasses.replace(record, panes=(base, hostile, same)))
    assert "<script>alert" not in page
    shot = films(page)[1]
    assert shot == json.loads(json.dumps(pane_film(hostile)))
    assert (shot["head"]["title"], shot["end"]["cells"][0]) == (text, text)


def test_a_page_can_be_written_from_a_saved_comparison(record: ComparisonRecord) -> None:
    again = ComparisonRecord.from_dict(json.loads(record.to_json()))
    assert comparison_page(again) == comparison_page(record)
