"""A LoRA with random weights, as PEFT saves one, for whatever network a test has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn


def write_adapter(
    folder: Path, model: nn.Module, rank: int = 2, seed: int = 1, card: str = "",
    targets: Sequence[str] = ("q_proj", "v_proj"),
) -> Path:  # fmt: skip
    """Writes configuration, weights strong enough to change an answer, and, where there is one, the card."""
    draw = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in targets:
            stem = f"base_model.model.{name}"
            tensors[f"{stem}.lora_A.weight"] = torch.randn(rank, layer.in_features, generator=draw) * 0.1
            tensors[f"{stem}.lora_B.weight"] = torch.randn(layer.out_features, rank, generator=draw) * 0.3
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "target_modules": list(targets), "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder
