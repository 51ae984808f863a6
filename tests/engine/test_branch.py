"""Going on from the middle: unchanged it is the same run, changed it is a branch that keeps the change."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Trace, read_trace
from llada_demo.engine import Engine

OPTIONS = [
    SamplingOptions(gen_length=24, steps=12, block_length=8, temperature=0.5, seed=3),
    SamplingOptions(gen_length=24, steps=9, block_length=8, seed=1, remasking="random", cfg_scale=1.0),
    SamplingOptions(gen_length=24, steps=6, block_length=24, threshold=0.3, constraints={5: "laut"}, end_rule="last"),
]


@pytest.fixture(scope="module", params=OPTIONS, ids=["noisy", "guided", "threshold"])
def trace(request: Any, engine: Engine) -> Trace:
    return engine.trace([{"role": "user", "content": "Apa itu awan?"}], request.param)


def finish(run: Any) -> Trace:
    for _ in run:
        pass
    return run.trace()


def test_taken_up_unchanged_it_goes_on_as_it_went(engine: Engine, trace: Trace) -> None:
    for step in range(len(trace.steps) + 1):
        again = finish(engine.resume(trace, step))
        assert again.steps == trace.steps
        assert again.answer == trace.answer


def test_a_chosen_token_stays_and_what_was_before_it_stays(engine: Engine, trace: Trace) -> None:
    at, best = trace.steps[1].candidates[-1]
    other = best[1].token
    branch = finish(engine.resume(trace, 1, {at: other}))
    assert branch.answer[at][0] == other
    assert branch.steps[:1] == trace.steps[:1]
    assert branch.steps[1].by_hand
    assert [step.index for step in branch.steps] == list(range(len(branch.steps)))
    assert branch.about["branch_step"] == 1
    assert None not in branch.answer_at(len(branch.steps))
    assert read_trace(branch.to_json()) == branch


def test_masked_again_is_written_again_and_a_fixed_word_is_not(engine: Engine, trace: Trace) -> None:
    whole = len(trace.steps)
    kept = {at: token for at, (token, _) in enumerate(trace.answer)}
    branch = finish(engine.resume(trace, whole, dict.fromkeys(range(8), None)))
    hand = branch.steps[whole]
    assert set(hand.masked) == set(range(8)) - set(trace.fixed)
    assert all(branch.answer[at][0] == kept[at] for at in (*range(8, 24), *trace.fixed))
    assert len(branch.steps) > whole + 1
    assert None not in branch.answer_at(len(branch.steps))


def test_a_word_may_take_several_tokens(engine: Engine, trace: Trace) -> None:
    branch = finish(engine.resume(trace, 0, {10: "khatulistiwa"}))
    text = "".join(cell for _, cell in branch.answer)
    assert " khatulistiwa" in text


@pytest.mark.parametrize(
    ("step", "edits", "says"),
    [
        (99, {}, "no step 99"),
        (-1, {}, "no step -1"),
        (1, {24: "kata"}, "outside the answer"),
        (1, {99: None}, "outside the answer"),
        (1, {3: 10**9}, "unknown to this model"),
    ],
)
def test_what_does_not_fit_is_refused(engine: Engine, trace: Trace, step: int, edits: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        engine.resume(trace, step, edits)


def test_another_models_trace_is_refused_with_its_name(engine: Engine, trace: Trace) -> None:
    stranger = dataclasses.replace(trace, about={"model": "LLaDA-8B", "sha256": "00"})
    with pytest.raises(UserError, match="LLaDA-8B"):
        engine.resume(stranger, 1)


def test_a_trace_with_masks_in_its_prompt_is_refused(engine: Engine, trace: Trace) -> None:
    hostile = dataclasses.replace(trace, prompt=((engine.tokens.mask, "x"),))
    with pytest.raises(UserError, match="cannot read"):
        engine.resume(hostile, 0)
