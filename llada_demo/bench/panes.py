"""What a comparison costs: base and three adapters in step, beside the same runs one after the other."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from llada_demo.adapters.checking import linears
from llada_demo.bench.race import clock
from llada_demo.core.chat import opened
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine

RANKS = (4, 8, 16)
PLACE = ".blocks."  # every Linear of every block: no adapter can be dearer at its rank

Answers = list[list[int | None]]


def panes(settings: Settings, text: str, options: SamplingOptions, repeats: int = 3) -> list[dict[str, Any]]:
    """The figures in float32, where tokens are the same on every machine, and in the type of the settings."""
    rows: list[dict[str, Any]] = []
    for dtype in dict.fromkeys(("float32", settings.dtype)):
        engine = Engine.load(replace(settings, dtype=dtype))
        if engine.about()["dtype"] not in (row["dtype"] for row in rows):
            rows.append(of_engine(engine, text, options, repeats))
    return rows


def of_engine(engine: Engine, text: str, options: SamplingOptions, repeats: int) -> dict[str, Any]:
    """Medians of seconds: the base alone, base and adapters one after the other, and all in step; their ratios; and
    whether every pane has the tokens of its single run. All do the same number of steps. Panes cost `panes/single`
    times the base alone, the cheapest of them, and `panes/mean_single` times what one of them costs alone on average.
    """
    options, messages = replace(options, stop_at_end=False, threshold=None), opened(text)
    with tempfile.TemporaryDirectory(prefix="llada-bench-") as place:
        names = [
            engine.shelf.add(made_up_adapter(engine.model, Path(place) / f"rank-{rank}", rank)).name for rank in RANKS
        ]

    def alone(adapters: Sequence[str | None]) -> Answers:
        runs = [engine.start(messages, options, adapter) for adapter in adapters]
        for run in runs:
            for _ in run:
                pass
        return [run.answer for run in runs]

    def in_step() -> Answers:
        comparison = engine.compare(messages, options, names)
        for _ in comparison:
            pass
        return [run.answer for run in comparison.runs]

    work: dict[str, Callable[[], Answers]] = {
        "single": lambda: alone([None]),
        "singles": lambda: alone([None, *names]),
        "panes": in_step,
    }
    answers = {name: do() for name, do in work.items()}  # a warm-up
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(repeats):
        for name in work if repeat % 2 == 0 else reversed(work):
            began = clock(engine.model.device)
            work[name]()
            seconds[name].append(clock(engine.model.device) - began)
    single, singles, together = (median(seconds[name]) for name in work)
    return {
        "dtype": engine.about()["dtype"],
        "panes": 1 + len(names),
        "single_seconds": round(single, 4),
        "singles_seconds": round(singles, 4),
        "panes_seconds": round(together, 4),
        "panes/single": round(together / single, 3),
        "panes/mean_single": round(together / (singles / (1 + len(names))), 3),
        "singles/panes": round(singles / together, 3),
        "tokens_identical": answers["panes"] == answers["singles"],
        "answers_differ": len({tuple(answer) for answer in answers["panes"]}),
    }


def made_up_adapter(model: nn.Module, folder: Path, rank: int, seed: int = 0, size: float = 0.02) -> Path:
    """A LoRA with random weights, as PEFT saves one, that fits the model and changes its answers. Returns its folder.

    size: the standard deviation of B; A's is 1 / sqrt(its inputs)."""
    generator = torch.Generator().manual_seed(1000 * seed + rank)
    tensors: dict[str, Tensor] = {}
    for name, layer in linears(model).items():
        if PLACE in name:
            a = torch.randn(rank, layer.in_features, generator=generator) / layer.in_features**0.5
            stem = f"base_model.model.{name}"
            tensors[f"{stem}.lora_A.weight"] = a
            tensors[f"{stem}.lora_B.weight"] = torch.randn(layer.out_features, rank, generator=generator) * size
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    targets = sorted({name.rsplit(".", 1)[-1] for name in linears(model) if PLACE in name})
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "target_modules": targets, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
