"""The file of a result: what it must hold, reading and writing it, and the published runs. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llada_demo.core.errors import UserError
from llada_demo.core.files import write_beside
from llada_demo.core.settings import ASSETS

FORMAT = "llada-indonesia-results"
SCHEMA = 1
RESULTS = ASSETS / "results"
PUBLISHED = RESULTS / "published.json"
HALF = 0.00005  # published means have four digits: each lies within this of what was measured
HALF_PERCENT = 0.005  # percentages have two


def write_results(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a checked document, whole or not at all. Raises UserError."""
    _check(document, path.name)
    data = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    try:
        write_beside(path, data.encode())
    except OSError as error:
        raise UserError(
            f"{path} tidak dapat ditulis ({error.strerror}); pilih --out lain.",
            f"{path} cannot be written ({error.strerror}); choose another --out.",
        ) from error


def read_results(path: Path) -> dict[str, Any]:
    """A result of this project. Raises UserError where the file is missing, damaged, or of another kind."""
    document = _read(path)
    _check(document, path.name)
    return document


def published() -> dict[str, Any]:
    """The write-up's nine runs as they were published: facts about LLaDA-8B, not measured by this project."""
    return _read(PUBLISHED)


def recomputed(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every row of `published()` with its improvement and percentage computed again from its two means.

    Adds `again` and `again_pct` (None where the base is 0), and `agrees`: whether the stated numbers are among
    those that the unrounded means can have given.
    """
    rows = []
    for row in document["results"]:
        base, adapted = row["base_mean"], row["adapted_mean"]
        again = adapted - base
        near = abs(again - row["improvement"]) <= 3 * HALF + 1e-9  # both means and the stated number are rounded
        low = 100 * ((adapted - HALF) / (base + HALF) - 1)
        high = 100 * ((adapted + HALF) / (base - HALF) - 1) if base > HALF else float("inf")
        within = low - HALF_PERCENT <= row["improvement_pct"] <= high + HALF_PERCENT
        percent = 100 * again / base if base else None
        rows.append({**row, "again": again, "again_pct": percent, "agrees": near and within})
    return rows


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise UserError(
            f"Hasil {path.name} tidak dapat dibaca: {why}.", f"The result {path.name} cannot be read: {why}."
        ) from error
    if not isinstance(document, dict):
        raise _wrong(path.name, "bukan objek JSON", "it is no JSON object")
    return document


def _check(document: Mapping[str, Any], name: str) -> None:
    """Raises UserError naming the first thing that is wrong."""
    if document.get("format") != FORMAT:
        raise _wrong(name, f"formatnya bukan {FORMAT}", f"its format is not {FORMAT}")
    if document.get("schema") != SCHEMA:
        raise _wrong(
            name,
            f"skemanya {document.get('schema')!r}, yang dikenal {SCHEMA}",
            f"its schema is {document.get('schema')!r}, known is {SCHEMA}",
        )
    try:
        _check_systems(document["systems"], document["settings"]["heldout"]["count"], name)
    except (KeyError, TypeError, AttributeError) as error:
        raise _wrong(name, f"bagian {error} tidak ada atau salah", f"the part {error} is missing or wrong") from error


def _check_systems(systems: Sequence[Mapping[str, Any]], count: int, name: str) -> None:
    """Raises UserError, or KeyError for a part that is not there and TypeError for one of another kind."""
    if not systems or systems[0]["adapter"] is not None:
        raise _wrong(name, "model dasar tidak ada di urutan pertama", "the base does not come first")
    for system in systems:
        for metric, score in system["scores"].items():
            if not all(isinstance(score[part], int | float) for part in ("mean", "low", "high")):
                raise TypeError(metric)
            if len(score["values"]) != count:
                raise _wrong(
                    name,
                    f"{metric} dari {system['name']} punya {len(score['values'])} nilai, seharusnya {count}",
                    f"{metric} of {system['name']} has {len(score['values'])} values instead of {count}",
                )
    for system in systems[1:]:
        if (
            not isinstance(system["verdict"]["believed"], bool)
            or system["against_base"].keys() != system["scores"].keys()
        ):
            raise TypeError("verdict")


def _wrong(name: str, indonesian: str, english: str) -> UserError:
    return UserError(
        f"{name} tidak dapat dipakai sebagai hasil: {indonesian}.", f"{name} cannot be used as a result: {english}."
    )
