"""`python -m llada_demo evaluate --adapters a,b`: base and adapters on the same questions, and whom to believe."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llada_demo.commands.shared import engine_of, options_of
from llada_demo.core.errors import UserError

# The settings of the write-up; every sampling flag that is given counts more.
WRITE_UP = {"temperature": 0.7, "steps": 32, "gen_length": 64, "block_length": 32}
PIP = "pip install rouge-score sacrebleu nltk PySastrawi wordfreq"
SIGNIFICANT = 0.05  # of p after Holm's correction: such a score gets a star
TOTALS = {
    "bits_per_character": "held-out bits/character",
    "nats_under_base": "own text, nats/token (base)",
    "repeated_3": "repeated 3-grams",
    "doubled": "doubled words",
    "distinct_2": "distinct 2-grams",
    "length_ratio": "length / reference",
    "empty": "blank",
    "ended": "ended",
    "indonesian": "Indonesian words",
    "random_pair_cosine": "cosine, random pairs",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that only count with --adapters, and that one."""
    group = parser.add_argument_group("adapters", "base and adapters answer the same held-out questions")
    group.add_argument(
        "--adapters",
        help="separated by commas: names, name:scale, folders, zips or hub ids; `all` for those that are loaded. "
        "--heldout may then be hub:NAME@revision:split; sampling defaults are those of the write-up",
    )
    group.add_argument("--name", help="of the result (default: the model's)")
    group.add_argument("--encoder", help="of the cosine: folder or hub id (default: all-MiniLM-L6-v2)")
    group.add_argument("--at-once", type=int, help="answers in work at the same time (default: GPU 16, CPU 4)")
    group.add_argument("--fresh", action="store_true", help="forget what an interrupted run has finished")
    group.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")


def run(args: argparse.Namespace, heldout: Path, tell: Callable[[str], None]) -> int:
    """Measures, writes the result and prints it. heldout: where --heldout is not given. Raises UserError."""
    try:
        document = contest(args, heldout, tell)
    except ModuleNotFoundError as error:
        raise UserError(
            f"Penilaian adapter memerlukan paket {error.name}: {PIP}.",
            f"Judging adapters needs the package {error.name}: {PIP}.",
        ) from error
    if args.json:
        print(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        print("\n".join(lines(document)))
    return 0


def contest(args: argparse.Namespace, heldout: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """The whole work; what is finished survives an interruption. Raises UserError."""
    from llada_demo.evaluation import contest as work
    from llada_demo.evaluation import examples, notebook, report, results

    if len(args.heldout or ()) > 1 or (args.at_once or 1) < 1:
        raise UserError(
            "Dengan --adapters hanya satu --heldout, dan --at-once paling sedikit 1.",
            "With --adapters there is one --heldout only, and --at-once is at least 1.",
        )
    given = {name: getattr(args, name) for name in WRITE_UP if getattr(args, name) is not None}
    options = options_of(argparse.Namespace(**{**vars(args), **WRITE_UP, **given}))
    engine = engine_of(args)
    systems = work.systems_of(engine, args.adapters.split(","))
    source = args.heldout[0] if args.heldout else str(heldout)
    held = examples.read_heldout(source, engine.tokenizer, engine.max_length, options.gen_length, args.count)
    name = args.name or (args.out.stem if args.out else re.sub(r"[^\w.-]+", "-", engine.loaded.name))
    out = args.out or results.RESULTS / f"{name}.json"
    if out.resolve() == results.PUBLISHED:
        raise UserError("published.json bukan hasil kami; pilih --name lain.", "published.json is not ours to write.")
    encoder = report.encoder_of(args.encoder, engine.placement.device)  # before the long work, not after it
    last = options.seed + len(held.examples) - 1
    settings = {
        "options": options.to_dict(),
        "heldout": held.about(),
        "seeds": {"first": options.seed, "last": last},
        "draws": args.draws,
    }
    who: dict[str, Any] = {
        "model": engine.loaded.sha256,
        "dtype": str(engine.placement.dtype),
        "device": engine.placement.device,
        "systems": [[system.name, system.sha256] for system in systems],
    }
    book = notebook.Notebook(out.with_suffix(".partial.jsonl"), {**settings, **who}, args.fresh)
    try:
        work.write_answers(engine, systems, held.examples, options, book, tell, args.at_once)
        work.measure_likelihoods(engine, systems, held.examples, args.draws, book, tell)
    except KeyboardInterrupt:
        tell(f"stopped; {len(book)} finished pieces are kept in {book.path}, and the same command goes on from there")
        raise
    outcomes = [work.outcome(system, len(held.examples), book) for system in systems]
    document = report.result(name, engine.about(), settings, held.examples, outcomes, encoder)
    results.write_results(out, document)
    book.discard()
    tell(f"written: {out}")
    return document


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The result as a table: a row a metric, a column a system; then the verdicts."""
    from llada_demo.evaluation.scores import NAMES

    systems = document["systems"]
    yield _row("", [system["name"] for system in systems])
    for metric in systems[0]["scores"]:
        yield _row(NAMES[metric], [_score(system, metric) for system in systems])
    for figure in systems[0]["corpus"]:
        label = figure.replace("bleu_", "BLEU-").replace("chrf", "chrF++").replace("f1", "F1 of cosine >= 0.5")
        yield _row(f"{label} (whole set)", [f"{system['corpus'][figure]:.3f}" for system in systems])
    for fact, label in TOTALS.items():
        yield _row(label, [_number(system["facts"][fact]) for system in systems])
    yield _row("forwards / answer", [f"{system['forwards']:.1f}" for system in systems])
    yield ""
    yield f"[95 % interval]  * differs from the base, p < {SIGNIFICANT} after Holm's correction"
    language = "id_text" if os.environ.get("LANG", "").startswith("id") else "en_text"
    for system in systems[1:]:
        verdict = system["verdict"]
        yield f"{system['name']}: " + ("no sign that its scores are fooled" if verdict["believed"] else "NOT BELIEVED")
        said = (*verdict["reasons"], *verdict.get("notes", ()))
        yield from (f"  {reason['id']}: {reason[language]}" for reason in said)


def _row(label: str, cells: list[str]) -> str:
    return f"{label:32}" + "".join(f"  {cell:>22}" for cell in cells)


def _score(system: Mapping[str, Any], metric: str) -> str:
    score = system["scores"][metric]
    against = system.get("against_base", {}).get(metric)
    star = "*" if against and against["p_holm"] < SIGNIFICANT else " "
    return f"{score['mean']:.3f} [{score['low']:.3f}, {score['high']:.3f}]{star}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
