"""Words, rollout and sinks by hand-worked examples, and what holds of every attention matrix."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from llada_demo.attention.summary import merge, rollout, share_ahead, sinks, word_groups


def words(*cells: str, alone: str = "none") -> list[str]:
    flags = [cell.startswith("<|") or cell == alone for cell in cells]
    return ["".join(cells[group]) for group in word_groups(cells, flags)]


@st.composite
def attentions(draw: st.DrawFn) -> tuple[Tensor, list[slice]]:
    """Random rows that sum to 1, and a random cut into words."""
    length = draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    attention = torch.randn(3, length, length, generator=generator).mul(3).softmax(-1)
    cuts = [0, *sorted(draw(st.sets(st.integers(1, 8))) & set(range(1, length))), length]
    return attention, [slice(a, b) for a, b in itertools.pairwise(cuts)]


def test_pieces_join_to_words_and_punctuation_stands_alone() -> None:
    assert words("Anak", "-", "anak", " ber", "main", ".") == ["Anak-anak", " bermain", "."]
    assert words(" Jum", "'", "at", ",", ' "', "ya", '"') == [" Jum'at", ",", ' "', "ya", '"']
    assert words("satu", " -", " dua") == ["satu", " -", " dua"]
    assert words("3", "5", "+", "2") == ["35", "+", "2"]
    assert words("<|eot_id|>", "Hai", "<|eot_id|>") == ["<|eot_id|>", "Hai", "<|eot_id|>"]
    assert words("ya", "x", "x", alone="x") == ["ya", "x", "x"]
    assert words("😀", "", "", " hai", "é", "", "s") == ["😀", " haiés"]
    assert words('"', "Dia") == ['"', "Dia"]
    assert words("...") == ["..."]


@settings(max_examples=60, deadline=None)
@given(attentions())
def test_rows_of_words_sum_to_one_and_merging_nothing_changes_nothing(given_: tuple[Tensor, list[slice]]) -> None:
    attention, groups = given_
    merged = merge(attention, groups)
    assert merged.shape == (3, len(groups), len(groups))
    assert torch.allclose(merged.sum(-1), torch.ones(3, len(groups)), atol=1e-5)
    single = [slice(i, i + 1) for i in range(attention.shape[-1])]
    assert torch.allclose(merge(attention, single), attention, atol=1e-6)


def test_merging_sums_over_sources_and_averages_over_queries() -> None:
    attention = torch.tensor([[0.2, 0.3, 0.5], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    expected = torch.tensor([[0.65, 0.35], [0.3, 0.7]])
    assert torch.allclose(merge(attention, [slice(0, 2), slice(2, 3)]), expected)


def test_rollout_of_three_tokens_and_two_layers_by_hand() -> None:
    first = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    second = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    # halves with the identity: [[1, 0, 0], [.25, .75, 0], [0, 0, 1]] and [[.5, .5, 0], [0, 1, 0], [.25, .25, .5]]
    expected = torch.tensor([[0.625, 0.375, 0.0], [0.25, 0.75, 0.0], [0.3125, 0.1875, 0.5]])
    assert torch.allclose(rollout(torch.stack((first, second))), expected)


@settings(max_examples=40, deadline=None)
@given(attentions())
def test_rollout_rows_sum_to_one_and_causal_stays_causal(given_: tuple[Tensor, list[slice]]) -> None:
    layers, _ = given_
    assert torch.allclose(rollout(layers).sum(-1), torch.ones(layers.shape[-1]), atol=1e-5)
    causal = layers.tril()
    assert (rollout(causal / causal.sum(-1, keepdim=True)).triu(1) == 0).all()


def test_a_sink_is_found_and_an_even_spread_has_none() -> None:
    length = 20
    even = torch.full((length, length), 1 / length)
    assert sinks(even) == []
    drawn = even * 0.5
    drawn[:, 3] += 0.5
    assert sinks(drawn) == [3]
    causal = torch.ones(length, length).tril()
    causal /= causal.sum(-1, keepdim=True)
    assert sinks(causal, causal > 0) == []


def test_looking_at_oneself_makes_no_sink() -> None:
    assert sinks(torch.eye(12)) == []


@pytest.mark.parametrize(("rows", "share"), [([[1.0]], 0.0), ([[0.2, 0.8], [0.5, 0.5]], 0.8)])
def test_the_share_ahead_is_what_later_positions_get(rows: list[list[float]], share: float) -> None:
    assert share_ahead(torch.tensor(rows)) == pytest.approx(share)
