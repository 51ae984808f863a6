"""A small collection of the Cendol schema: templates of known sizes, real questions, and some rows to drop."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from llada_demo.learning.corpus import read_rows

PERCAKAPAN = Path(__file__).resolve().parents[2] / "assets" / "data" / "percakapan"
# template -> (subset, rows); a template of one row is in every sample.
TEMPLATES = {
    "puisi_1": ("indo_puisi", 60),
    "puisi_2": ("indo_puisi", 1),
    "wikihow_steps": ("wikihow", 50),
    "wikipedia_subsection_4": ("wikipedia_id", 40),
    "wikipedia_subsection_5": ("wikipedia_id", 7),
    "safety": ("safety_prompt", 20),
    "identity": ("identity_prompt", 12),
    "dolly_closed": ("dolly_id", 30),
    "sentiment_1": ("nusax_senti", 25),  # not one of the six
}
INVALID = {"no output": ("", "   ", None), "not text": (7,), "no input": ()}


def cendol(subset: str, template: str, question: Any, answer: Any) -> dict[str, Any]:
    row = {"dataset_name": "nusa_t2t_v2", "subset_name": subset, "prompt_id": "1", "template_name": template}
    return {**row, "dataset_key": "train", "input": question, "output": answer}


def cendol_rows() -> list[dict[str, Any]]:
    """A collection of the Cendol schema, shuffled; its inputs are real questions of very different topics."""
    files = ("sapaan", "nalar", "kreatif", "nusantara", "teknologi")
    asked = [
        list(islice((row["q"][0] for row in read_rows(PERCAKAPAN / f"{name}.jsonl") if "q" in row), 50))
        for name in files
    ]
    texts = [text for several in zip(*asked, strict=False) for text in several]
    slots = [(subset, template) for template, (subset, count) in TEMPLATES.items() for _ in range(count)]
    rows = [cendol(s, t, text, f"Jawaban {i}.") for i, ((s, t), text) in enumerate(zip(slots, texts, strict=False))]
    assert len(rows) == len(slots)
    rows += [cendol("wikihow", "wikihow_steps", "Bagaimana caranya?", bad) for why in INVALID for bad in INVALID[why]]
    rows += [cendol("dolly_id", "dolly_closed", None, "Tanpa pertanyaan.")]
    random.Random(0).shuffle(rows)
    return rows


def write(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
