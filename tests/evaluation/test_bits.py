"""Bits per character: each of the three models against a sum by hand."""

from __future__ import annotations

from math import log2
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from llada_demo.evaluation.bits import Bits, NGram, causal_bits, diffusion_bits
from llada_demo.evaluation.heldout import Item

ITEMS = [Item((1, 2, 3, 4, 5), 2, "abcd"), Item((1, 6, 7), 1, "ef")]


class Uniform(torch.nn.Module):
    """A model that finds each of `size` tokens equally likely everywhere."""

    device = torch.device("cpu")

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.config = size, SimpleNamespace(mask_token_id=size - 1)

    def forward(self, ids: Tensor, mask: Tensor | None = None, positions: Tensor | None = None) -> Any:
        return SimpleNamespace(logits=torch.zeros(*(ids if positions is None else positions).shape, self.size))


@pytest.mark.parametrize("measure", [diffusion_bits, causal_bits])
def test_a_uniform_model_takes_log2_of_its_vocabulary_for_every_token(measure: Any) -> None:
    found = measure(Uniform(16), ITEMS)
    assert found.bits == pytest.approx((3 + 2) * 4)
    assert (found.characters, found.texts) == (6, 2)
    assert found.per_character == pytest.approx(20 / 6)


def test_the_chain_rule_reads_each_token_from_those_before_it() -> None:
    class Next(Uniform):
        """Sure that token n is followed by n + 1."""

        def forward(self, ids: Tensor, mask: Tensor | None = None, positions: Tensor | None = None) -> Any:
            assert mask is not None
            assert torch.equal(mask[0, 0], torch.ones_like(mask[0, 0]).tril())
            return SimpleNamespace(logits=torch.nn.functional.one_hot(ids + 1, self.size) * 50.0)

    assert causal_bits(Next(16), ITEMS[:1]).bits == pytest.approx(0, abs=1e-6)
    assert causal_bits(Next(16), [Item((1, 2, 9), 2, "a")]).bits > 50


def test_the_same_texts_get_the_same_masks(engine: Any) -> None:
    items = [Item(tuple(engine.tokenizer.encode("Air laut asin karena garam.")), 2, "laut asin karena garam.")]
    assert diffusion_bits(engine.model, items, 4) == diffusion_bits(engine.model, items, 4)


TEXTS = ["air laut asin", "air sungai tawar", "laut itu luas"]


def test_the_ngram_chances_of_every_character_sum_to_one() -> None:
    model = NGram(TEXTS, order=3)
    for context in ("ai", "la", "zz"):
        padded = [*context]
        chances = [model._chance_of([*padded, c], 2) for c in model.model.vocab if c != "<UNK>"]
        assert sum(chances) + model.chance / model.alphabet == pytest.approx(1, abs=1e-3)


def test_the_ngram_prefers_what_it_has_read_and_survives_what_it_has_not() -> None:
    model = NGram(TEXTS, order=5)
    assert model.bits("air laut asin") < model.bits("asin tual ria")
    assert model.bits("鯨") > log2(1 / model.chance)
    assert model.total(["air", "laut"]).characters == 7


def test_no_texts_are_no_bits() -> None:
    assert Bits(0.0, 0, 0).per_character == 0.0
