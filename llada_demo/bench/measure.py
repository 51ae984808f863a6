"""One measurement: a warm-up, the race, and everything it says as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import torch
from torch import nn

from llada_demo.attention.record import record
from llada_demo.bench.figures import figures, identity, quality, ratios
from llada_demo.bench.race import clock, contestants, race
from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion.loop import Tokens


def measure(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    tokens: Tokens,
    options: SamplingOptions,
    repeats: int = 3,
    threshold: float | None = 0.9,
) -> dict[str, Any]:
    """The whole race as plain data: per contestant its figures; ratios, identity, quality, memory."""
    weights = next(model.parameters())
    asked = [torch.tensor(ids, device=weights.device) for ids in prompts]
    everyone = contestants(model, options, tokens, threshold)
    memory = {"loaded_mib": peak_memory(weights.device)}
    longest = max(asked, key=len)
    for name in reversed(everyone):  # a warm-up; ours before the rival, to see how much memory each needs
        everyone[name](longest)
        if name in ("exact", "reference"):
            memory[f"{name}_mib"] = peak_memory(weights.device)
    runs = race(everyone, asked, repeats)
    times = {name: figures(of_name, tokens) for name, of_name in runs.items()}
    result = {
        "times": times,
        "ratios": ratios(times),
        "cpu_ratios": ratios(times, "cpu_seconds"),
        "identity": identity(runs, tokens, weights.dtype),
        "peak_memory": memory,
        "attention": recording(model, longest),
    }
    if threshold is not None:
        result["quality"] = {"threshold": threshold, **quality(runs, model, asked, tokens)}
    return result


def recording(model: Any, prompt: torch.Tensor, length: int = 128, repeats: int = 15) -> dict[str, float]:
    """What it costs to record attention while `length` tokens are read, beside a plain forward over them."""
    ids = prompt.repeat(length // len(prompt) + 1)[:length]
    words = [slice(at, at + 1) for at in range(length)]
    seconds: dict[str, list[float]] = {"plain": [], "recorded": []}
    for _ in range(repeats + 1):  # the first is a warm-up
        began = clock(ids.device)
        with torch.inference_mode():
            model(ids[None])
        seconds["plain"].append(clock(ids.device) - began)
        began = clock(ids.device)
        record(model, ids, "full", words)
        seconds["recorded"].append(clock(ids.device) - began)
    plain, recorded = (median(seconds[name][1:]) for name in ("plain", "recorded"))
    return {
        "tokens": length,
        "plain_ms": round(1000 * plain, 2),
        "recorded_ms": round(1000 * recorded, 2),
        "recorded/plain": round(recorded / plain, 3),
    }


def peak_memory(device: torch.device) -> float:
    """MiB that the process (on a GPU: its tensors) has taken at most so far; 0 where nobody counts."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
