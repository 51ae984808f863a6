"""The attention tab's handlers: what the browser sends is checked, and what cannot be read changes nothing."""

from __future__ import annotations

import json

import gradio as gr
import pytest

from llada_demo.engine import Engine
from llada_demo.ui.attention import GAP, NOTHING, AttentionTab, read_examples

TEXT = "Ani pergi ke pasar."


@pytest.fixture(scope="module")
def tab(engine: Engine) -> AttentionTab:
    return AttentionTab(engine)


def ask(tab: AttentionTab, **want: object) -> dict:
    return json.loads(tab.ask(json.dumps({"text": TEXT, "unit": "words", **want}), None, "id"))


def test_every_example_has_its_word_and_its_gaps(tab: AttentionTab) -> None:
    for name, example in read_examples().items():
        _, trace, told = tab.example(name, "id")
        data = json.loads(told)
        assert trace is None
        assert data["record"]["words"][data["word"]].strip() == example.word
        assert all(gap.count(GAP) == 1 for gap in example.gaps)
        assert bool(example.gaps) == bool(example.watch)
        guesses = json.loads(tab.ask(json.dumps({**data["source"], "want": "guess", "word": data["word"]}), None, "id"))
        assert len(guesses["guesses"]) == 2 * (len(example.gaps) or 1)
        assert all(guess["text"].count("____") == 1 for guess in guesses["guesses"])


def test_each_want_is_answered_with_what_it_asks_for(tab: AttentionTab) -> None:
    assert set(ask(tab, want="layer", layer=1)["heads"]) == {"full", "causal"}
    assert len(ask(tab, want="rank", query=4, key=1)["ranks"]) == 20
    assert len(ask(tab, want="read", unit="tokens")["record"]["words"]) >= 6
    assert "<html" in ask(tab, want="page", locked=[1])["page"]


@pytest.mark.parametrize(
    "message",
    [
        "", "null", "[]", "{", '{"want":"read"}', '{"want":"dance","unit":"words"}', '{"want":"read","unit":"letters"}',
        '{"want":"layer","unit":"words","text":"Halo"}', '{"want":"layer","unit":"words","text":"Halo","layer":"2"}',
        '{"want":"layer","unit":"words","text":"Halo","layer":99}', '{"want":"read","unit":"words","trace":true}',
        '{"want":"guess","unit":"words","text":"Ya","word":7}', '{"want":"read","unit":"words","trace":true,"step":1}',
        '{"want":"rank","unit":"words","text":"Halo","query":-1,"key":0}', '{"want":"read","unit":"words","text":""}',
        '{"want":"page","unit":"words","text":"Halo","locked":["x"]}', '{"x":1,"want":"read","unit":"words"}',
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_refused_in_a_sentence(
    tab: AttentionTab, warnings: list[str], message: str
) -> None:
    assert json.loads(tab.ask(message, None, "en"))["failed"]
    assert len(warnings) == 1


def test_nothing_to_show_is_told_and_changes_nothing(tab: AttentionTab, warnings: list[str]) -> None:
    for view in (tab.write("", "id"), tab.from_board(None, "id"), tab.from_chat([], "id"), tab.open("{}", "id")):
        assert view == NOTHING
    assert len(warnings) == 4
    assert tab.open("", "id") == NOTHING  # no file was chosen
    assert tab.example("no such", "id") == NOTHING
    assert len(warnings) == 4


def test_the_endpoint_gives_rows_that_sum_to_one(tab: AttentionTab) -> None:
    for mask, layer, head in (("full", "mean", "mean"), ("causal", "2", "3"), ("causal", "rollout", "mean")):
        found = tab.api_attention(TEXT, mask, layer, head)
        assert len(found["attention"]) == len(found["words"])
        assert all(sum(row) == pytest.approx(1, abs=1e-4) for row in found["attention"])
        assert (found["ahead"] == 0) == (mask == "causal")
    peaks = tab.api_attention(TEXT, layer="1", head="max")["attention"]
    assert all(sum(row) >= 1 - 1e-4 for row in peaks)


@pytest.mark.parametrize(
    "asked", [("both", "1", "1"), ("full", "0", "mean"), ("full", "99", "mean"), ("full", "1", "99"),
              ("full", "mean", "1"), ("full", "-1", "mean"), ("full", "satu", "mean")],
)  # fmt: skip
def test_the_endpoint_refuses_what_is_not_there(tab: AttentionTab, asked: tuple[str, str, str]) -> None:
    with pytest.raises(gr.Error):
        tab.api_attention(TEXT, *asked)
