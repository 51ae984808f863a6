"""Sizes and places that the tests of the model share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llada_demo.model import LLaDAConfig

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "llada-tiny"
VOCABULARY_SIZE = 400


def tiny_config(**changes: Any) -> LLaDAConfig:
    """Two blocks of width 32 with four heads, 64 tokens."""
    sizes = {"d_model": 32, "n_layers": 2, "n_heads": 4, "mlp_hidden_size": 48, "vocab_size": 64}
    return LLaDAConfig(**{**sizes, "max_sequence_length": 64, "init_std": 0.2, **changes})
