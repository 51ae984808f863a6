"""The help counts right, names its sources, and says the same in both languages."""

from __future__ import annotations

import json

import gradio as gr
import pytest

from llada_demo.core.settings import EMBEDDED
from llada_demo.ui.lora_help import AFTER, LAYERS, build_lora_help, counts, metrics, number
from llada_demo.ui.metric_words import SEES
from llada_demo.ui.words import Words


def test_an_adapter_has_a_column_and_a_row_for_each_rank() -> None:
    lines = counts("en").splitlines()
    assert "**8** numbers instead of 16 (50 %)" in lines[0]
    assert "**4,096** numbers instead of 65,536 (6.25 %)" in lines[1]
    assert "**131,072** numbers instead of 16,777,216 (0.781 %)" in lines[2]
    assert "**131.072** angka, bukan 16.777.216 (0,781 %)" in counts("id")


def test_the_small_layer_is_that_of_the_embedded_model() -> None:
    width = json.loads((EMBEDDED / "config.json").read_text(encoding="utf-8"))["d_model"]
    assert LAYERS[1][1:3] == (width, width)


@pytest.mark.parametrize("language", [0, 1])
def test_each_method_names_its_paper(language: int) -> None:
    for paper in ("2106.09685", "2402.12354", "2404.02948"):
        assert f"https://arxiv.org/abs/{paper}" in AFTER[language]


@pytest.mark.parametrize("language", ["id", "en"])
def test_each_kind_of_metric_has_a_line(language: str) -> None:
    lines = [line for line in metrics(language).splitlines() if line.startswith("- ")]
    assert len(lines) == len(SEES)
    assert ("0,49" if language == "id" else "0.49") in "".join(lines)


def test_numbers_are_written_as_the_language_writes_them() -> None:
    assert (number(16777216, "id"), number(16777216, "en")) == ("16.777.216", "16,777,216")


def test_every_word_follows_the_language() -> None:
    words = Words()
    with gr.Blocks():
        build_lora_help(words)
    indonesian, english = words.updates("id"), words.updates("en")
    assert len(indonesian) == 6
    assert all(one != other for one, other in zip(indonesian, english, strict=True))
