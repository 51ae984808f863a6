"""`python -m llada_demo curate`: a small, varied training set out of a large collection."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llada_demo.core.errors import UserError
from llada_demo.core.files import write_beside
from llada_demo.core.settings import DEVICES, EMBEDDED

if TYPE_CHECKING:
    from llada_demo.learning.curate import Curated, Curation

HELP = "choose a small, varied training set out of a large collection"
PACKAGES = ("torch", "transformers", "scikit-learn", "numpy", "datasets")
MAX_LENGTH = 256  # tokens of an example that is shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        action="append",
        help="data set of the hub (name or name@revision), .jsonl or .parquet file, or folder of such; "
        "repeat for several (default: the Cendol Collection v2)",
    )
    parser.add_argument(
        "--subsets",
        nargs="+",
        action="extend",
        help="names, or parts of names, of subsets; for our own text a subset is a file; `all` for every row "
        "(default: the six of the write-up, and all of our own text)",
    )
    parser.add_argument("--share", type=float, help="sampled share of every template (default: 0.03)")
    parser.add_argument("--encoder", help="folder or hub id, for sentence embeddings (default: IndoBERT)")
    parser.add_argument("--clusters", type=int, help="of k-means (default: 10)")
    parser.add_argument("--per-cluster", type=int, help="rows taken of each, topped up from others (default: 1000)")
    parser.add_argument("--seed", type=int, help="the same seed gives the same rows (default: 0)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="of the encoder (default: auto)")
    parser.add_argument("--out", type=Path, required=True, help="JSONL; a .report.json and a .png stand beside it")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N examples at every stage")
    parser.add_argument("--tokenizer", type=Path, default=EMBEDDED, help="its folder, for --show (default: embedded)")


def run(args: argparse.Namespace) -> int:
    from llada_demo.learning.curate import CENDOL, curate
    from llada_demo.learning.embedding import INDOBERT, Encoder, needs_scikit_learn
    from llada_demo.model.tokenizer import LLaDATokenizer

    settings, sources = settings_of(args), args.source or [CENDOL]
    _check_out(args.out, sources)
    tokenizer = LLaDATokenizer.from_folder(args.tokenizer) if args.show else None
    needs_scikit_learn()
    encoder = Encoder(args.encoder or INDOBERT, device_of(args.device), _tell)
    found = curate(sources, settings, encoder, _tell)
    report = {"sources": sources, **found.report(), "encoder": encoder.about(), "versions": versions()}
    save(found, report, args.out)
    if tokenizer:
        show(found, args.show, tokenizer)
    print(json.dumps(report["rows"] | {"clusters": report["clusters"]}, ensure_ascii=False, indent=1))
    return 0


def settings_of(args: argparse.Namespace) -> Curation:
    """The flags that were given over the defaults. Raises UserError."""
    from llada_demo.learning.curate import Curation

    if args.show < 0:
        raise UserError(f"--show harus >= 0, bukan {args.show}.", f"--show must be >= 0, not {args.show}.")
    given = {name: getattr(args, name) for name in ("share", "clusters", "per_cluster", "seed")}
    given["subsets"] = tuple(args.subsets or ())
    return Curation(**{name: value for name, value in given.items() if value is not None})


def device_of(name: str) -> str:
    """cpu or cuda. Raises UserError where a GPU is asked for and none is there."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("Tidak ada GPU CUDA; beri --device cpu.", "There is no CUDA GPU; give --device cpu.")
    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def save(found: Curated, report: dict[str, Any], out: Path) -> None:
    """Rows, and beside them the report and the picture, each whole; rows last, so that where they are, all is.

    The report gets the checksum of the rows. Raises UserError where the disk refuses.
    """
    from llada_demo.learning.embedding import picture, plane

    rows = found.jsonl()
    report["sha256"] = hashlib.sha256(rows).hexdigest()
    files = {
        out.with_suffix(".png"): picture(plane(found.points), found.labels, found.taken),
        out.with_suffix(".report.json"): (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode(),
        out: rows,
    }
    try:
        for path, data in files.items():
            write_beside(path, data)
    except OSError as error:
        raise UserError(f"{out} tidak dapat ditulis: {error}.", f"{out} cannot be written: {error}.") from error


def show(found: Curated, count: int, tokenizer: Any) -> None:
    """Prints examples, evenly over the rows that were taken, at every stage from source row to labels."""
    from llada_demo.learning.sharegpt import stages

    count = min(count, len(found.taken))
    for number in range(count):
        at = found.taken[number * len(found.taken) // count]
        example = found.sample[at]
        print(f"== {number + 1}/{count}: {example.subset} / {example.template}")
        print(f"-- input\n{example.turns[0]}\n-- output\n{example.turns[-1]}")
        for stage, text in stages(example.sharegpt(int(found.labels[at])), tokenizer, MAX_LENGTH).items():
            print(f"-- {stage}\n{text}")
        print()


def versions() -> dict[str, str]:
    """Python and the packages that decide which rows are taken."""
    there = {dist.metadata["Name"].lower(): dist.version for dist in importlib.metadata.distributions()}
    return {"python": platform.python_version(), **{name: there[name] for name in PACKAGES if name in there}}


def _check_out(out: Path, sources: list[str]) -> None:
    """Raises UserError for an output that is a folder, no .jsonl, or would be read as a source the next time."""
    inside = [s for s in sources if Path(s).exists() and Path(s).resolve() in (out.resolve(), *out.resolve().parents)]
    if out.suffix != ".jsonl" or out.is_dir() or inside:
        raise UserError(
            f"--out {out} harus berkas .jsonl di luar data sumber.",
            f"--out {out} must be a .jsonl file outside the source data.",
        )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
