"""One measurement: a warm-up, the race, and everything it says as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from llada_demo.bench.figures import figures, identity, quality, ratios
from llada_demo.bench.race import contestants, race
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
    }
    if threshold is not None:
        result["quality"] = {"threshold": threshold, **quality(runs, model, asked, tokens)}
    return result


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
