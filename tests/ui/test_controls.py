"""The sampling controls."""

from __future__ import annotations

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.ui.controls import (
    FIELDS,
    PRESETS,
    Controls,
    parse,
    parse_constraints,
    parse_seed,
    preset_options,
    with_new_seed,
)
from llada_demo.ui.words import SENTENCES, TEXTS, Words, say


@pytest.fixture(scope="module")
def controls() -> Controls:
    with gr.Blocks():
        return Controls(Words(), max_length=256)


def values(**changes) -> list:
    data = {
        **preset_options("balanced").to_dict(),
        "threshold": 0.0,
        "constraints": "",
        "seed": "5",
        **changes,
    }
    return [data[name] for name in FIELDS]


def test_every_field_has_a_control_but_the_cache_which_has_one_kind():
    assert set(FIELDS) == set(SamplingOptions.__dataclass_fields__) - {"cache"}


def test_every_control_explains_itself(controls: Controls):
    assert all(component.label and component.info for component in controls.components)


def test_presets_are_valid_and_differ():
    assert len({str(preset_options(name).to_dict()) for name in PRESETS}) == len(PRESETS)


def test_values_become_options_and_zero_threshold_means_none(controls: Controls):
    options = controls.read(values(constraints="0: Tentu\n\n 4 :  saja "))
    assert options.threshold is None
    assert options.seed == 5
    assert options.constraints == {0: "Tentu", 4: "saja"}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 192), st.integers(1, 192), st.integers(1, 192))
def test_any_position_of_the_sliders_is_mended_to_valid_options(controls, gen_length, steps, block_length):
    options, told = controls.mended(values(gen_length=gen_length, steps=steps, block_length=block_length))
    assert options.gen_length == gen_length
    changed = (options.steps, options.block_length) != (steps, block_length)
    assert bool(told) == changed
    assert len(controls.show(options)) == len(controls.components)


def test_an_empty_seed_is_drawn_and_a_wrong_one_refused():
    assert 0 <= parse_seed(" ") < 2**31
    assert parse_seed("42") == 42
    for wrong in ("-1", "1.5", "x", "٣"):
        with pytest.raises(UserError):
            parse_seed(wrong)


@pytest.mark.parametrize("text", ["Tentu", "x: y", "0:", "-1: kata", ": kata"])
def test_a_line_that_is_no_constraint_is_named(text: str):
    with pytest.raises(UserError) as caught:
        parse_constraints(text)
    assert repr(text) in str(caught.value)


def test_a_new_seed_changes_nothing_else():
    options = preset_options("fast")
    other = with_new_seed(options)
    assert {**other.to_dict(), "seed": 0} == {**options.to_dict(), "seed": 0}


def test_parse_names_every_field():
    assert set(parse(values())) == set(FIELDS)


def test_every_word_stands_in_both_languages():
    for pair in [*TEXTS.values(), *SENTENCES.values()]:
        assert len(pair) == 2
        assert all(text.strip() for text in pair)


def test_both_languages_of_a_sentence_take_the_same_values():
    import string

    for pair in SENTENCES.values():
        fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in pair]
        assert fields[0] == fields[1]
    assert "7" in say("failed", "en", id="7")
