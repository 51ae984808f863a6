"""The adapter itself: where it sits, how it starts, what optimises it, and how it is taken out again.

PiSSA rewrites a layer's weight W to W - s B0 A0, with (B0, A0) from a randomised SVD. So the adapter alone does
not say what was trained: its start is kept beside it, in checkpoints too, and what is saved in the end is the
ordinary LoRA s (B A - B0 A0) of twice the rank, on a base that nobody touched.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.optimizers import create_loraplus_optimizer
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from llada_demo.core.errors import UserError
from llada_demo.learning.tuning import FinetuneSettings
from llada_demo.model import LLaDAModelLM

HEAD = "head"  # what settings call the output matrix, whose own name is that of a layer in the blocks
HEAD_PATH = "model.transformer.ff_out"
BLOCKS = "model.transformer.blocks."


def target_names(model: nn.Module) -> dict[str, list[str]]:
    """The layers that a setting can name: name -> full paths. `head` only where there is an output matrix."""
    found: dict[str, list[str]] = {}
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear):
            if path.startswith(BLOCKS):
                found.setdefault(path.rsplit(".", 1)[-1], []).append(path)
            elif path == HEAD_PATH:
                found[HEAD] = [path]
    return found


def target_modules(model: nn.Module, targets: Iterable[str]) -> list[str]:
    """What PEFT gets as `target_modules`: names where they are unambiguous, else full paths; never a pattern.

    PEFT matches ends of paths, so the name `ff_out` would take the output matrix along. Raises UserError for a
    name that matches nothing, with the names that there are.
    """
    known = target_names(model)
    if missing := [name for name in targets if name not in known]:
        raise UserError(
            f"Tidak ada lapisan bernama {', '.join(missing)} di model ini; yang ada: {', '.join(known)}.",
            f"This model has no layer named {', '.join(missing)}; there are: {', '.join(known)}.",
        )
    plain = HEAD_PATH.rsplit(".", 1)[-1]
    return [entry for name in targets for entry in (known[name] if name in (HEAD, plain) else [name])]


def attach(
    model: LLaDAModelLM, settings: FinetuneSettings, base_name: str, start: Mapping[str, Tensor] | None = None
) -> PeftModel:
    """The model with a fresh adapter in float32, everything else frozen. The model is changed in place.

    start: the adapter that a PiSSA run began with (`adapter_state`); the base is then moved by exactly it,
    instead of by a new random decomposition. The same seed gives the same adapter. Raises UserError.
    """
    modules = target_modules(model, settings.targets)
    if settings.pissa:
        _check_rank(model, settings)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,  # without one, PEFT would write into the file which class to import
        r=settings.r,
        lora_alpha=cast(int, settings.alpha),
        lora_dropout=settings.dropout,
        target_modules=modules,
        use_rslora=settings.method == "rslora",
        init_lora_weights=cast(Any, True if start is not None or not settings.pissa else settings.init),
    )
    model.requires_grad_(False)
    kept = _target_weights(model, settings) if settings.pissa else {}
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`.*gradient_checkpointing.*` is deprecated")  # newer names are too new
        torch.manual_seed(settings.seed)
        adapted = cast(PeftModel, get_peft_model(model, config))
        if settings.gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    adapted.peft_config["default"].base_model_name_or_path = base_name  # PEFT puts a path of this machine there
    if start is not None:
        load_state(adapted, start)
    if settings.pissa:
        _move_base(adapted, kept)
    return adapted


def adapter_state(adapted: PeftModel) -> dict[str, Tensor]:
    """A copy of the adapter's tensors, by PEFT's names, on the CPU."""
    state = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in state.items()}


def load_state(adapted: PeftModel, state: Mapping[str, Tensor]) -> None:
    """Puts `adapter_state`'s tensors back. Raises ValueError where one does not belong here."""
    result = cast(Any, set_peft_model_state_dict(adapted, dict(state)))
    missing = [key for key in result.missing_keys if "lora_" in key]
    if result.unexpected_keys or missing:
        raise ValueError(f"not this adapter's state: {(result.unexpected_keys + missing)[:3]}")


def make_optimizer(adapted: PeftModel, settings: FinetuneSettings) -> torch.optim.Optimizer:
    """AdamW, or 8-bit Adam, over the adapter; with LoRA+ B's rate is `rate_b`.

    Every group keeps its rate at full height as `base_lr`, which the schedule multiplies.
    """
    if settings.optimizer == "adam8bit":
        kind = importlib.import_module("bitsandbytes").optim.Adam8bit
    else:
        kind = torch.optim.AdamW
    if settings.method == "loraplus":
        optimizer = create_loraplus_optimizer(
            adapted,
            kind,
            lr=settings.learning_rate,
            loraplus_lr_ratio=settings.rate_b / settings.learning_rate,
            loraplus_weight_decay=settings.weight_decay,
        )
    else:
        trained = [p for p in adapted.parameters() if p.requires_grad]
        optimizer = kind(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    for group in optimizer.param_groups:
        group["base_lr"] = group["lr"]
    return optimizer


def save_ordinary(adapted: PeftModel, folder: Path, scratch: Path, start: Mapping[str, Tensor] | None) -> None:
    """Writes adapter_config.json (without the base's name) and adapter_model.safetensors: an ordinary LoRA.

    start: what a PiSSA run began with, else None; the saved rank and alpha are then doubled. scratch: an empty
    folder for the start, which PEFT wants to read from a disk. On a base in bfloat16 the moved weights W - s B0 A0
    were rounded once in training, and the saved adapter on W differs from what was trained by that rounding.
    """
    config = adapted.peft_config["default"]
    name, own = config.base_model_name_or_path, adapted.get_base_model().name_or_path
    # PEFT looks the base up by its name, over the net if it must; a folder of this machine it looks up here.
    config.base_model_name_or_path = cast(str, own) or None
    try:
        if start is None:
            adapted.save_pretrained(str(folder), save_embedding_layers=False)
        else:
            _save_difference(adapted, folder, scratch / "start", start)
    finally:
        config.base_model_name_or_path = name


def _save_difference(adapted: PeftModel, folder: Path, initial: Path, start: Mapping[str, Tensor]) -> None:
    """s (B A - B0 A0) by PEFT's own conversion; `initial`'s name becomes that of an adapter for a moment."""
    trained = adapter_state(adapted)
    try:
        load_state(adapted, start)
        adapted.save_pretrained(str(initial), save_embedding_layers=False)
    finally:
        load_state(adapted, trained)
    adapted.save_pretrained(
        str(folder), save_embedding_layers=False, path_initial_model_for_weight_conversion=str(initial)
    )


def _target_weights(model: nn.Module, settings: FinetuneSettings) -> dict[str, Tensor]:
    """Copies of the weights that PiSSA is going to move, by path."""
    known = target_names(model)
    paths = (path for name in settings.targets for path in known[name])
    return {path: cast(Tensor, model.get_submodule(path).weight).detach().clone() for path in paths}


@torch.no_grad()
def _move_base(adapted: PeftModel, kept: Mapping[str, Tensor]) -> None:
    """W - s B A for every layer, with B and A as they are now.

    PEFT has done so before it rounds B and A to the base's type: in bfloat16 the function would have changed, and
    a run that goes on would get another base than the one that it left.
    """
    for path, weight in kept.items():
        layer = cast(LoraLayer, adapted.get_base_model().get_submodule(path))
        b, a = layer.lora_B["default"].weight, layer.lora_A["default"].weight
        moved = weight.float() - layer.scaling["default"] * b.float() @ a.float()
        cast(Tensor, layer.get_base_layer().weight).data = moved.to(weight.dtype)


def _check_rank(model: nn.Module, settings: FinetuneSettings) -> None:
    known = target_names(model)
    layers = [model.get_submodule(path) for name in settings.targets for path in known[name]]
    most = min(min(cast(Tensor, layer.weight).shape) for layer in layers)
    if settings.r > most:
        raise UserError(
            f"r harus paling banyak {most} dengan PiSSA pada model ini, bukan {settings.r}.",
            f"r must be at most {most} with PiSSA on this model, not {settings.r}.",
        )
