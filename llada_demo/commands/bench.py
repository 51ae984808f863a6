"""`python -m llada_demo bench`: ours against the public reference sampler, in one run on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from llada_demo.commands.shared import add_model_flags, settings_of
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
        "--threshold",
        type=float,
        default=0.9,
        help="of the approximate run, without --shape; 0 leaves it out (default: 0.9)",
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of everyone on every prompt (default: 3)")
    parser.add_argument("--prompts", type=Path, help="file with one prompt a line (default: twenty everyday ones)")
    parser.add_argument("--limit", type=int, help="use only so many prompts")
    parser.add_argument("--visitors", default="1,2,4,8", help="numbers of visitors at once; empty for none")
    parser.add_argument("--no-panes", action="store_true", help="leave out the comparison of base and adapters")
    parser.add_argument("--shape", choices=("8b",), help="random weights of this size instead of a model")
    parser.add_argument("--layers", type=int, help="with --shape: so many layers instead of all")
    parser.add_argument("--prompt-length", type=int, default=64, help="with --shape: tokens of a prompt (default: 64)")
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    from llada_demo.bench.table import lines

    report = bench(args)
    print(json.dumps(report, ensure_ascii=False) if args.json else "\n".join(lines(report)))
    return 0


def bench(args: argparse.Namespace) -> dict[str, Any]:
    """The whole report. Raises UserError."""
    from llada_demo.bench.measure import measure
    from llada_demo.bench.panes import panes
    from llada_demo.bench.prompts import PROMPTS, read_prompts
    from llada_demo.bench.subject import chat_subject, machine, random_subject
    from llada_demo.bench.visitors import throughput

    _check_counts(args)
    visitors = _numbers(args.visitors)
    options = SamplingOptions(gen_length=args.gen_length, steps=args.steps, block_length=args.block_length)
    threshold = SamplingOptions(threshold=args.threshold).threshold if args.threshold else None
    if args.shape:
        threshold = None  # random weights are never sure
        subject = random_subject(settings_of(args), args.shape, args.layers, args.limit or 1, args.prompt_length)
    else:
        texts = (read_prompts(args.prompts) if args.prompts else PROMPTS)[: args.limit]
        subject = chat_subject(settings_of(args), texts, options)
    report = {
        "model": dict(subject.about),
        "machine": machine(subject.about["device"]),
        "settings": {
            "gen_length": options.gen_length,
            "steps": options.steps,
            "block_length": options.block_length,
            "temperature": options.temperature,
            "prompts": len(subject.prompts),
            "prompt_tokens": sum(map(len, subject.prompts)),
            "repeats": args.repeats,
        },
        **measure(subject.model, subject.prompts, subject.tokens, options, args.repeats, threshold),
    }
    if visitors:
        middle = sorted(subject.prompts, key=len)[len(subject.prompts) // 2]
        report["visitors"] = throughput(subject.model, middle, subject.tokens, options, visitors, args.repeats)
    if not (args.shape or args.no_panes):
        report["panes"] = panes(settings_of(args), sorted(texts, key=len)[len(texts) // 2], options, args.repeats)
    return report


def _check_counts(args: argparse.Namespace) -> None:
    for name in COUNTS:
        if (value := getattr(args, name)) is not None and value < 1:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} harus 1 atau lebih, bukan {value}.", f"{flag} must be 1 or more, not {value}.")


def _numbers(text: str) -> list[int]:
    """The numbers of a list such as 1,2,4. Raises UserError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise UserError(
            f"--visitors harus bilangan bulat dipisahkan koma, misalnya 1,2,4, bukan {text!r}.",
            f"--visitors must be whole numbers with commas between, such as 1,2,4, not {text!r}.",
        )
    return sorted({int(part) for part in parts})
