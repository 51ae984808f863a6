"""Reading a text once and keeping of its attention what was asked for: layer by layer, so that a big model fits.

L tokens, W words, N layers, H heads. A row is a query (who looks), a column a key (what is looked at); rows sum to 1.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llada_demo.attention.summary import merge, rollout, share_ahead, sinks
from llada_demo.model import LLaDAModelLM

REGIMES = ("full", "causal")  # as LLaDA was trained; as a GPT sees, in every layer of the same weights
SCALE = 65535  # what 1 is written as


@dataclass(frozen=True)
class Seen:
    """Attention under one regime, float32 on the CPU: means over the heads of every layer (N, W, W), the rollout over
    all layers (W, W), and of one layer every head (H, W, W), where it was asked for."""

    means: Tensor
    rollout: Tensor
    heads: Tensor | None = None


@dataclass(frozen=True)
class AttentionRecord:
    """What a text attends to: `seen` by regime, between `words` of the kinds text, special and mask.

    heads: how many there are in a layer; layer: the one whose heads were asked for, from 0; about: the model.
    """

    words: tuple[str, ...]
    kinds: tuple[str, ...]
    heads: int
    layer: int | None
    seen: Mapping[str, Seen]
    about: Mapping[str, Any]

    def sinks(self, regime: str) -> list[int]:
        """The words that draw attention from everywhere, on the mean over layers and heads."""
        seen = self.seen[regime].means.mean(0)
        return sinks(seen, torch.ones_like(seen, dtype=torch.bool).tril() if regime == "causal" else None)

    def ahead(self, regime: str) -> float:
        """The share of attention that goes forward, 0 to 1, on the mean over layers and heads."""
        return share_ahead(self.seen[regime].means.mean(0))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data. Matrices are base64 of little-endian uint16, row by row, a share of 1 as 65535."""
        return {
            "schema": 1,
            "about": dict(self.about),
            "words": list(self.words),
            "kinds": list(self.kinds),
            "layers": len(next(iter(self.seen.values())).means),
            "heads": self.heads,
            "layer": self.layer,
            "scale": SCALE,
            "seen": {regime: self._regime(regime) for regime in self.seen},
        }

    def _regime(self, regime: str) -> dict[str, Any]:
        seen = self.seen[regime]
        parts = {"means": seen.means, "rollout": seen.rollout, "heads": seen.heads}
        packed = {name: pack(part) for name, part in parts.items() if part is not None}
        return {**packed, "sinks": self.sinks(regime), "ahead": round(self.ahead(regime), 4)}


def pack(shares: Tensor) -> str:
    """Shares, 0 to 1, as base64 of little-endian uint16."""
    whole = (shares.clamp(0, 1) * SCALE).round().to(torch.int32).numpy()
    return base64.b64encode(whole.astype("<u2").tobytes()).decode()


def regime_mask(regime: str, length: int, device: torch.device | str = "cpu") -> Tensor | None:
    """What may be seen, as the network takes it: None for all, or bool (1, 1, L, L), True = may be attended to."""
    if regime not in REGIMES:
        raise ValueError(f"the regime cannot be {regime!r}; there are: {', '.join(REGIMES)}")
    if regime == "full":
        return None
    return torch.ones(1, 1, length, length, dtype=torch.bool, device=device).tril()


@torch.inference_mode()
def observe(model: LLaDAModelLM, ids: Tensor, regime: str, see: Callable[[int, Tensor], None]) -> None:
    """One forward over ids (L,); see(layer, attention (H, L, L) in float32) for every layer, and nothing is kept."""
    mask = regime_mask(regime, len(ids), ids.device)
    first = torch.zeros(1, 1, dtype=torch.long, device=ids.device)  # the head is of no use here: one row is enough
    model(ids[None], mask, positions=first, observe=lambda layer, seen: see(layer, seen[0]))


def record(model: LLaDAModelLM, ids: Tensor, regime: str, groups: Sequence[slice], layer: int | None = None) -> Seen:
    """The attention of ids (L,) between the words `groups` (W slices of it). Raises IndexError for no such layer."""
    layers = model.config.n_layers
    if layer is not None and not 0 <= layer < layers:
        raise IndexError(f"layer {layer} of {layers}")
    means: list[Tensor] = []
    heads: list[Tensor] = []

    def see(at: int, seen: Tensor) -> None:
        means.append(seen.mean(0).cpu())
        if at == layer:
            heads.append(merge(seen.cpu(), groups))

    observe(model, ids, regime, see)
    tokens = torch.stack(means)
    return Seen(merge(tokens, groups), merge(rollout(tokens), groups), heads[0] if heads else None)


def pair_scores(model: LLaDAModelLM, ids: Tensor, regime: str, query: slice, keys: Sequence[slice]) -> Tensor:
    """How much every head's query word attends to each of K key words: (N, H, K).

    A word is a slice of token positions: the mean over the pieces of the query, the sum over those of a key.
    """
    rows: list[Tensor] = []

    def see(_: int, seen: Tensor) -> None:
        looked = seen[:, query].mean(1)  # (H, L)
        rows.append(torch.stack([looked[:, key].sum(1) for key in keys], 1).cpu())

    observe(model, ids, regime, see)
    return torch.stack(rows)
