"""A comparison is a public file format: it survives JSON, and a hostile file is refused with a sentence."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from llada_demo.core.comparison import (
    LONGEST_COMPARISON,
    ComparisonRecord,
    Divergence,
    Pane,
    divergence_of,
    parted,
    read_comparison,
)
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.text import word_difference
from llada_demo.core.trace import Step, Trace
from llada_demo.diffusion import Ask, Request, Tokens, denoise

TOKENS = Tokens(mask=39, eos=38, ends=(38,))
OPTIONS = SamplingOptions(gen_length=16, steps=8, block_length=8, stop_at_end=False)
FIGURES = {
    "forwards": 8,
    "seconds": 1.5,
    "tokens": 16,
    "confidence": 0.5,
    "nats_under_base": None,
    "repeated_3": 0,
    "ended": False,
}


def trace_of(adapter: str | None, seed: int) -> Trace:
    """A run of the loop on logits that the seed decides; seeds 1 and 2 part late."""

    def predict(asks: Sequence[Ask]) -> list[Tensor]:
        masks = int((asks[0].ids == TOKENS.mask).sum())
        generator = torch.Generator().manual_seed(masks if masks > 8 else seed)
        return [torch.randn(len(ask.positions), 40, generator=generator) for ask in asks]

    steps = tuple(s for (s,) in denoise(predict, [Request(torch.tensor([1, 2]), OPTIONS)], TOKENS, 2) if s)
    written = {at: token for step in steps for at, token in zip(step.positions, step.tokens, strict=True)}
    cells = tuple((written[at], f" kata{written[at]} 😀") for at in range(16))
    return Trace(OPTIONS, ((1, "Halo"), (2, "!")), cells, {}, steps, TOKENS.eos, {"adapter": adapter})


def pane_of(trace: Trace, base: Trace) -> Pane:
    texts = ["".join(text for _, text in one.answer).strip() for one in (base, trace)]
    return Pane(
        trace.about["adapter"],
        texts[1],
        word_difference(*texts)[1],
        divergence_of(base.steps, trace.steps),
        FIGURES,
        trace,
    )


@pytest.fixture(scope="module")
def record() -> ComparisonRecord:
    base, twin, other = (trace_of(name, seed) for name, seed in ((None, 1), ("kembar", 1), ("gaya:0.8", 2)))
    return ComparisonRecord("Halo!", "Kamu ramah.", tuple(pane_of(trace, base) for trace in (base, twin, other)))


@pytest.fixture
def data(record: ComparisonRecord) -> dict[str, Any]:
    """The file's content, to damage."""
    return copy.deepcopy(record.to_dict())


def test_a_comparison_survives_json(record: ComparisonRecord) -> None:
    text = record.to_json()
    assert read_comparison(text) == record
    assert "\n" not in text
    assert json.loads(text)["format"] == "llada-indonesia-comparison"


def test_a_pane_parts_where_its_traces_part(record: ComparisonRecord) -> None:
    base, twin, other = record.panes
    assert base.divergence is None
    assert twin.divergence is None
    assert other.divergence is not None
    assert other.divergence.step == 4  # the first step of the second block
    assert other.trace.answer_at(4) == base.trace.answer_at(4)
    assert other.trace.answer_at(5) != base.trace.answer_at(5)


def step(*written: tuple[int, int]) -> Step:
    return Step(0, 0, tuple(at for at, _ in written), tuple(token for _, token in written), (0.5,) * len(written), 0, 0)


@pytest.mark.parametrize(
    ("base", "other", "position"),
    [
        (step((3, 7)), step((3, 7)), None),
        (step((3, 7)), step((3, 8)), 3),  # another token
        (step((3, 7)), step((5, 7)), 5),  # another position: where the other wrote
        (step((3, 7), (5, 7)), step((3, 7)), 5),  # the base wrote more
        (step((3, 7)), None, 3),  # the other is done
        (None, step((2, 1)), 2),
        (None, None, None),
    ],
)
def test_where_two_steps_part(base: Step | None, other: Step | None, position: int | None) -> None:
    assert parted(base, other) == position


COMMITS = st.dictionaries(st.integers(0, 5), st.integers(0, 2), min_size=1, max_size=3)
STEPS = st.lists(COMMITS.map(lambda written: step(*written.items())), max_size=4)


@given(STEPS, STEPS)
def test_before_the_divergence_all_is_equal_and_there_it_is_not(base: list[Step], other: list[Step]) -> None:
    found = divergence_of(base, other)
    ours, theirs = ([dict(zip(s.positions, s.tokens, strict=True)) for s in steps] for steps in (base, other))
    if found is None:
        assert ours == theirs
        return
    assert ours[: found.step] == theirs[: found.step]
    before, after = ((steps[found.step :] or [{}])[0].get(found.position) for steps in (ours, theirs))
    assert before != after


# Files that are no comparison


@pytest.mark.parametrize("change", [{"schema": 2}, {"schema": None}, {"format": "other"}, {"format": [1]}])
def test_another_format_or_schema_is_refused(data: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="no comparison"):
        read_comparison(json.dumps(data | change))


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '"x"'])
def test_what_is_no_comparison_at_all_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="no comparison"):
        read_comparison(text)


@pytest.mark.parametrize("name", ["question", "system_prompt", "panes"])
def test_a_missing_part_is_refused_by_name(data: dict[str, Any], name: str) -> None:
    del data[name]
    with pytest.raises(UserError, match=f"damaged.*{name}"):
        read_comparison(json.dumps(data))


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Pane)])
def test_a_missing_part_of_a_pane_is_refused_by_name(data: dict[str, Any], name: str) -> None:
    del data["panes"][1][name]
    with pytest.raises(UserError, match=f"damaged.*{name}"):
        read_comparison(json.dumps(data))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("question",), 3),
        (("system_prompt",), None),
        (("panes",), {}),
        (("panes",), []),
        (("panes", 1), "x"),
        (("panes", 0, "adapter"), "kembar"),
        (("panes", 1, "adapter"), None),
        (("panes", 1, "adapter"), ""),
        (("panes", 1, "adapter"), ["kembar"]),
        (("panes", 1, "text"), "lain"),
        (("panes", 1, "pieces"), None),
        (("panes", 1, "pieces"), [["x"]]),
        (("panes", 1, "pieces", 0, 1), 0),
        (("panes", 1, "pieces", 0, 0), 5),
        (("panes", 1, "divergence"), {"step": 0, "position": 0}),
        (("panes", 2, "divergence"), None),
        (("panes", 2, "divergence"), {"step": 4}),
        (("panes", 2, "divergence"), {"step": 4.0, "position": 8}),
        (("panes", 2, "divergence"), [4, 8]),
        (("panes", 1, "figures"), []),
        (("panes", 1, "figures", "forwards"), True),
        (("panes", 1, "figures", "forwards"), -1),
        (("panes", 1, "figures", "seconds"), None),
        (("panes", 1, "figures", "seconds"), float("nan")),
        (("panes", 1, "figures", "confidence"), 1.5),
        (("panes", 1, "figures", "nats_under_base"), float("inf")),
        (("panes", 1, "figures", "nats_under_base"), "2"),
        (("panes", 1, "figures", "ended"), 1),
        (("panes", 1, "trace"), None),
        (("panes", 1, "trace", "steps", 0, "confidences"), [float("nan")]),
        (("panes", 1, "trace", "steps", 0, "positions"), [99, 100]),
        (("panes", 1, "trace", "options", "seed"), 9),
        (("panes", 1, "trace", "prompt"), [[1, "Hai"]]),
    ],
    ids=str,
)
def test_a_damaged_value_is_refused_when_the_file_is_read(
    data: dict[str, Any], path: tuple[Any, ...], value: Any
) -> None:
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UserError) as caught:
        read_comparison(json.dumps(data))
    assert caught.value.in_language("id") != caught.value.in_language("en")


@pytest.mark.parametrize(("count", "says"), [(1, "1 panes"), (5, "5 panes")])
def test_too_few_and_too_many_panes_are_refused(data: dict[str, Any], count: int, says: str) -> None:
    data["panes"] = (2 * data["panes"])[:count]
    with pytest.raises(UserError, match=says):
        read_comparison(json.dumps(data))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (" " * (LONGEST_COMPARISON + 1), "too big"),
        ("[" * 100_000, "no JSON"),
        ('{"format"', "no JSON"),
        ('{"question":"\\ud800"}', "no JSON"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_comparison(text)


def test_a_divergence_reads_as_step_and_position() -> None:
    assert Divergence(4, 8) == (4, 8)
