"""`python -m llada_demo scenes`: records the scenes of the unmasking tab anew, after the model has changed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from llada_demo.commands.shared import add_model_flags, settings_of
from llada_demo.core.files import write_beside
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import ASSETS

HELP = "record the scenes of the unmasking tab anew"
CANDIDATES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", type=Path, default=ASSETS / "scenes.json", help="what is recorded, JSON")
    parser.add_argument("--out", type=Path, default=ASSETS / "traces", help="folder of the recordings")
    add_model_flags(parser)


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from llada_demo.engine import Engine

    # In float32 and on a CPU a recording can be repeated on any machine.
    engine = Engine.load(replace(settings_of(args), dtype="float32", device="cpu"))
    for scene in json.loads(args.plan.read_text(encoding="utf-8")):
        recorded = record(engine, scene)
        path = args.out / f"{scene['name']}.json"
        write_beside(path, (json.dumps(recorded, ensure_ascii=False, separators=(",", ":")) + "\n").encode())
        print(f"{path.name}: {''.join(text for _, text in recorded['trace']['answer'])[:70]!r}", file=sys.stderr)
    return 0


def record(engine: Any, scene: dict[str, Any]) -> dict[str, Any]:
    """The file of one scene: title and note, its run, and the run beside it where there are two."""
    from llada_demo.engine.fill import asked

    def take(options: SamplingOptions) -> dict[str, Any]:
        return engine.trace(*asked(engine.tokenizer, scene["prompt"], options), candidates=CANDIDATES).to_dict()

    file: dict[str, Any] = {name: scene[name] for name in ("title", "note", "sides") if name in scene}
    file["trace"] = take(SamplingOptions.from_dict(scene["options"]))
    if "other" in scene:
        file["other"] = take(SamplingOptions.from_dict({**scene["options"], **scene["other"]}))
    return file
