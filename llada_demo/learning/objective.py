"""What training asks of the model: noise, then cross-entropy at the masked positions.

The reference objective of LLaDA (arXiv 2502.09992, eq. 3 and 5) draws t ~ U(eps, 1), masks each answer token
with probability t and weighs the loss by 1 / t. `Noise` offers it and the variants that make small models
learn faster: uniform weights, t concentrated around the middle, and block-wise masks as the sampler sees
them (what is left of a block known, what is right of it masked).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-3
WEIGHTINGS = ("uniform", "reference")
SHAPES = ("uniform", "bell")


@dataclass(frozen=True)
class Noise:
    """How the masks of a batch are drawn.

    weighting: "uniform" or "reference" (1 / t). t: "uniform" or "bell" (around 0.5). blocks: the share of rows
    whose mask is block-wise, with block lengths drawn from `block_lengths`.
    """

    weighting: str = "uniform"
    t: str = "bell"
    blocks: float = 0.0
    block_lengths: tuple[int, ...] = (8, 16, 32)
    beyond_weight: float = 0.2

    def __post_init__(self) -> None:
        for name, allowed in (("weighting", WEIGHTINGS), ("t", SHAPES)):
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name} cannot be {value!r}; there are: {', '.join(allowed)}")


def stratified_t(rows: int, shape: str, generator: torch.Generator) -> Tensor:
    """One t in (eps, 1] per row, low-discrepancy: each row falls into another of `rows` equal quantiles.

    "uniform", or "bell": the triangular distribution with its peak at 0.5.
    """
    u = (torch.randperm(rows, generator=generator) + torch.rand(rows, generator=generator)) / rows
    if shape == "bell":
        u = torch.where(u < 0.5, (u / 2).sqrt(), 1 - ((1 - u) / 2).sqrt())
    return (1 - EPS) * u + EPS


def mask_rows(
    supervised: Tensor, noise: Noise, generator: torch.Generator, importance: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Which positions are masked, and the weight of each in the loss.

    supervised: (B, L) bool, the answer's tokens, one contiguous run per row; importance: (B, L) factors of the
    loss, 1 where absent. Returns masked (B, L) bool, a subset of it with at least one position in every row
    that has any, and weights (B, L): the loss is the sum of weight x cross-entropy over the masked positions.
    "reference": 1 / (t x answer length x B), and 0 in a row where chance masked nothing; "uniform": every
    masked token of the batch alike, those beyond the block less.
    """
    rows, length = supervised.shape
    t = stratified_t(rows, noise.t, generator)[:, None]
    chance = torch.rand(rows, length, generator=generator)
    masked = supervised & (chance < t)
    weights = torch.ones(rows, length) if importance is None else importance
    eligible = supervised  # for the one mask of a row in which chance masked nothing
    if noise.blocks > 0:
        in_block, beyond = _blocks(supervised, noise, generator)
        chosen = (torch.rand(rows, generator=generator) < noise.blocks)[:, None]
        masked = torch.where(chosen, (in_block & (chance < t)) | beyond, masked)
        weights = torch.where(chosen & beyond, weights * noise.beyond_weight, weights)
        eligible = torch.where(chosen, in_block, supervised)
    lonely = ~masked.any(1) & supervised.any(1)
    if lonely.any():
        first = torch.where(eligible, chance, torch.inf).argmin(1)
        masked[lonely, first[lonely]] = True
    if noise.weighting == "reference":
        weights = weights * ~lonely[:, None]  # such a row counts nothing there; 1 / t of it would be a bias
        return masked, (weights / (t * supervised.sum(1, keepdim=True).clamp(min=1) * rows))
    return masked, weights / (weights * masked).sum().clamp(min=1)


def _blocks(supervised: Tensor, noise: Noise, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random block of every row's run, and what lies beyond it (both (B, L) bool)."""
    rows, length = supervised.shape
    start = supervised.int().argmax(1)
    lengths = supervised.sum(1).clamp(min=1)
    sizes = torch.tensor(noise.block_lengths)[torch.randint(len(noise.block_lengths), (rows,), generator=generator)]
    count = (lengths + sizes - 1) // sizes
    first = start + (torch.rand(rows, generator=generator) * count).long() * sizes
    at = torch.arange(length)[None]
    in_block = supervised & (at >= first[:, None]) & (at < (first + sizes)[:, None])
    return in_block, supervised & (at >= (first + sizes)[:, None])


def masked_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted sum of cross-entropies, and their plain mean (nats per token, for the log).

    logits (n, V), targets (n,), weights (n,) as `mask_rows` gives them, all at the masked positions.
    """
    losses = F.cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum(), losses.detach().mean()
