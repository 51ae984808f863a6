"""From asks to logits: rows of different lengths in one forward of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from llada_demo.diffusion.loop import Ask, Predict


def model_predict(model: Any, pad_id: int) -> Predict:
    """`predict` for `denoise`, computed by a LLaDA network."""
    return lambda asks: forward(model, asks, pad_id)


@torch.inference_mode()
def forward(model: Any, asks: Sequence[Ask], pad_id: int, call: Callable[..., Any] | None = None) -> list[Tensor]:
    """Logits (P, V) of every ask, all rows in one forward.

    Rows are padded on the right and the padding is masked, so real tokens keep their positions and a row
    equals its single run.
    """
    device = asks[0].ids.device
    length = max(len(ask.ids) for ask in asks)
    width = max(len(ask.positions) for ask in asks)
    ids = torch.full((len(asks), length), pad_id, dtype=torch.long, device=device)
    mask = torch.zeros((len(asks), length), dtype=torch.long, device=device) if _uneven(asks, length) else None
    positions = torch.zeros((len(asks), width), dtype=torch.long, device=device)
    for i, ask in enumerate(asks):
        ids[i, : len(ask.ids)] = ask.ids
        if mask is not None:
            mask[i, : len(ask.ids)] = 1 if ask.attention_mask is None else ask.attention_mask
        positions[i, : len(ask.positions)] = ask.positions
    logits = (call or model)(ids, attention_mask=mask, positions=positions).logits
    return [logits[i, : len(ask.positions)] for i, ask in enumerate(asks)]


def _uneven(asks: Sequence[Ask], length: int) -> bool:
    """Whether any row has padding: else no mask is needed, and nothing waits for the device to look at it."""
    return any(ask.attention_mask is not None or len(ask.ids) < length for ask in asks)
