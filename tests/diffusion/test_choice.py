"""Which tokens a step wants, which of them it commits, and what a threshold adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import (
    TOKENS,
    VOCABULARY,
    choices,
    decisions,
    request,
    requests,
    run,
    scores,
    steps_of,
    toy_logits,
)
from torch import Tensor

from llada_demo.core.options import REMASKING, SamplingOptions
from llada_demo.diffusion import Ask, Request
from llada_demo.diffusion.schedule import commits_per_step

few = settings(max_examples=40, deadline=None)


@few
@given(requests())
def test_each_committed_token_is_the_one_its_position_wanted(row: Request) -> None:
    steps, toy = run(row)
    for i, (step, asks) in enumerate(zip(steps, toy.asked, strict=True)):
        wanted = choices(row, asks, i)
        assert list(step.tokens) == [wanted[at] for at in step.positions]


@few
@given(requests(end_rule="free", constraints={}))
def test_confidence_is_the_probability_without_noise(row: Request) -> None:
    steps, toy = run(row)
    for step, asks in zip(steps, toy.asked, strict=True):
        probabilities = scores(row, asks).softmax(1)
        open_positions = (asks[0].positions - len(row.prompt)).tolist()
        for at, token, confidence in zip(step.positions, step.tokens, step.confidences, strict=True):
            assert confidence == pytest.approx(float(probabilities[open_positions.index(at), token]), abs=2e-6)
            assert 0 <= confidence <= 1


@few
@given(requests(remasking="low_confidence", threshold=None, end_rule="free", constraints={}))
def test_the_most_confident_are_committed(row: Request) -> None:
    steps, toy = run(row)
    for i, (step, asks) in enumerate(zip(steps, toy.asked, strict=True)):
        probabilities = scores(row, asks).softmax(1)
        confidence = {at: float(probabilities[j, token]) for j, (at, token) in enumerate(choices(row, asks, i).items())}
        rest = [confidence[at] for at in confidence if at not in step.positions]
        assert min(confidence[at] for at in step.positions) >= max(rest, default=0.0)


@pytest.mark.parametrize("remasking", ["low_confidence", "margin", "entropy"])
def test_ties_go_to_the_lowest_position(remasking: str) -> None:
    row = request(SamplingOptions(gen_length=64, block_length=32, steps=16, remasking=remasking))
    steps = steps_of(row, lambda asks: [torch.zeros(len(asks[0].positions), VOCABULARY)])
    assert [at for step in steps for at in step.positions] == list(range(64))


@few
@given(requests())
def test_the_mask_token_is_never_chosen_even_when_it_is_likeliest(row: Request) -> None:
    def predict(asks: Sequence[Ask]) -> list[Tensor]:
        logits = [toy_logits(ask.ids)[ask.positions] for ask in asks]
        return [part.index_fill(1, torch.tensor([TOKENS.mask]), 50.0) for part in logits]

    assert all(TOKENS.mask not in step.tokens for step in steps_of(row, predict))


@pytest.mark.parametrize("remasking", REMASKING)
def test_the_same_seed_gives_the_same_answer_and_another_seed_another_one(remasking: str) -> None:
    base = SamplingOptions(
        gen_length=16, steps=16, block_length=8, temperature=1.0, remasking=remasking, stop_at_end=False
    )
    first, again = run(request(base))[0], run(request(base))[0]
    assert first == again
    others = [run(request(replace(base, seed=seed)))[0] for seed in (1, 2, 2**31 - 1)]
    assert all(decisions(other) != decisions(first) for other in others)


def test_at_temperature_zero_the_seed_decides_nothing_but_a_random_order() -> None:
    base = SamplingOptions(gen_length=16, steps=16, block_length=8, stop_at_end=False)
    assert run(request(base))[0] == run(request(replace(base, seed=9)))[0]
    shuffled = replace(base, remasking="random")
    assert run(request(shuffled))[0] != run(request(replace(shuffled, seed=9)))[0]


# Threshold


@few
@given(requests(threshold=None, stop_at_end=False), st.sampled_from((0.1, 0.3, 0.6)))
def test_a_threshold_only_ever_lowers_the_number_of_forwards(row: Request, threshold: float) -> None:
    surer = replace(row, options=replace(row.options, threshold=threshold))
    with_threshold, without = run(surer)[0], run(row)[0]
    assert len(with_threshold) <= len(without)
    if with_threshold:
        assert with_threshold[-1].forwards <= without[-1].forwards


@few
@given(requests(stop_at_end=False), st.sampled_from((0.1, 0.3, 0.6)))
def test_a_threshold_commits_at_least_what_the_schedule_says(row: Request, threshold: float) -> None:
    row = replace(row, options=replace(row.options, threshold=threshold))
    steps, toy = run(row)
    for block in range(row.options.blocks):
        first = block * row.options.block_length
        masks = sum(at not in row.fixed for at in range(first, first + row.options.block_length))
        schedule = commits_per_step(masks, row.options.steps // row.options.blocks)
        mine = [(step, asks) for step, asks in zip(steps, toy.asked, strict=True) if step.block == block]
        assert len(mine) <= len(schedule)
        for (step, asks), count in zip(mine, schedule, strict=False):
            assert len(step.positions) >= min(count, len(asks[0].positions))


@few
@given(requests(end_rule="free", constraints={}), st.sampled_from((0.1, 0.3, 0.6)))
def test_a_threshold_commits_every_guess_above_it_whatever_the_ranking(row: Request, threshold: float) -> None:
    row = replace(row, options=replace(row.options, threshold=threshold))
    steps, toy = run(row)
    for i, (step, asks) in enumerate(zip(steps, toy.asked, strict=True)):
        probabilities = scores(row, asks).softmax(1)
        for j, (at, token) in enumerate(choices(row, asks, i).items()):
            if float(probabilities[j, token]) > threshold + 1e-5:  # (rounding decides for equal ones)
                assert at in step.positions


def test_a_threshold_that_all_guesses_pass_needs_one_forward_a_block() -> None:
    row = request(SamplingOptions(gen_length=16, steps=16, block_length=8, threshold=0.9, stop_at_end=False))
    sure = torch.zeros(VOCABULARY).index_fill(0, torch.tensor([5]), 20.0)
    steps = steps_of(row, lambda asks: [sure.expand(len(asks[0].positions), -1)])
    assert [step.positions for step in steps] == [tuple(range(8)), tuple(range(8, 16))]
