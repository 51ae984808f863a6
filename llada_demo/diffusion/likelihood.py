"""A bound on the likelihood of an answer (arXiv 2502.09992, eq. 6), estimated with few draws.

-log p(answer | prompt) <= E_l [ L / l x sum of cross-entropies at l masked positions ], l uniform on 1..L.
Exactly l positions are masked and l is stratified over 1..L, which needs about twenty times fewer draws than
masking each position independently. Two models that are compared get the same masks from the same seed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def draw_masks(length: int, draws: int, seed: int) -> Tensor:
    """(draws, length) bool: row j masks exactly l positions, l from the j-th of `draws` strata of 1..length."""
    generator = torch.Generator().manual_seed(seed)
    strata = (torch.arange(draws) + torch.rand(draws, generator=generator)) / draws
    counts = (strata * length).long().clamp(max=length - 1) + 1
    order = torch.rand(draws, length, generator=generator).argsort(1).argsort(1)
    return order < counts[:, None]


@torch.inference_mode()
def negative_log_likelihood(
    model: torch.nn.Module, ids: Tensor, start: int, mask_id: int, draws: int = 16, seed: int = 0
) -> float:
    """The bound in nats for ids[start:] given ids[:start]. ids: (L,) int64 on the model's device."""
    length = len(ids) - start
    masks = draw_masks(length, draws, seed).to(ids.device)
    canvases = ids.repeat(draws, 1)
    canvases[:, start:][masks] = mask_id
    positions = torch.arange(start, len(ids), device=ids.device).expand(draws, -1)
    logits = model(canvases, positions=positions).logits
    losses = F.cross_entropy(logits[masks].float(), ids[start:].expand(draws, -1)[masks], reduction="none")
    weights = (length / masks.sum(1, keepdim=True)).expand(-1, length)[masks]
    return float((losses * weights).sum() / draws)
