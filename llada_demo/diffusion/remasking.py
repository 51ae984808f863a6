"""Which guesses are committed first. Higher scores first; ties go to the lowest position.

"Remasking" is LLaDA's word for the ranking: guesses below the cut stay masked. A committed token is never
masked again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# (log-probabilities (n, V), chosen tokens (n,), uniform noise (n,)) -> scores (n,)
Strategy = Callable[[Tensor, Tensor, Tensor], Tensor]


def low_confidence(log_probs: Tensor, chosen: Tensor, noise: Tensor) -> Tensor:
    """The probability of the chosen token: the least confident stay masked (LLaDA's default)."""
    return log_probs.gather(1, chosen[:, None])[:, 0].exp()


def random(log_probs: Tensor, chosen: Tensor, noise: Tensor) -> Tensor:
    """Any order, whatever the model is sure of."""
    return noise


def margin(log_probs: Tensor, chosen: Tensor, noise: Tensor) -> Tensor:
    """How far the likeliest token is ahead of the second (arXiv 2502.06768)."""
    best = log_probs.topk(2, dim=1).values.exp()
    return best[:, 0] - best[:, 1]


def entropy(log_probs: Tensor, chosen: Tensor, noise: Tensor) -> Tensor:
    """The negative entropy of the whole distribution, in nats."""
    return torch.special.entr(log_probs.exp()).sum(1).neg()


STRATEGIES: dict[str, Strategy] = {
    "low_confidence": low_confidence,
    "random": random,
    "margin": margin,
    "entropy": entropy,
}
NOISY = frozenset({"random"})  # the strategies that look at the noise
