"""`python -m llada_demo evaluate`: the figures of the model card, or with --adapters whether adapters are better."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from llada_demo.commands import evaluate_adapters
from llada_demo.commands.shared import add_model_flags, add_option_flags, engine_of, options_of
from llada_demo.core.errors import UserError
from llada_demo.core.files import write_beside
from llada_demo.core.settings import ASSETS

HELP = "measure a model on held-out text and count what its answers do; or judge adapters against it"
HELDOUT = ASSETS / "data" / "percakapan" / "heldout.jsonl"
COUNT = 100  # questions that are answered, without --adapters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--heldout", action="append", help="JSONL to measure on; repeat for several")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        help="folder for the 5-gram baseline (default: our own text)",
    )
    parser.add_argument("--recipe", type=Path, help="its choice of that data (default: the model's recipe.json)")
    parser.add_argument("--twin", help="folder of a model trained by a causal recipe, to compare with")
    parser.add_argument("--draws", type=int, default=16, help="masks for each text (default: 16)")
    parser.add_argument(
        "--count", type=int, help=f"held-out questions that are answered (default: {COUNT}; with --adapters all)"
    )
    parser.add_argument(
        "--prompts",
        type=Path,
        help="file with one question a line, `first | second` for a conversation, instead of held-out ones",
    )
    parser.add_argument("--no-bits", action="store_true", help="only the answers")
    parser.add_argument("--out", type=Path, help="write report and answers as JSON")
    parser.add_argument("--show", action="store_true", help="print every answer")
    evaluate_adapters.add_arguments(parser)
    add_option_flags(parser)
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    for name in ("count", "draws"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UserError(f"--{name} paling sedikit 1.", f"--{name} must be at least 1.")
    if args.adapters is not None:
        return evaluate_adapters.run(args, HELDOUT, _tell)
    report = evaluate(args)
    if args.out:
        write_beside(args.out, (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode())
    rows = report.pop("rows")
    for row in rows if args.show else ():
        print(f"- {row['prompt']}\n  {row['text']}\n")
    print(json.dumps(report, ensure_ascii=False, indent=1))
    return 0


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """The whole report. Raises UserError."""
    try:
        from llada_demo.evaluation import card
    except ModuleNotFoundError as error:
        raise UserError(
            f"Evaluasi memerlukan paket {error.name}: pip install wordfreq.",
            f"The evaluation needs the package {error.name}: pip install wordfreq.",
        ) from error
    options = options_of(args)
    prompts = _prompts(args)
    engine = engine_of(args)
    report: dict[str, Any] = {"model": engine.about(), "options": options.to_dict()}
    if not args.no_bits:
        report["bits_per_character"] = card.bits_table(
            engine,
            [Path(file) for file in args.heldout or [HELDOUT]],
            _corpus(args, engine),
            _twin(args),
            args.draws,
            _tell,
        )
    rows = card.answers(engine, prompts, options, _tell)
    return {**report, "answers": {"count": len(rows), **card.summary(rows)}, "rows": rows}


def _prompts(args: argparse.Namespace) -> list[str]:
    from llada_demo.bench.prompts import read_prompts
    from llada_demo.evaluation.heldout import questions
    from llada_demo.learning.corpus import read_heldout

    if args.prompts:
        return read_prompts(args.prompts)
    return questions(read_heldout(HELDOUT).conversations, args.count or COUNT)


def _corpus(args: argparse.Namespace, engine: Any) -> Any:
    from llada_demo.learning.corpus import OWN_TEXT, read_corpus
    from llada_demo.learning.recipe import Recipe

    path = args.recipe or engine.loaded.folder / "recipe.json"
    recipe = Recipe.read(path) if args.recipe or path.exists() else None
    left_out, only = (recipe.leave_out, recipe.only) if recipe else ((), ())
    return read_corpus(args.data or OWN_TEXT, left_out, only)


def _twin(args: argparse.Namespace) -> Any:
    from llada_demo.model.loading import load_model

    return load_model(args.twin) if args.twin else None


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
