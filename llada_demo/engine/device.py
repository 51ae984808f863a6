"""Where the model runs and in which number type, decided by looking and measuring."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from llada_demo.core.errors import UserError
from llada_demo.core.settings import Settings

WORTH_IT = 1.3  # bf16 is used on a CPU that multiplies at least this much faster with it


@dataclass(frozen=True)
class Placement:
    """device "cpu" or "cuda", dtype, and why, for `doctor` and the page's header."""

    device: str
    dtype: torch.dtype
    reason: str


def place(settings: Settings) -> Placement:
    """The device and type of the settings; "auto" looks for a GPU and measures the CPU.

    Raises UserError where a GPU is asked for and none is there.
    """
    device = settings.device
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "LLADA_DEVICE=cuda, tetapi tidak ada GPU yang dapat dipakai. Kosongkan untuk memakai CPU.",
            "LLADA_DEVICE=cuda, but there is no usable GPU. Leave it empty to use the CPU.",
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if settings.dtype != "auto":
        return Placement(device, getattr(torch, settings.dtype), f"LLADA_DTYPE={settings.dtype}")
    if device == "cuda":
        return Placement(device, torch.bfloat16, "GPU: bfloat16")
    gain = bf16_gain()
    chosen = torch.bfloat16 if gain >= WORTH_IT else torch.float32
    return Placement(device, chosen, f"CPU: bfloat16 multiplies {gain:.1f}x as fast as float32, measured at start")


def bf16_gain(rows: int = 128, width: int = 512, repeats: int = 5) -> float:
    """How many times faster this CPU multiplies in bf16 than in float32 (takes a few milliseconds)."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(rows, width, dtype=dtype), torch.ones(2 * width, width, dtype=dtype)
        times = []
        for _ in range(repeats + 1):
            began = time.perf_counter()
            torch.nn.functional.linear(a, b)
            times.append(time.perf_counter() - began)
        seconds[dtype] = min(times[1:])  # the first one warms up
    return seconds[torch.float32] / seconds[torch.bfloat16]
