"""Random numbers that are a function of (seed, step, position): an answer owes nothing to its neighbours.

A counter-based generator (the PCG hash of Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT
2020), in integer arithmetic, so that the same numbers come out on every device and in every batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF
GUMBEL, RANK, MASK = 1, 2, 3  # streams: for the choice of a token, for the `random` strategy, for the forward process


def _hash(x: Tensor) -> Tensor:
    """PCG-RXS-M-XS-32 of every element; int64 tensors that hold unsigned 32-bit numbers."""
    state = (x * 747796405 + 2891336453) & _WORD
    word = (((state >> ((state >> 28) + 4)) ^ state) * 277803737) & _WORD
    return (word >> 22) ^ word


def uniform(seed: int, step: int, positions: Tensor, width: int, stream: int) -> Tensor:
    """Numbers in (0, 1), float32, (n, width) for n positions (int64, relative to the answer's start)."""
    key = torch.full_like(positions, (seed >> 32) & _WORD)
    for part in (seed & _WORD, step, stream, positions):
        key = _hash(key ^ part)
    lanes = _hash(torch.arange(width, device=positions.device))
    bits = _hash(_hash(lanes[None] ^ key[:, None]) ^ _hash(key)[:, None])
    return ((bits >> 9).float() + 0.5) * 2.0**-23  # 23 bits: 0 and 1 cannot occur


def gumbel(seed: int, step: int, positions: Tensor, width: int) -> Tensor:
    """Standard Gumbel noise (n, width): argmax(logits + T x noise) samples softmax(logits / T)."""
    return -(-uniform(seed, step, positions, width, GUMBEL).log()).log()


class SharedGumbel:
    """`gumbel` that keeps its last numbers: rows of one seed that are in step, as in a comparison, draw them once."""

    def __init__(self) -> None:
        self._asked: tuple[object, ...] = ()
        self._drawn = torch.empty(0)

    def __call__(self, seed: int, step: int, positions: Tensor, width: int) -> Tensor:
        """The same as `gumbel`; not to be changed in place."""
        asked = (seed, step, width, positions.device, *positions.tolist())
        if asked != self._asked:
            self._asked, self._drawn = asked, gumbel(seed, step, positions, width)
        return self._drawn
