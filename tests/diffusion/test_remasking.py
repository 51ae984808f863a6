"""Each strategy on three tokens, worked by hand."""

from __future__ import annotations

from math import log

import pytest
import torch

from llada_demo.core.options import REMASKING
from llada_demo.diffusion.remasking import STRATEGIES

# Three open positions, a vocabulary of four.
PROBABILITIES = torch.tensor(
    [
        [0.50, 0.48, 0.01, 0.01],  # sure of two words
        [0.40, 0.20, 0.20, 0.20],  # unsure of all four
        [0.10, 0.70, 0.10, 0.10],
    ]
)
CHOSEN = torch.tensor([0, 0, 3])  # the last one drew an unlikely word
NOISE = torch.tensor([0.3, 0.9, 0.6])
BY_HAND = {
    "low_confidence": [0.5, 0.4, 0.1],
    "random": [0.3, 0.9, 0.6],
    "margin": [0.02, 0.2, 0.6],
    "entropy": [
        0.5 * log(0.5) + 0.48 * log(0.48) + 0.02 * log(0.01),
        0.4 * log(0.4) + 0.6 * log(0.2),
        0.7 * log(0.7) + 0.3 * log(0.1),
    ],
}
ORDERS = {"low_confidence": [0, 1, 2], "random": [1, 2, 0], "margin": [2, 1, 0], "entropy": [0, 2, 1]}


@pytest.mark.parametrize("name", REMASKING)
def test_scores_are_those_worked_by_hand(name: str) -> None:
    scores = STRATEGIES[name](PROBABILITIES.log(), CHOSEN, NOISE)
    torch.testing.assert_close(scores, torch.tensor(BY_HAND[name]), rtol=1e-5, atol=1e-6)
    assert scores.argsort(descending=True).tolist() == ORDERS[name]


def test_the_strategies_are_those_that_the_options_offer() -> None:
    assert tuple(STRATEGIES) == REMASKING


@pytest.mark.parametrize("name", REMASKING)
def test_a_forbidden_word_leaves_the_scores_finite(name: str) -> None:
    log_probs = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]).log()
    assert STRATEGIES[name](log_probs, torch.tensor([1, 0]), torch.tensor([0.1, 0.2])).isfinite().all()
