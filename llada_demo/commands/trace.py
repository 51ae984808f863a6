"""`python -m llada_demo trace`: one run as a file, to look at, to show, and to open again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from llada_demo.commands.shared import (
    adapter_of,
    add_adapter_flags,
    add_model_flags,
    add_option_flags,
    engine_of,
    options_of,
)
from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.errors import UserError
from llada_demo.core.files import write_beside
from llada_demo.core.trace import Trace, read_trace

HELP = "write a run as JSON, HTML, GIF, MP4 or PNG"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", nargs="?", help="the message; `[mask:2]` in it makes it a text to fill in")
    parser.add_argument("--from", dest="source", type=Path, help="a recorded run (JSON) instead of a new one")
    parser.add_argument("--out", type=Path, required=True, help="the file; its ending says the format")
    parser.add_argument("--size", default="wide", help="of pictures: wide (1280x720) or square (1080x1080)")
    parser.add_argument("--system", default=SYSTEM_PROMPT, help="system prompt; empty for none")
    parser.add_argument("--candidates", type=int, default=5, help="likeliest tokens kept for each position")
    add_adapter_flags(parser)
    add_option_flags(parser)
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    from llada_demo.export.files import check_names, export, finish

    if (args.prompt is None) == (args.source is None):
        raise UserError("Berikan pertanyaan atau --from, salah satu.", "Give a prompt or --from, one of the two.")
    kind = args.out.suffix.removeprefix(".")
    check_names(kind, args.size)  # a wrong name is told before the work is done
    trace = _recorded(args.source) if args.source else _new(args)
    write_beside(args.out, finish(export(trace, kind, args.size), _tell))
    return 0


def _tell(done: int, of: int) -> None:
    print(f"\r{done}/{of}", end="" if done < of else "\n", file=sys.stderr)


def _recorded(path: Path) -> Trace:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(
            f"Rekaman {path} tidak dapat dibaca: {error}.", f"Cannot read the recording {path}: {error}."
        ) from error
    return read_trace(text)


def _new(args: argparse.Namespace) -> Trace:
    from llada_demo.engine.fill import asked

    options = options_of(args)
    if args.candidates < 0:
        raise UserError("--candidates paling sedikit 0.", "--candidates must be at least 0.")
    engine = engine_of(args)
    messages, options = asked(engine.tokenizer, args.prompt, options, args.system)
    return engine.trace(messages, options, adapter_of(engine, args), args.candidates)
