"""What is measured: a network, the ids of its prompts, and what to say about both and about the machine."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from llada_demo.bench.shapes import random_model, random_prompt
from llada_demo.core.chat import opened
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.diffusion.loop import Tokens
from llada_demo.engine import Engine
from llada_demo.engine.device import place
from llada_demo.model import LLaDAModelLM


@dataclass(frozen=True)
class Subject:
    """A network, its special tokens, prompts as ids, and model id, digest, device, type, versions, date."""

    model: LLaDAModelLM
    tokens: Tokens
    prompts: Sequence[Sequence[int]]
    about: Mapping[str, Any]


def chat_subject(settings: Settings, texts: Sequence[str], options: SamplingOptions) -> Subject:
    """The settings' model and each text as its first question, behind the default system prompt."""
    began = time.perf_counter()
    engine = Engine.load(settings)
    seconds = round(time.perf_counter() - began, 3)
    prompts = [engine.prepare(opened(text), options).prompt for text in texts]
    return Subject(engine.model, engine.tokens, prompts, {**engine.about(), "load_seconds": seconds})


def random_subject(settings: Settings, shape: str, layers: int | None, prompts: int, length: int) -> Subject:
    """Random weights of a shape, bf16 unless the settings say otherwise, and prompts of random ids."""
    device = place(settings).device
    dtype = torch.bfloat16 if settings.dtype == "auto" else getattr(torch, settings.dtype)
    began = time.perf_counter()
    model, tokens = random_model(shape, layers, device, dtype)
    about = {
        "model": f"random weights of shape {shape}, {model.config.n_layers} layers",
        "sha256": None,
        "parameters": sum(p.numel() for p in model.parameters()),
        "device": device,
        "dtype": str(dtype).removeprefix("torch."),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "load_seconds": round(time.perf_counter() - began, 3),
    }
    return Subject(model, tokens, [random_prompt(tokens, length, seed) for seed in range(prompts)], about)


def machine(device: str) -> dict[str, Any]:
    """Processor, cores, threads and GPU of this machine."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
    }
