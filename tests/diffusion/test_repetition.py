"""An answer under `no_repeat` does not say things twice, and nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import TOKENS, VOCABULARY, decisions, options, request, run, steps_of, toy_logits

from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion import Ask, denoise
from llada_demo.diffusion.repetition import forbidden

MASK = TOKENS.mask
few = settings(max_examples=60, deadline=None)


def final(of: SamplingOptions) -> list[int]:
    row = request(of)
    steps, _ = run(row)
    tokens = dict(row.fixed)
    for step in steps:
        tokens |= dict(zip(step.positions, step.tokens, strict=True))
    return [tokens[at] for at in sorted(tokens)]


@pytest.mark.parametrize(
    ("answer", "open_", "expected"),
    [
        ([7, MASK], [1], {7}),  # the word before
        ([MASK, 7], [0], {7}),  # the word behind
        ([1, 2, 3, 1, 2, MASK], [5], {2, 3}),  # 1 2 3 would stand twice
        ([1, 2, 3, 4, MASK, 3], [4], {3, 4}),  # a run of three that ends on the right: none; neighbours 4 and 3
        ([1, 2, 3, 4, 1, MASK, 3], [5], {1, 2, 3}),  # the middle
        ([1, 2, 3, 4, MASK, 2, 3], [4], {1, 2, 4}),  # the first
        ([1, 2, 3, 1, MASK, MASK], [4, 5], {1}),  # a run with another mask is not known yet
    ],
)
def test_what_would_repeat_is_named(answer: list[int], open_: list[int], expected: set[int]) -> None:
    assert {token for row, token in forbidden(answer, open_, 3, MASK, ()) if row == 0} == expected


def test_digits_and_signs_may_stand_beside_themselves() -> None:
    assert list(forbidden([5, MASK], [1], 3, MASK, {5})) == []


@few
@given(options(end_rule="forbid", stop_at_end=False, threshold=None, constraints={}), st.integers(2, 4))
def test_one_token_a_step_never_repeats(some: SamplingOptions, length: int) -> None:
    answer = final(SamplingOptions.from_dict({**some.to_dict(), "steps": some.gen_length, "no_repeat": length}))
    assert all(a != b for a, b in pairwise(answer))
    runs = list(zip(*(answer[i:] for i in range(length)), strict=False))
    assert len(runs) == len(set(runs))


@pytest.mark.parametrize(("no_repeat", "threshold", "first"), [(0, None, (0, 1)), (2, None, (0, 2)), (2, 0.2, (0, 2))])
def test_neighbours_do_not_commit_the_same_word_in_one_step(
    no_repeat: int, threshold: float | None, first: tuple[int, ...]
) -> None:
    """All want word 5, the third a little less, and it wants 7 if it cannot have it."""

    def wanting(asks: Sequence[Ask]) -> list[torch.Tensor]:
        logits = torch.zeros(4, VOCABULARY)
        logits[0, 5], logits[1, 5], logits[2, 7], logits[3, 9] = 9, 8, 7, 1
        return [logits[ask.positions - 3] for ask in asks]

    some = SamplingOptions(
        gen_length=4, steps=2, block_length=4, no_repeat=no_repeat, threshold=threshold, stop_at_end=False
    )
    assert steps_of(request(some), wanting)[0].positions == first


@few
@given(options(no_repeat=0))
def test_zero_changes_nothing(some: SamplingOptions) -> None:
    row = request(some)
    plain = SamplingOptions.from_dict({k: v for k, v in some.to_dict().items() if k != "no_repeat"})
    assert decisions(run(row)[0]) == decisions(run(request(plain))[0])


@few
@given(options(no_repeat=3), options(no_repeat=0))
def test_a_row_that_may_not_repeat_leaves_its_neighbour_alone(one: SamplingOptions, other: SamplingOptions) -> None:
    rows = [request(one), request(other)]
    together = list(denoise(lambda asks: [toy_logits(a.ids)[a.positions] for a in asks], rows, TOKENS))
    for i, row in enumerate(rows):
        assert decisions([s[i] for s in together if s[i]]) == decisions(run(row)[0])


def test_a_position_for_which_nothing_is_left_keeps_its_words() -> None:
    every = SamplingOptions(gen_length=40, steps=40, block_length=40, no_repeat=1, end_rule="forbid")
    answer = final(every)
    assert len(answer) == 40  # 21 words for 40 places
    assert MASK not in answer


def test_an_end_may_always_come() -> None:
    def ends(asks: Sequence[Ask]) -> list[torch.Tensor]:
        logits = torch.zeros(VOCABULARY)
        logits[TOKENS.eos] = 9
        return [logits.expand(len(ask.positions), -1) for ask in asks]

    row = request(SamplingOptions(gen_length=4, steps=4, block_length=4, no_repeat=2, stop_at_end=False))
    assert [token for step in steps_of(row, ends) for token in step.tokens] == [TOKENS.eos] * 4
