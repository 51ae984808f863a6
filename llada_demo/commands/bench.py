"""`python -m llada_demo bench`: ours against the public reference sampler, in one run on this machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from llada_demo.commands.shared import add_model_flags, settings_of
from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions

HELP = "time ours against the public reference sampler"
COUNTS = ("repeats", "limit", "layers", "prompt_length")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--gen-length", type=int, default=64, help="answer length in tokens (default: 64)")
    parser.add_argument("--steps", type=int, default=32, help="denoising steps (default: 32)")
    parser.add_argument("--block-length", type=int, default=16, help="block length in tokens (default: 16)")
    parser.add_argument(
        "--threshold", type=float, default=0.9, help="of the approximate run; 0 leaves it out (default: 0.9)"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of everyone on every prompt (default: 3)"
    )
    parser.add_argument(
        "--prompts", type=Path, help="file with one prompt a line (default: twenty everyday ones)"
    )
    parser.add_argument("--limit", type=int, help="use only so many prompts")
    parser.add_argument(
        "--visitors", default="1,2,4,8", help="numbers of visitors to answer at once; empty for none"
    )
    parser.add_argument("--shape", choices=("8b",), help="random weights of this size instead of a model")
    parser.add_argument("--layers", type=int, help="with --shape: so many layers instead of all")
    parser.add_argument(
        "--prompt-length", type=int, default=64, help="with --shape: tokens of the prompt (default: 64)"
    )
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    from llada_demo.bench.table import lines

    report = bench(args)
    print(json.dumps(report, ensure_ascii=False) if args.json else "\n".join(lines(report)))
    return 0


def bench(args: argparse.Namespace) -> dict[str, Any]:
    """The whole report. Raises UserError."""
    from llada_demo.bench.measure import measure
    from llada_demo.bench.visitors import throughput

    for name in COUNTS:
        if (value := getattr(args, name)) is not None and value < 1:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"{flag} harus 1 atau lebih, bukan {value}.", f"{flag} must be 1 or more, not {value}."
            )
    visitors = _numbers(args.visitors)
    options = SamplingOptions(gen_length=args.gen_length, steps=args.steps, block_length=args.block_length)
    threshold = SamplingOptions(threshold=args.threshold).threshold if args.threshold else None
    model, tokens, prompts, about = _random(args) if args.shape else _loaded(args, options)
    if args.shape:
        threshold = None  # random weights are never sure
    report = {
        "model": about,
        "machine": machine(about["device"]),
        "settings": {
            "gen_length": options.gen_length,
            "steps": options.steps,
            "block_length": options.block_length,
            "temperature": options.temperature,
            "prompts": len(prompts),
            "prompt_tokens": sum(map(len, prompts)),
            "repeats": args.repeats,
        },
        **measure(model, prompts, tokens, options, args.repeats, threshold),
    }
    if visitors:
        middle = sorted(prompts, key=len)[len(prompts) // 2]
        report["visitors"] = throughput(model, middle, tokens, options, visitors, args.repeats)
    return report


def machine(device: str) -> dict[str, Any]:
    """Processor, cores, threads and GPU of this machine."""
    import torch

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


def _loaded(
    args: argparse.Namespace, options: SamplingOptions
) -> tuple[Any, Any, list[list[int]], dict[str, Any]]:
    """The settings' model, its tokens, the prompts as ids behind the system prompt, and what it is."""
    from llada_demo.bench.prompts import PROMPTS, read_prompts
    from llada_demo.commands.shared import engine_of

    texts = (read_prompts(args.prompts) if args.prompts else list(PROMPTS))[: args.limit]
    began = time.perf_counter()
    engine = engine_of(args)
    seconds = round(time.perf_counter() - began, 3)
    system = {"role": "system", "content": SYSTEM_PROMPT}
    prompts = [list(engine.prepare([system, {"role": "user", "content": t}], options).prompt) for t in texts]
    return engine.model, engine.tokens, prompts, {**engine.about(), "load_seconds": seconds}


def _random(args: argparse.Namespace) -> tuple[Any, Any, list[list[int]], dict[str, Any]]:
    """Random weights of the asked shape and synthetic prompts."""
    import datetime

    import torch

    from llada_demo.bench.shapes import random_model, random_prompt
    from llada_demo.engine.device import place

    settings = settings_of(args)
    device = place(settings).device
    dtype = torch.bfloat16 if settings.dtype == "auto" else getattr(torch, settings.dtype)
    began = time.perf_counter()
    model, tokens = random_model(args.shape, args.layers, device, dtype)
    about = {
        "model": f"random weights of shape {args.shape}, {model.config.n_layers} layers",
        "sha256": None,
        "parameters": sum(p.numel() for p in model.parameters()),
        "device": device,
        "dtype": str(dtype).removeprefix("torch."),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "load_seconds": round(time.perf_counter() - began, 3),
    }
    return (
        model,
        tokens,
        [random_prompt(tokens, args.prompt_length, i) for i in range(args.limit or 1)],
        about,
    )


def _numbers(text: str) -> list[int]:
    """ "1,2,4" as numbers. Raises UserError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise UserError(
            f"--visitors harus bilangan bulat dipisahkan koma, misalnya 1,2,4, bukan {text!r}.",
            f"--visitors must be whole numbers with commas between, such as 1,2,4, not {text!r}.",
        )
    return sorted({int(part) for part in parts})
