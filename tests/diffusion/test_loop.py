"""The one loop that commits tokens: what holds at every step of every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import (
    TOKENS,
    VOCABULARY,
    Toy,
    answers,
    decisions,
    options,
    request,
    requests,
    run,
)
from torch import Tensor

from llada_demo.core.options import REMASKING, SamplingOptions
from llada_demo.core.trace import Step
from llada_demo.diffusion import Ask, Request, Tokens, denoise
from llada_demo.diffusion.predict import model_predict
from llada_demo.diffusion.schedule import commits_per_step
from llada_demo.model import LLaDAModelLM

few = settings(max_examples=40, deadline=None)
NETWORK = Tokens(mask=510, eos=500, ends=(500, 499))


def network_run(network: LLaDAModelLM, rows: Sequence[Request], tokens: Tokens = NETWORK) -> list[list[Step]]:
    """The steps of each row, written together."""
    together = list(denoise(model_predict(network, 500), rows, tokens))
    return [[step for step in row if step] for row in zip(*together, strict=True)]


# What is committed, and when


@few
@given(requests())
def test_the_model_sees_the_prompt_and_exactly_what_is_committed_so_far(row: Request) -> None:
    steps, toy = run(row)
    states = answers(row, steps)
    assert len(toy.asked) == len(steps)
    for asks, state in zip(toy.asked, states, strict=False):
        seen = [TOKENS.mask if token is None else token for token in state]
        assert asks[0].ids.tolist() == row.prompt.tolist() + seen
        if len(asks) == 2:  # guidance: the prompt is masked, the answer is not
            assert asks[1].ids.tolist() == [TOKENS.mask] * len(row.prompt) + seen


@few
@given(requests())
def test_only_the_masks_of_the_first_open_block_are_asked_for(row: Request) -> None:
    steps, toy = run(row)
    length = row.options.block_length
    for asks, state in zip(toy.asked, answers(row, steps), strict=False):
        masked = [i for i, token in enumerate(state) if token is None]
        in_block = [i for i in masked if i // length == masked[0] // length]
        for ask in asks:
            assert (ask.positions - len(row.prompt)).tolist() == in_block


@few
@given(requests())
def test_every_position_is_written_exactly_once(row: Request) -> None:
    steps, _ = run(row)
    written = [at for step in steps for at in (*step.positions, *step.unasked)] + list(row.fixed)
    assert sorted(written) == list(range(row.options.gen_length))


@few
@given(requests())
def test_no_mask_is_left_and_masks_left_counts_down_to_it(row: Request) -> None:
    steps, _ = run(row)
    for step, state in zip(steps, answers(row, steps)[1:], strict=True):
        assert step.masks_left == state.count(None)
    assert None not in answers(row, steps)[-1]
    assert TOKENS.mask not in answers(row, steps)[-1]


@few
@given(requests())
def test_constraints_hold_at_every_step(row: Request) -> None:
    steps, toy = run(row)
    for asks in toy.asked:
        for ask in asks:
            answer = ask.ids[len(row.prompt) :].tolist()
            assert all(answer[at] == token for at, token in row.fixed.items())
    assert all(answers(row, steps)[-1][at] == token for at, token in row.fixed.items())


@few
@given(requests())
def test_steps_are_numbered_and_stay_inside_their_block(row: Request) -> None:
    steps, _ = run(row)
    assert [step.index for step in steps] == list(range(len(steps)))
    assert [step.block for step in steps] == sorted(step.block for step in steps)
    for step in steps:
        assert step.positions
        assert list(step.positions) == sorted(step.positions)
        assert {at // row.options.block_length for at in step.positions} == {step.block}


@few
@given(requests(threshold=None, stop_at_end=False))
def test_every_block_follows_its_schedule(row: Request) -> None:
    steps, _ = run(row)
    for block in range(row.options.blocks):
        first = block * row.options.block_length
        masks = sum(at not in row.fixed for at in range(first, first + row.options.block_length))
        committed = [len(step.positions) for step in steps if step.block == block]
        assert committed == commits_per_step(masks, row.options.steps // row.options.blocks)


@few
@given(requests())
def test_a_run_takes_at_most_the_steps_of_its_options(row: Request) -> None:
    assert len(run(row)[0]) <= row.options.steps


@few
@given(requests())
def test_forwards_count_one_a_step_and_two_with_guidance(row: Request) -> None:
    steps, toy = run(row)
    each = 2 if row.options.cfg_scale else 1
    assert [step.forwards for step in steps] == [each * (i + 1) for i in range(len(steps))]
    assert all(len(asks) == each for asks in toy.asked)


# Rows, candidates, refusals, cancelling


@few
@given(st.lists(requests(), min_size=2, max_size=4))
def test_rows_written_together_equal_their_single_runs(rows: list[Request]) -> None:
    together = list(denoise(Toy(), rows, TOKENS, candidates=2))
    for i, row in enumerate(rows):
        alone, _ = run(row, candidates=2)
        mine = [steps[i] for steps in together]
        assert mine == alone + [None] * (len(together) - len(alone))


def network_rows(golden: dict[str, Any], stop_at_end: bool) -> list[Request]:
    base = SamplingOptions(gen_length=16, steps=16, block_length=8, stop_at_end=stop_at_end)
    prompt = torch.tensor(golden["prompt"])
    return [
        Request(prompt, base),
        Request(prompt[:5], replace(base, gen_length=24, steps=12, temperature=1.0, seed=3)),
        Request(prompt[2:13], replace(base, cfg_scale=0.7, remasking="entropy")),
        Request(prompt[:9], replace(base, block_length=16, steps=8, remasking="random", end_rule="last")),
        Request(prompt[:1], replace(base, threshold=0.3, remasking="margin"), {4: 77, 5: 78}),
    ]


@pytest.mark.parametrize("stop_at_end", [True, False])
def test_rows_of_a_network_written_together_equal_their_single_runs(
    network: LLaDAModelLM, golden: dict[str, Any], stop_at_end: bool
) -> None:
    # Float32: only rounding differs between the shapes, and no two candidates are that close here.
    rows = network_rows(golden, stop_at_end)
    for row, together in zip(rows, network_run(network, rows), strict=True):
        (alone,) = network_run(network, [row])
        assert decisions(together) == decisions(alone)
        for one, other in zip(together, alone, strict=True):
            assert one.confidences == pytest.approx(other.confidences, abs=1e-4)


@pytest.mark.parametrize("remasking", REMASKING)
@pytest.mark.parametrize("cfg_scale", [0.0, 0.7])
def test_a_network_fills_every_position_once_and_keeps_what_is_fixed(
    network: LLaDAModelLM, golden: dict[str, Any], remasking: str, cfg_scale: float
) -> None:
    base = SamplingOptions(gen_length=24, steps=9, block_length=8, remasking=remasking, cfg_scale=cfg_scale)
    row = Request(torch.tensor(golden["prompt"]), base, {3: 7, 20: 8})
    before = row.prompt.clone()
    (steps,) = network_run(network, [row])
    written = [at for step in steps for at in (*step.positions, *step.unasked)]
    assert sorted([*written, 3, 20]) == list(range(24))
    answer = answers(row, steps, eos=500)[-1]
    assert (answer[3], answer[20]) == (7, 8)
    assert 510 not in answer
    assert torch.equal(row.prompt, before)


@few
@given(requests(), st.integers(1, 5))
def test_candidates_are_the_likeliest_of_every_open_position_in_order(row: Request, k: int) -> None:
    steps, toy = run(row, candidates=k)
    for step, asks in zip(steps, toy.asked, strict=True):
        assert [at for at, _ in step.candidates] == (asks[0].positions - len(row.prompt)).tolist()
        for _, best in step.candidates:
            probabilities = [candidate.probability for candidate in best]
            assert len({candidate.token for candidate in best}) == k
            assert probabilities == sorted(probabilities, reverse=True)
            assert all(0 <= p <= 1 for p in probabilities)
            assert sum(probabilities) <= 1 + 1e-5


@few
@given(requests(temperature=0.0, end_rule="free", constraints={}))
def test_without_noise_the_committed_token_is_the_best_candidate_or_follows_the_mask(row: Request) -> None:
    for step in run(row, candidates=2)[0]:
        best = dict(step.candidates)
        for at, token in zip(step.positions, step.tokens, strict=True):
            assert token == next(c.token for c in best[at] if c.token != TOKENS.mask)


def test_candidates_are_left_out_unless_asked_for() -> None:
    assert all(not step.candidates for step in run(request(SamplingOptions(gen_length=8, block_length=8, steps=8)))[0])


def test_more_candidates_than_words_lists_all_words_but_the_mask() -> None:
    (first, *_) = run(request(SamplingOptions(gen_length=4, block_length=4, steps=4)), candidates=1000)[0]
    assert all(len(best) == VOCABULARY - 1 for _, best in first.candidates)
    assert all(candidate.token != TOKENS.mask for _, best in first.candidates for candidate in best)


def test_a_prompt_with_the_mask_token_is_refused() -> None:
    row = request(SamplingOptions(), prompt=(1, TOKENS.mask, 2))
    with pytest.raises(ValueError, match="prompt contains the mask token"):
        next(denoise(Toy(), [row], TOKENS))


def test_a_fixed_mask_token_is_refused() -> None:
    row = request(SamplingOptions(constraints={3: (TOKENS.mask,)}))
    with pytest.raises(ValueError, match="mask token"):
        next(denoise(Toy(), [row], TOKENS))


def test_an_answer_that_is_fixed_as_a_whole_needs_no_forward() -> None:
    whole = {i: (i,) for i in range(8)}
    steps, toy = run(request(SamplingOptions(gen_length=8, block_length=4, steps=8, constraints=whole)))
    assert (steps, toy.asked) == ([], [])


def test_no_rows_make_no_steps() -> None:
    assert list(denoise(Toy(), [], TOKENS)) == []


@pytest.mark.parametrize("after", [0, 1, 3])
def test_closing_midway_raises_nothing_and_asks_nothing_more(after: int) -> None:
    toy = Toy()
    stream = denoise(toy, [request(SamplingOptions(stop_at_end=False))], TOKENS)
    for _ in range(after):
        next(stream)
    stream.close()
    assert len(toy.asked) == after
    assert list(stream) == []


def test_an_error_of_the_model_reaches_the_caller() -> None:
    def predict(asks: Sequence[Ask]) -> list[Tensor]:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        next(denoise(predict, [request(SamplingOptions())], TOKENS))


@few
@given(options())
def test_the_request_and_its_prompt_are_left_as_they_were(chosen: SamplingOptions) -> None:
    row = request(chosen)
    before, fixed, settings_before = row.prompt.clone(), dict(row.fixed), chosen.to_dict()
    run(row)
    assert torch.equal(row.prompt, before)
    assert dict(row.fixed) == fixed
    assert chosen.to_dict() == settings_before
