"""Tiny networks, adapters written by hand and by PEFT, and a digest of all that a base consists of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny_config
from torch import Tensor, nn

from llada_demo.adapters import Adapter, AdapterError, read_adapter
from llada_demo.model import LLaDAModelLM

BLOCKS = "model.transformer.blocks"


@pytest.fixture(scope="session")
def build() -> Callable[..., LLaDAModelLM]:
    """build(**changes of the configuration): a tiny random network, the same at every call."""

    def built(**changes: Any) -> LLaDAModelLM:
        torch.manual_seed(0)
        return LLaDAModelLM(tiny_config(**changes)).eval().requires_grad_(False)

    return built


def digest(model: nn.Module) -> str:
    """SHA-256 of every parameter, by name."""
    found = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        found.update(name.encode() + parameter.detach().cpu().numpy().tobytes())
    return found.hexdigest()


@pytest.fixture
def base(build: Callable[..., LLaDAModelLM]) -> Iterator[LLaDAModelLM]:
    """An untied network whose parameters are the same, bit for bit, after every test."""
    model = build()
    before = digest(model)
    yield model
    assert digest(model) == before


@pytest.fixture(scope="session")
def ids() -> Tensor:
    """Four rows of ids (B, L) = (4, 7)."""
    return torch.arange(28).reshape(4, 7) * 5 % 60


@pytest.fixture(scope="session")
def logits() -> Callable[..., Tensor]:
    """logits(model, ids, **of the forward): (B, L or P, V)."""

    @torch.inference_mode()
    def computed(model: nn.Module, ids: Tensor, **options: Any) -> Tensor:
        return model(ids, **options).logits

    return computed


@pytest.fixture
def by_hand(tmp_path: Path, base: LLaDAModelLM) -> Callable[..., Path]:
    """by_hand(name, targets, rank, seed, **fields of the configuration): a folder, written without PEFT.

    A target is the end of a module's name. The weights have the names that published LLaDA adapters have.
    """

    def written(
        name: str = "adapter",
        targets: Sequence[str] = ("q_proj", "v_proj"),
        rank: int = 4,
        seed: int = 1,
        **fields: Any,
    ) -> Path:
        generator = torch.Generator().manual_seed(seed)
        tensors: dict[str, Tensor] = {}
        for module, layer in base.named_modules():
            if isinstance(layer, nn.Linear) and any(module.endswith(f".{target}") for target in targets):
                stem = f"base_model.model.{module}"
                tensors[f"{stem}.lora_A.weight"] = torch.randn(rank, layer.in_features, generator=generator) * 0.2
                tensors[f"{stem}.lora_B.weight"] = torch.randn(layer.out_features, rank, generator=generator) * 0.1
        folder = tmp_path / name
        folder.mkdir()
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "target_modules": list(targets), "bias": "none"}
        (folder / "adapter_config.json").write_text(json.dumps(config | fields))
        return folder

    return written


@pytest.fixture
def by_peft(tmp_path: Path, build: Callable[..., LLaDAModelLM]) -> Callable[..., tuple[Path, nn.Module]]:
    """by_peft(**of the LoraConfig): the folder that PEFT saved, and PEFT's model; B is random, not zero."""

    def saved(**options: Any) -> tuple[Path, nn.Module]:
        model = peft.get_peft_model(build(), peft.LoraConfig(**options)).eval()
        torch.manual_seed(7)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                nn.init.normal_(parameter, std=0.1)
        folder = tmp_path / "dari-peft"
        model.save_pretrained(folder, save_embedding_layers=False)
        return folder, model

    return saved


@pytest.fixture(scope="session")
def edit() -> Callable[..., None]:
    """edit(folder, **fields): changes adapter_config.json; `...` removes a field."""

    def changed(folder: Path, **fields: Any) -> None:
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text()) | fields
        path.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}))

    return changed


@pytest.fixture(scope="session")
def retouch() -> Callable[..., None]:
    """retouch(folder, change): `change` gets the dict of tensors, to alter in place."""

    def changed(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
        path = folder / "adapter_model.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path, metadata={"format": "pt"})

    return changed


@pytest.fixture
def refusal(base: LLaDAModelLM) -> Callable[..., AdapterError]:
    """refusal(source, model=base, **options): the error of read_adapter; it leaves the base as it was.

    Both sentences are there, differ, and are one line each.
    """

    def caught(source: str | Path, model: LLaDAModelLM | None = None, **options: Any) -> AdapterError:
        model = model or base
        before = digest(model)
        with pytest.raises(AdapterError) as error:
            read_adapter(source, model, **options)
        assert digest(model) == before
        indonesian, english = (error.value.in_language(language) for language in ("id", "en"))
        assert indonesian != english
        assert not {"\n", "\r"} & {*indonesian, *english}
        assert len(english) < 1000
        return error.value

    return caught


@pytest.fixture
def three(by_hand: Callable[..., Path], base: LLaDAModelLM) -> list[Adapter]:
    """Adapters a, b, c of ranks 1, 4 and 8 on different modules, c with the head."""
    shapes = (("a", ("q_proj",), 1), ("b", ("q_proj", "v_proj", "ff_proj"), 4), ("c", ("attn_out", "ff_out"), 8))
    return [
        read_adapter(by_hand(name, targets, rank, seed), base)
        for seed, (name, targets, rank) in enumerate(shapes, start=1)
    ]
