"""`python -m llada_demo doctor`: what will run where, and why."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from typing import Any

from llada_demo.commands.shared import add_model_flags, settings_of

HELP = "say what will run where, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    report = examine(args)
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        width = max(map(len, report))
        for name, value in report.items():
            print(f"{name:<{width}}  {value}")
    return 0 if report["answers"] == "yes" else 1


def examine(args: argparse.Namespace) -> dict[str, Any]:
    """The report: machine, versions, placement, model, and whether it answers. Raises UserError."""
    import torch

    from llada_demo.engine import Engine

    engine = Engine.load(settings_of(args))
    loaded = engine.loaded
    problem = engine.ready()
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores, {torch.get_num_threads()} threads",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "peft", "gradio")},
        "device": engine.placement.device,
        "dtype": str(engine.placement.dtype).removeprefix("torch."),
        "why": engine.placement.reason,
        "model": f"{loaded.name} ({loaded.parameters / 1e6:.1f} M parameters, {loaded.bytes / 2**20:.0f} MiB)",
        "folder": str(loaded.folder),
        "sha256": loaded.sha256,
        "max_length": engine.max_length,
        "public": engine.settings.public,
        "answers": "yes" if problem is None else f"no: {problem}",
    }
