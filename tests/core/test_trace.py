"""A trace is a public file format: it survives JSON, replays without a model, and refuses what is damaged."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import LONGEST_FILE, SCHEMA, Candidate, Step, Trace, apply, blank, read_trace
from llada_demo.diffusion import Ask, Request, Tokens, denoise

TOKENS = Tokens(mask=39, eos=38, ends=(38,))
OPTIONS = SamplingOptions(
    gen_length=24, steps=18, block_length=8, temperature=1.0, cfg_scale=0.5, constraints={3: (7,)}, seed=2
)


def predict(asks: Sequence[Ask]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(int(asks[0].ids.sum()))
    return [torch.randn(len(ask.positions), 40, generator=generator) for ask in asks]


def record(options: SamplingOptions = OPTIONS) -> tuple[Trace, list[list[int]]]:
    """A run of the loop as a trace, and the canvas's answer as the model saw it before every step."""
    fixed, seen = {at: ids[0] for at, ids in options.constraints.items()}, []

    def watched(asks: Sequence[Ask]) -> list[Tensor]:
        seen.append(asks[0].ids[2:].tolist())
        return predict(asks)

    steps = tuple(s[0] for s in denoise(watched, [Request(torch.tensor([1, 2]), options, fixed)], TOKENS, 3))
    answer = blank(options, fixed)
    for step in steps:
        answer = apply(answer, step, TOKENS.eos)
    cells = tuple((int(token), f"kata {token} é🙂<b>") for token in answer)
    about = {"model": "small", "sha256": "00", "adapter": None, "scale": 1.0, "versions": {"torch": "2"}}
    return Trace(options, ((1, "Halo"), (2, " dunia")), cells, fixed, steps, TOKENS.eos, about), seen


@pytest.fixture(scope="module")
def trace() -> Trace:
    return record()[0]


@pytest.fixture
def data(trace: Trace) -> dict[str, Any]:
    """The file's content, to damage."""
    return copy.deepcopy(trace.to_dict())


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        SamplingOptions(gen_length=8, steps=8, block_length=8, stop_at_end=False),
        SamplingOptions(steps=4),
    ],
    ids=["guided", "one block", "few steps"],
)
def test_a_run_survives_json(options: SamplingOptions) -> None:
    trace, _ = record(options)
    assert trace.steps
    assert all(step.candidates for step in trace.steps)
    again = Trace.from_dict(json.loads(trace.to_json()))
    assert again == trace
    assert again.to_json() == trace.to_json()


def test_the_file_is_one_line_of_plain_json_with_its_schema(trace: Trace) -> None:
    text = trace.to_json()
    assert "\n" not in text
    assert json.loads(text)["schema"] == SCHEMA
    assert "🙂" in text
    json.dumps(json.loads(text), allow_nan=False)


@pytest.mark.parametrize("stop_at_end", [True, False])
def test_answer_at_is_the_canvas_of_the_loop_at_every_step(stop_at_end: bool) -> None:
    trace, seen = record(SamplingOptions(gen_length=24, steps=24, block_length=8, stop_at_end=stop_at_end, seed=4))
    assert len(seen) == len(trace.steps)
    for n, ids in enumerate(seen):
        assert [None if token == TOKENS.mask else token for token in ids] == trace.answer_at(n)
    assert trace.answer_at(len(seen)) == [token for token, _ in trace.answer]
    assert trace.answer_at(len(seen) + 5) == trace.answer_at(len(seen))


def test_before_the_first_step_only_the_fixed_tokens_stand(trace: Trace) -> None:
    assert trace.answer_at(0) == [None, None, None, 7] + [None] * 20


def test_a_step_worked_by_hand() -> None:
    step = Step(0, 0, positions=(1,), tokens=(5,), confidences=(0.5,), masks_left=0, forwards=1, unasked=(2, 3))
    before = [9, None, None, None]
    assert apply(before, step, eos=0) == [9, 5, 0, 0]
    assert before == [9, None, None, None]


def test_replaying_the_options_gives_the_same_trace(trace: Trace) -> None:
    assert record(Trace.from_dict(json.loads(trace.to_json())).options)[0] == trace


# Files that are no trace


@pytest.mark.parametrize("schema", [0, 2, "1", None, [1]])
def test_another_schema_is_refused_by_its_number(data: dict[str, Any], schema: Any) -> None:
    with pytest.raises(UserError, match="no trace of schema 1") as caught:
        Trace.from_dict(data | {"schema": schema})
    assert repr(schema) in caught.value.in_language("en")
    assert repr(schema) in caught.value.in_language("id")


@pytest.mark.parametrize("data", [[], "trace", 3, None, {}])
def test_what_is_no_trace_at_all_is_refused(data: Any) -> None:
    with pytest.raises(UserError, match="no trace of schema"):
        Trace.from_dict(data)


@pytest.mark.parametrize("name", ["about", "options", "eos", "prompt", "answer", "fixed", "steps", "texts"])
def test_a_missing_part_is_refused_by_name(data: dict[str, Any], name: str) -> None:
    del data[name]
    with pytest.raises(UserError, match=f"damaged.*{name}"):
        Trace.from_dict(data)


@pytest.mark.parametrize("name", sorted(set(Step.__dataclass_fields__) - {"by_hand", "masked"}))
def test_a_missing_part_of_a_step_is_refused_by_name(data: dict[str, Any], name: str) -> None:
    del data["steps"][1][name]
    with pytest.raises(UserError, match=f"damaged.*{name}"):
        Trace.from_dict(data)


def test_invalid_options_are_refused_by_their_own_rule(data: dict[str, Any]) -> None:
    data["options"]["steps"] = 17
    with pytest.raises(UserError, match=r"steps \(17\) must be a multiple"):
        Trace.from_dict(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("eos",), "x"),
        (("eos",), None),
        (("eos",), float("inf")),
        (("about",), 3),
        (("prompt",), [[1]]),
        (("prompt",), 3),
        (("answer",), [["a", "b"]]),
        (("fixed",), [1]),
        (("fixed",), {"3": None}),
        (("fixed",), {"x": 3}),
        (("steps",), {"0": 1}),
        (("steps", 0), None),
        (("steps", 0, "index"), "first"),
        (("steps", 0, "masks_left"), None),
        (("steps", 0, "positions"), "abc"),
        (("steps", 0, "positions"), [0]),  # two tokens for one position
        (("steps", 0, "positions"), [0, 24]),  # beyond the answer
        (("steps", 0, "positions"), [-1, 0]),
        (("steps", 0, "tokens"), [None, 1]),
        (("steps", 0, "confidences"), ["sure", 1]),
        (("steps", 0, "confidences"), [0.5]),
        (("steps", 0, "unasked"), [24]),
        (("steps", 0, "unasked"), 5),
        (("steps", 0, "candidates"), []),
        (("steps", 0, "candidates"), {"0": [[1]]}),
        (("steps", 0, "candidates"), {"x": [[1, 0.5]]}),
    ],
    ids=str,
)
def test_a_damaged_value_is_refused_when_the_file_is_read(
    data: dict[str, Any], path: tuple[Any, ...], value: Any
) -> None:
    assert len(data["steps"][0]["positions"]) == 2
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UserError, match="damaged"):
        Trace.from_dict(data)


def test_a_candidate_reads_as_token_and_probability() -> None:
    assert Candidate(3, 0.5) == (3, 0.5)
    assert (Candidate(3, 0.5).token, Candidate(3, 0.5).probability) == (3, 0.5)


def test_a_step_by_hand_masks_again_and_writes() -> None:
    step = Step(0, 0, (2,), (7,), (1.0,), 3, 0, by_hand=True, masked=(0, 1))
    assert apply([4, 5, None, 6], step, TOKENS.eos) == [None, None, 7, 6]


def test_a_branch_survives_json(trace: Trace) -> None:
    changed = Step(1, 0, (2,), (7,), (1.0,), 22, 1, by_hand=True, masked=(0,))
    branch = dataclasses.replace(trace, steps=(trace.steps[0], changed), texts={7: " laut", 8: "<b>"})
    assert read_trace(branch.to_json()) == branch


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text.replace('"confidences":[', '"confidences":[NaN,', 1), "NaN is no number"),
        (lambda text: text.replace('"confidences":[', '"confidences":[1.5,', 1), "1.5 is no probability"),
        (lambda text: text[:-20], "is no JSON"),
        (lambda text: text + " " * LONGEST_FILE, "too big"),
        (lambda text: "[" * 100_000, "no JSON"),
        (lambda text: text.replace('"answer":[', '"answer":[[1,"lebih"],', 1), "the answer has 25 cells"),
        (lambda text: text.replace('"fixed":{"3"', '"fixed":{"99"', 1), "position 99 lies outside"),
    ],
)
def test_a_damaged_file_is_refused_with_the_damage(trace: Trace, damage: Callable[[str], str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_trace(damage(trace.to_json()))


def test_the_question_is_the_last_message_of_the_prompt(trace: Trace) -> None:
    names = ["<BOS>", "<|start_header_id|>", "user", "<|end_header_id|>", "\n\nApa", " itu?", "<|eot_id|>"]
    names += ["<|start_header_id|>", "assistant", "<|end_header_id|>", "\n\n"]
    chat = dataclasses.replace(trace, prompt=tuple(enumerate(names)))
    assert chat.question == "Apa itu?"
    assert trace.question == "Halo dunia"
