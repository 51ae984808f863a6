"""End tokens: forbidden, last, or where they fall; and what is never computed behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from small_runs import (
    TOKENS,
    VOCABULARY,
    Toy,
    answers,
    choices,
    request,
    requests,
    run,
    steps_of,
    visible,
)
from torch import Tensor

from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion import Ask, Request

few = settings(max_examples=40, deadline=None)


@few
@given(requests(end_rule="forbid"))
def test_forbidden_end_tokens_do_not_occur(row: Request) -> None:
    assert not set(TOKENS.ends) & {token for step in run(row)[0] for token in step.tokens}


@few
@given(requests(end_rule="last"))
def test_end_tokens_come_after_all_words_of_their_block(row: Request) -> None:
    """An end token is committed only in a step that leaves no word behind."""
    steps, toy = run(row)
    for i, (step, asks) in enumerate(zip(steps, toy.asked, strict=True)):
        if set(step.tokens) & set(TOKENS.ends):
            left = {at: token for at, token in choices(row, asks, i).items() if at not in step.positions}
            assert set(left.values()) <= set(TOKENS.ends)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_end_tokens_last_fills_the_words_first(temperature: float) -> None:
    """Eight positions: the four in front are sure that the answer ends, the others want a word."""
    base = SamplingOptions(
        gen_length=8, steps=8, block_length=8, temperature=temperature, end_rule="last", stop_at_end=False
    )
    logits = torch.zeros(8, VOCABULARY)
    logits[:4, TOKENS.eos] = 60.0
    logits[4:, 5] = 30.0

    def order(rule: str) -> list[int]:
        row = request(replace(base, end_rule=rule))
        steps = steps_of(row, lambda asks: [logits[asks[0].positions - len(row.prompt)]])
        return [at for step in steps for at in step.positions]

    assert set(order("last")[:4]) == {4, 5, 6, 7}
    assert set(order("free")[:4]) == {0, 1, 2, 3}


@few
@given(requests(stop_at_end=True))
def test_stopping_at_the_end_shows_the_same_text(row: Request) -> None:
    whole = replace(row, options=replace(row.options, stop_at_end=False))
    stopped, full = run(row)[0], run(whole)[0]
    assert visible(answers(row, stopped)[-1]) == visible(answers(whole, full)[-1])
    assert [s.positions for s in stopped] == [s.positions for s in full[: len(stopped)]]
    assert [s.tokens for s in stopped] == [s.tokens for s in full[: len(stopped)]]


@few
@given(requests(stop_at_end=True))
def test_what_follows_the_end_is_never_asked_for(row: Request) -> None:
    steps, _ = run(row)
    states = answers(row, steps)
    for i, state in enumerate(states[1:-1]):
        text = state[: state.index(None)]
        closed = [at for at, token in enumerate(text) if token in TOKENS.ends and at >= max(row.fixed, default=-1)]
        assert not closed, f"went on after step {i}, which had ended the text"
    for step in steps[:-1]:
        assert not step.unasked


def test_an_end_in_the_first_block_leaves_the_later_blocks_unasked() -> None:
    row = request(SamplingOptions(gen_length=24, steps=24, block_length=8))
    ends = torch.zeros(VOCABULARY).index_fill(0, torch.tensor([TOKENS.ends[1]]), 20.0)
    toy = Toy()

    def predict(asks: Sequence[Ask]) -> list[Tensor]:
        toy(asks)
        return [ends.expand(len(asks[0].positions), -1)]

    (step,) = steps_of(row, predict)
    assert (step.positions, step.unasked, step.masks_left) == ((0,), tuple(range(1, 24)), 0)
    assert max(int(ask.positions.max()) for asks in toy.asked for ask in asks) < len(row.prompt) + 8


def test_a_fixed_word_keeps_the_answer_open_up_to_it() -> None:
    """A model that wants to end everywhere may do so only behind the word."""
    row = request(SamplingOptions(gen_length=24, steps=24, block_length=8, constraints={10: (7,)}))
    ends = torch.zeros(VOCABULARY).index_fill(0, torch.tensor([TOKENS.eos]), 20.0)
    steps = steps_of(row, lambda asks: [ends.expand(len(asks[0].positions), -1)])
    answer = answers(row, steps)[-1]
    assert answer[10] == 7
    assert len(visible(answer)) == 11
    assert steps[-1].unasked == tuple(range(16, 24))


def test_a_fixed_end_token_in_front_of_a_fixed_word_does_not_end_the_answer() -> None:
    fixed = {2: (TOKENS.eos,), 10: (7,)}
    row = request(SamplingOptions(gen_length=16, steps=16, block_length=8, constraints=fixed))
    word = torch.zeros(VOCABULARY).index_fill(0, torch.tensor([5]), 9.0)
    steps = steps_of(row, lambda asks: [word.expand(len(asks[0].positions), -1)])
    assert sorted(at for step in steps for at in step.positions) == [0, 1, *range(3, 10), *range(11, 16)]


def test_a_fixed_end_token_ends_the_answer() -> None:
    row = request(SamplingOptions(gen_length=24, steps=24, block_length=8, constraints={5: (TOKENS.eos,)}))
    flat = torch.zeros(VOCABULARY).index_fill(0, torch.tensor([5]), 9.0)
    steps = steps_of(row, lambda asks: [flat.expand(len(asks[0].positions), -1)])
    assert [at for step in steps for at in step.positions] == [0, 1, 2, 3, 4]
    assert steps[-1].unasked == tuple(range(6, 24))
