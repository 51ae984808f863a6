"""`python -m llada_demo compare`: base and adapters on one question, on the screen or as a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from llada_demo.commands.shared import add_model_flags, add_option_flags, engine_of, options_of
from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.comparison import ComparisonRecord, Pane
from llada_demo.core.errors import UserError
from llada_demo.core.files import write_beside

HELP = "answer one message with the base and with adapters, in step"
KINDS = (".json", ".html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", help="the message; `[mask:2]` in it makes it a text to fill in")
    parser.add_argument(
        "--adapters",
        required=True,
        help="one to three with commas between: names that are loaded, folders, zips or hub ids, each with its "
        ":scale if it is not 1; a+b is both at once",
    )
    parser.add_argument("--system-prompt", "--system", default=SYSTEM_PROMPT, help="system prompt; empty for none")
    parser.add_argument("--candidates", type=int, default=5, help="likeliest tokens kept for each position in a file")
    parser.add_argument("--out", type=Path, help="a .json to open again, or a .html that plays all side by side")
    add_option_flags(parser)
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    from llada_demo.engine.fill import asked
    from llada_demo.export.comparison import comparison_page

    if args.out and args.out.suffix not in KINDS:
        raise UserError(f"--out harus berakhiran {' atau '.join(KINDS)}.", f"--out must end in {' or '.join(KINDS)}.")
    if args.candidates < 0:
        raise UserError("--candidates paling sedikit 0.", "--candidates must be at least 0.")
    options = options_of(args)
    engine = engine_of(args)
    messages, options = asked(engine.tokenizer, args.prompt, options, args.system_prompt)
    adapters = [engine.shelf.find(part) for part in args.adapters.split(",") if part.strip()]
    comparison = engine.compare(messages, options, adapters, args.candidates if args.out else 0)
    for _ in comparison:
        pass
    record = comparison.record()
    if args.out:
        written = record.to_json() if args.out.suffix == ".json" else comparison_page(record)
        write_beside(args.out, written.encode())
    show(record)
    return 0


def show(record: ComparisonRecord) -> None:
    """Every text under its name on stdout; what was measured of it on stderr."""
    for pane in record.panes:
        print(f"{pane.adapter or 'base'}\n{pane.text}\n", flush=True)
        print(f"{pane.adapter or 'base'}: " + " · ".join(told(pane)), file=sys.stderr)


def told(pane: Pane) -> Iterator[str]:
    """Where a pane parts from the base, and its figures, in words. Steps count from 1, positions from 0."""
    if pane.divergence:
        yield f"differs from the base from step {pane.divergence.step + 1}, position {pane.divergence.position}"
    elif pane.adapter:
        yield "the same as the base in every step"
    for name, value in pane.figures.items():
        yield f"{name.replace('_', ' ')} {'-' if value is None else value}"
