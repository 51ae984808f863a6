"""SamplingOptions refuse nonsense at birth, and say what would be right."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llada_demo.core.errors import OptionsError
from llada_demo.core.options import (
    CACHES,
    END_RULES,
    MAX_CONSTRAINTS,
    REMASKING,
    SamplingOptions,
    allowed_steps,
    default,
    divisors,
    nearest_valid,
    spec,
)

NAMES = [field.name for field in dataclasses.fields(SamplingOptions)]
NUMBERS = [name for name in NAMES if spec(name).kind in (int, float)]
WHOLE = [name for name in NAMES if spec(name).kind is int]
few = settings(max_examples=50, deadline=None)


def refused(**values: Any) -> OptionsError:
    """The error that these values give; it has a sentence in both languages."""
    with pytest.raises(OptionsError) as caught:
        SamplingOptions(**values)
    error = caught.value
    assert error.in_language("id")
    assert error.in_language("en")
    assert error.in_language("id") != error.in_language("en")
    return error


def attempt(values: dict[str, Any]) -> SamplingOptions | OptionsError:
    """The options that these values give, or the error."""
    try:
        return SamplingOptions(**values)
    except OptionsError as error:
        return error


def english(error: OptionsError) -> str:
    return error.in_language("en")


# What is valid


def test_the_defaults_are_valid_and_stand_in_one_place() -> None:
    options = SamplingOptions()
    assert {name: getattr(options, name) for name in NAMES} == {name: default(name) for name in NAMES}


def test_options_are_frozen() -> None:
    for name in NAMES:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(SamplingOptions(), name, default(name))


def test_two_options_do_not_share_their_constraints() -> None:
    given_ = {0: "Tentu"}
    options = SamplingOptions(constraints=given_)
    given_[1] = "saja"
    assert options.constraints == {0: "Tentu"}
    assert SamplingOptions().constraints is not SamplingOptions().constraints


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_explained_in_both_languages(name: str) -> None:
    its = spec(name)
    for words in (its.label, its.help):
        assert len(words) == 2
        assert all(text.strip() for text in words)
    assert its.help[0] != its.help[1]
    assert len(its.unit) == 2
    assert bool(its.unit[0]) == bool(its.unit[1])


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_range_and_a_step_that_its_default_keeps(name: str) -> None:
    its, value = spec(name), default(name)
    assert its.low < its.high
    assert its.step > 0
    assert value is None or its.low <= value <= its.high
    for edge in (its.low, its.high):
        assert _accepts(name, its.kind(edge))


def _accepts(name: str, value: Any) -> bool:
    """Whether one field takes the value, whatever the combination."""
    try:
        SamplingOptions(**{name: value})
    except OptionsError as error:
        return "outside" not in english(error) and "must be a number" not in english(error)
    return True


def test_the_choices_are_the_listed_ones() -> None:
    assert (spec("remasking").choices, spec("end_rule").choices) == (REMASKING, END_RULES)
    assert spec("cache").choices == CACHES
    for name in ("remasking", "end_rule", "cache"):
        for choice in spec(name).choices:
            assert getattr(SamplingOptions(**{name: choice}), name) == choice


def test_numbers_take_the_type_of_their_field() -> None:
    options = SamplingOptions(gen_length=32.0, steps=16.0, temperature=1, threshold=1)
    assert type(options.gen_length) is int
    assert type(options.temperature) is float
    assert type(options.threshold) is float
    assert options.blocks == 2


def test_a_worked_example_of_what_fits() -> None:
    assert divisors(12) == [1, 2, 3, 4, 6, 12]
    assert allowed_steps(12, 4) == [3, 6, 9, 12]
    for steps in range(1, 13):
        if steps in (3, 6, 9, 12):
            assert SamplingOptions(gen_length=12, block_length=4, steps=steps).steps == steps
        else:
            assert "multiple of the number of blocks" in english(refused(gen_length=12, block_length=4, steps=steps))


# What is refused, and what is offered instead


@pytest.mark.parametrize(
    ("values", "said", "nearest"),
    [
        (
            {"gen_length": 60},
            ("gen_length (60)", "multiple", "block_length (16)", "15"),
            {"block_length": 15},
        ),
        (
            {"gen_length": 64, "block_length": 24},
            ("(64)", "(24)", "32"),
            {"block_length": 32},
        ),  # 16 is as near
        ({"steps": 30}, ("steps (30)", "number of blocks (4)", "32"), {"steps": 32}),  # 28 is as near
        ({"steps": 65}, ("steps (65)", "gen_length (64)", "64"), {"steps": 64}),
        ({"steps": 1}, ("steps (1)", "number of blocks (4)"), {"steps": 4}),
        ({"gen_length": 0}, ("gen_length = 0", "1 to 1024"), {"gen_length": 1}),
        ({"gen_length": 5000}, ("gen_length = 5000", "1 to 1024"), {"gen_length": 1024}),
        ({"temperature": -0.1}, ("temperature = -0.1", "0 to 2"), {"temperature": 0.0}),
        ({"temperature": 9}, ("temperature = 9", "0 to 2"), {"temperature": 2.0}),
        ({"cfg_scale": 5}, ("cfg_scale = 5", "0 to 4"), {"cfg_scale": 4.0}),
        ({"threshold": 1.5}, ("threshold = 1.5", "0.05 to 1"), {"threshold": 1.0}),
        ({"threshold": 0}, ("threshold = 0", "0.05 to 1"), {"threshold": 0.05}),
        ({"seed": -1}, ("seed = -1",), {"seed": 0}),
        ({"steps": 63.6}, ("steps", "whole number", "63.6"), {"steps": 64}),
        ({"constraints": {70: "akhir"}}, ("position 70", "gen_length 64", "0 to 63"), {"gen_length": 80}),
    ],
)
def test_each_rule_names_the_value_and_the_nearest_valid_one(
    values: dict[str, Any], said: tuple[str, ...], nearest: dict[str, Any]
) -> None:
    error = refused(**values)
    for part in said:
        assert part in english(error)
    assert error.nearest == nearest


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"remasking": "best"}, ("remasking", "'best'", *REMASKING)),
        ({"end_rule": None}, ("end_rule", "None", *END_RULES)),
        ({"cache": "dual"}, ("cache", "'dual'", *CACHES)),
        ({"stop_at_end": 1}, ("stop_at_end", "true or false", "1")),
        ({"stop_at_end": "true"}, ("stop_at_end", "true or false", "'true'")),
    ],
)
def test_what_has_no_neighbours_is_refused_with_what_exists(values: dict[str, Any], said: tuple[str, ...]) -> None:
    error = refused(**values)
    for part in said:
        assert part in english(error)
    assert not error.nearest


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, False, "12", "", [], {}, 1j], ids=repr)
def test_what_is_no_number_is_refused(name: str, value: Any) -> None:
    assert f"{name} must be a number" in english(refused(**{name: value}))


@pytest.mark.parametrize("name", [name for name in NUMBERS if not spec(name).optional])
def test_only_an_optional_number_may_be_none(name: str) -> None:
    assert f"{name} must be a number, not None" in english(refused(**{name: None}))
    assert SamplingOptions(threshold=None).threshold is None


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [10**18, -(10**18), 10**400, -(10**400), 10**6000, 1e308],
    ids=["large", "small", "beyond float", "below float", "beyond printing", "large float"],
)
def test_huge_numbers_are_refused_with_the_edge_of_the_range(name: str, value: float) -> None:
    error = refused(**{name: value})
    assert f"{name} = " in english(error)
    assert error.nearest == {name: spec(name).high if value > 0 else spec(name).low}
    assert len(english(error)) < 200


# The nearest valid options


@few
@given(
    st.fixed_dictionaries(
        {
            "gen_length": st.integers(-5, 2000),
            "block_length": st.integers(-5, 2000),
            "steps": st.integers(-5, 2000),
        },
        optional={
            "temperature": st.floats(-1, 5),
            "cfg_scale": st.floats(-1, 9),
            "threshold": st.none() | st.floats(-1, 2),
            "seed": st.integers(),
            "constraints": st.dictionaries(st.integers(0, 2000), st.just("kata"), max_size=3),
        },
    )
)
def test_the_nearest_options_are_valid_or_the_last_rule_is_told(values: dict[str, Any]) -> None:
    beyond = [at for at in values.get("constraints", {}) if at >= spec("gen_length").high]
    if beyond:  # such a word fits no answer
        with pytest.raises(OptionsError, match=r"Constraint position|multiple|outside"):
            nearest_valid(values)
        return
    options, told = nearest_valid(values)
    assert options == SamplingOptions.from_dict(options.to_dict())
    first = attempt(values)
    if isinstance(first, OptionsError):
        assert first.nearest == told[0].nearest
    else:
        assert first == options
        assert not told
    assert all(error.nearest for error in told)


@few
@given(st.integers(1, 128), st.integers(1, 128))
def test_one_rule_broken_is_mended_by_what_the_error_offers(length: int, block: int) -> None:
    values = {"gen_length": length, "block_length": block, "steps": length}
    error = attempt(values)
    if isinstance(error, OptionsError):
        assert list(error.nearest) == ["block_length"]
        near = SamplingOptions(**{**values, **error.nearest}).block_length
        assert all(abs(near - block) <= abs(other - block) for other in divisors(length))
    else:
        assert length % block == 0


def test_a_word_beyond_the_answer_lengthens_it_by_whole_blocks() -> None:
    options, _ = nearest_valid({"constraints": {70: "akhir"}})
    assert (options.gen_length, options.block_length, options.steps) == (80, 16, 65)


def test_a_word_beyond_the_longest_answer_has_no_nearest() -> None:
    assert not refused(constraints={1024: "akhir"}).nearest
    with pytest.raises(OptionsError, match="Constraint position 1024"):
        nearest_valid({"constraints": {1024: "akhir"}})


def test_valid_options_are_left_as_they_are() -> None:
    data = {"gen_length": 32, "steps": 8, "block_length": 8, "seed": 5}
    assert nearest_valid(data) == (SamplingOptions(**data), [])


@pytest.mark.parametrize("data", [{"speed": 1}, {"remasking": "best"}, {"seed": "1"}, {"constraints": []}])
def test_what_cannot_be_mended_is_told(data: dict[str, Any]) -> None:
    with pytest.raises(OptionsError):
        nearest_valid(data)


# Constraints


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({}, {}),
        ({"0": "Tentu"}, {0: "Tentu"}),
        ({3: "b", 1: " a "}, {1: " a ", 3: "b"}),  # sorted; spaces are part of a word
        ({2.0: "x"}, {2: "x"}),
        ({"5": [7, 8]}, {5: (7, 8)}),
        ({5: (7,)}, {5: (7,)}),
    ],
)
def test_constraints_are_read_from_json_and_python(given_: dict[Any, Any], expected: dict[int, Any]) -> None:
    constraints = SamplingOptions(constraints=given_).constraints
    assert constraints == expected
    assert list(constraints) == sorted(constraints)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "0: Tentu",
        ["Tentu"],
        {"a": "x"},
        {"": "x"},
        {None: "x"},
        {-1: "x"},
        {"-1": "x"},
        {1.5: "x"},
        {"1.5": "x"},
        {True: "x"},
        {math.nan: "x"},
        {math.inf: "x"},
        {10**400: "x"},
        {"9" * 400: "x"},
        {"9" * 5000: "x"},
        {0: ""},
        {0: "  "},
        {0: None},
        {0: 7},
        {0: []},
        {0: [-1]},
        {0: [1.0]},
        {0: [True]},
        {0: ["7"]},
    ],
    ids=lambda wrong: repr(wrong)[:20],
)
def test_constraints_of_another_form_are_refused(wrong: Any) -> None:
    assert "{position: word}" in english(refused(constraints=wrong))


def test_too_many_constraints_are_refused() -> None:
    most = dict.fromkeys(range(MAX_CONSTRAINTS), "x")
    assert len(SamplingOptions(constraints=most).constraints) == MAX_CONSTRAINTS
    error = refused(gen_length=128, constraints={**most, 99: "x"})
    assert f"At most {MAX_CONSTRAINTS}" in english(error)
    assert "65" in english(error)


# JSON


@few
@given(
    st.integers(1, 16),
    st.integers(1, 8),
    st.data(),
)
def test_options_survive_json(block_length: int, blocks: int, data: st.DataObject) -> None:
    length = block_length * blocks
    words = st.text(min_size=1).filter(str.strip) | st.lists(st.integers(0, 10**6), min_size=1, max_size=3)
    options = SamplingOptions(
        gen_length=length,
        block_length=block_length,
        steps=blocks * data.draw(st.integers(1, block_length)),
        temperature=data.draw(st.floats(0, 2)),
        cfg_scale=data.draw(st.floats(0, 4)),
        remasking=data.draw(st.sampled_from(REMASKING)),
        threshold=data.draw(st.none() | st.floats(0.05, 1)),
        constraints=data.draw(st.dictionaries(st.integers(0, length - 1), words, max_size=4)),
        stop_at_end=data.draw(st.booleans()),
        end_rule=data.draw(st.sampled_from(END_RULES)),
        seed=data.draw(st.integers(0, 2**31 - 1)),
    )
    assert SamplingOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_json_holds_every_field_and_nothing_else() -> None:
    assert list(SamplingOptions().to_dict()) == NAMES


@pytest.mark.parametrize("data", [{"speed": 9}, {"seed": 1, "Seed": 2}, {"": 1}, {"self": 1}])
def test_an_unknown_name_is_refused_with_the_known_ones(data: dict[str, Any]) -> None:
    with pytest.raises(OptionsError, match="Unknown option") as caught:
        SamplingOptions.from_dict(data)
    assert all(name in english(caught.value) for name in NAMES)


@pytest.mark.parametrize("data", [[], "seed", None, 3])
def test_options_must_be_an_object(data: Any) -> None:
    with pytest.raises(OptionsError, match="JSON object"):
        SamplingOptions.from_dict(data)
