"""`python -m llada_demo chat PROMPT`: one answer on stdout and nothing else."""

from __future__ import annotations

import argparse
import json
import sys

from llada_demo.commands.shared import (
    adapter_of,
    add_adapter_flags,
    add_model_flags,
    add_option_flags,
    engine_of,
    options_of,
)
from llada_demo.core.chat import SYSTEM_PROMPT, opened

HELP = "answer one message"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", help="the message; - reads it from stdin")
    parser.add_argument("--system", default=SYSTEM_PROMPT, help="system prompt; empty for none")
    parser.add_argument("--watch", action="store_true", help="draw every step on stderr")
    parser.add_argument("--stats", action="store_true", help="print the run's figures as JSON on stderr")
    add_adapter_flags(parser)
    add_option_flags(parser)
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    options = options_of(args)
    prompt = sys.stdin.read() if args.prompt == "-" else args.prompt
    engine = engine_of(args)
    answer = engine.start(opened(prompt, args.system), options, adapter_of(engine, args))
    for step in answer:
        if args.watch:
            print(f"{step.index + 1:3d} {answer.picture()}", file=sys.stderr)
    print(answer.text)
    if args.stats:
        print(json.dumps({**answer.stats(), **answer.about}), file=sys.stderr)
    return 0
