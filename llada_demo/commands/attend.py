"""`python -m llada_demo attend`: what the words of a text look at, as a table, JSON, or a page to explore."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from llada_demo.commands.shared import add_model_flags, engine_of
from llada_demo.core.errors import UserError
from llada_demo.core.files import write_beside

HELP = "show what the words of a text attend to"
KINDS = (".json", ".html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", help="a sentence of at most 256 tokens")
    parser.add_argument("--mask", default="full", help="full (as LLaDA sees) or causal (as a GPT sees); default: full")
    parser.add_argument("--layer", default="mean", help="mean, rollout, or a number from 1; default: mean")
    parser.add_argument("--head", default="mean", help="mean, max, or a number from 1, of a layer; default: mean")
    parser.add_argument("--out", type=Path, help="a .json of the matrix, or a .html page with both masks to explore")
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    from llada_demo.engine.attend import one_matrix
    from llada_demo.export.attention import attention_page

    if args.out and args.out.suffix not in KINDS:
        raise UserError(f"--out harus berakhiran {' atau '.join(KINDS)}.", f"--out must end in {' or '.join(KINDS)}.")
    engine = engine_of(args)
    found = one_matrix(engine, args.text, args.mask, args.layer, args.head)
    if args.out is None:
        for word, row in zip(found["words"], found["attention"], strict=True):
            best = sorted(zip(row, found["words"], strict=True), reverse=True)[:3]
            print(f"{word.strip():20}", "  ".join(f"{other.strip()} {share:.0%}" for share, other in best))
    elif args.out.suffix == ".json":
        write_beside(args.out, json.dumps(found, ensure_ascii=False).encode())
    else:
        layer = int(args.layer) - 1 if args.layer.isdecimal() else None
        write_beside(args.out, attention_page(engine.attend(args.text, layer=layer).to_dict()).encode())
    return 0
