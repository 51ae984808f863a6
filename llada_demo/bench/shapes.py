"""Networks of a published size with random weights: enough to time one without its 16 GB download."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from llada_demo.diffusion.loop import Tokens
from llada_demo.model import LLaDAConfig, LLaDAModelLM

SHAPES: Mapping[str, Mapping[str, Any]] = {
    "8b": {
        "d_model": 4096,
        "n_layers": 32,
        "n_heads": 32,
        "mlp_hidden_size": 12288,
        "vocab_size": 126464,
        "mask_token_id": 126336,
        "eos_token_id": 126081,
        "pad_token_id": 126081,
    }
}


def random_model(shape: str, layers: int | None, device: str, dtype: torch.dtype) -> tuple[LLaDAModelLM, Tokens]:
    """A network of SHAPES with random weights, made on the device in its type; `layers` None = all."""
    fields = SHAPES[shape]
    config = LLaDAConfig(**{**fields, "n_layers": layers or fields["n_layers"]})
    with torch.device(device), _default(dtype):
        torch.manual_seed(0)
        model = LLaDAModelLM(config)
    model.requires_grad_(False)
    eos = fields["eos_token_id"]
    return model.eval(), Tokens(fields["mask_token_id"], eos, (eos,))


def random_prompt(tokens: Tokens, length: int, seed: int = 0) -> list[int]:
    """Ids of ordinary tokens, below the special ones."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, min(tokens.eos, tokens.mask), (length,), generator=generator).tolist()


@contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
