"""Where curation reads from: rows of the Cendol Collection's schema and of our own, from the hub, files, folders."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llada_demo.core.errors import UserError
from llada_demo.learning.corpus import conversation, read_rows

COLUMNS = ("subset_name", "template_name", "input", "output")  # of the Cendol schema, those that are used
OWN = ("q", "turns", "messages", "text")  # a row with one of these is our own (the last one is plain text)
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


@dataclass(frozen=True)
class Example:
    """turns: user, assistant, user, ..., an answer last. The others are labels, "" where a row has none."""

    turns: tuple[str, ...]
    subset: str
    template: str
    licence: str = ""

    def sharegpt(self, cluster: int) -> dict[str, Any]:
        """The row that is written."""
        roles = ("user", "assistant")
        turns = [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(self.turns)]
        return {"conversations": turns, "subset": self.subset, "template": self.template, "cluster": cluster}


def read_source(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, row) of every row of a .jsonl or .parquet file, a folder of such, or a data set of the hub, with or
    without `@revision`. Held-out files (`heldout*`) are never read. Raises UserError."""
    path = Path(source).expanduser()
    if not path.exists() and HUB_NAME.fullmatch(source):
        name, _, revision = source.partition("@")
        yield from _stream(name, name.split("/")[-1], revision=revision or None)
        return
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    files = [f for f in files if f.suffix in (".jsonl", ".parquet") and not f.stem.startswith("heldout")]
    if not files:
        raise UserError(
            f"Tidak ada berkas .jsonl atau .parquet di {source}; berkas heldout* tidak pernah dibaca.",
            f"There is no .jsonl or .parquet file in {source}; heldout* files are never read.",
        )
    for file in files:
        yield from _stream("parquet", file.stem, data_files=[str(file)]) if file.suffix == ".parquet" else _lines(file)


def _lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        for row in read_rows(file):
            yield file.stem, row
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(str(file), error) from error


def _stream(kind: str, name: str, **where: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows by the package datasets, without keeping them. kind: "parquet" or the hub's name of a data set."""
    try:
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ModuleNotFoundError as error:
        raise UserError(
            f"Untuk membaca Parquet atau data dari hub diperlukan paket {error.name}: pip install datasets.",
            f"Reading Parquet or data of the hub needs the package {error.name}: pip install datasets.",
        ) from error
    try:
        for row in load_dataset(kind, split="train", streaming=True, **where):
            yield name, row
    except (OSError, ValueError, DatasetsError) as error:  # not there, no network, damaged
        raise _unreadable(where.get("data_files", [kind])[0], error) from error


def _unreadable(what: str, error: Exception) -> UserError:
    why = " ".join(str(error).split())[:300]
    return UserError(f"{what} tidak dapat dibaca: {why}", f"{what} cannot be read: {why}")


def parse(row: Mapping[str, Any], name: str, seed: str) -> tuple[Example, bool]:
    """A row as an example that may still be flawed, and whether it is one of our own kinds.

    name: the file's stem, or the data set's, which is the subset of our own rows; their template is their
    source, or the name again. One of several wordings is drawn by `seed`. Raises UserError for a row that
    lacks columns.
    """
    if any(key in row for key in OWN):
        listed = all(isinstance(row.get(key, []), list) for key in OWN[:3])
        try:
            talk = conversation({"a": None, **row}, name) if listed else None
            turns = (random.Random(seed).choice(talk.wordings), *talk.turns) if talk else ()
        except IndexError:  # no wording
            turns = ()
        template, licence = _label(row.get("source")) or name, _label(row.get("licence", "CC0-1.0"))
        return Example(turns, name, template, licence), True
    if missing := [column for column in COLUMNS if column not in row]:
        there = ", ".join(map(str, row)) or "-"
        raise UserError(
            f"{name}: kolom {', '.join(missing)} tidak ada; yang ada: {there}.",
            f"{name}: the columns {', '.join(missing)} are missing; there are: {there}.",
        )
    subset, template, licence = (_label(row.get(column)) for column in ("subset_name", "template_name", "licence"))
    return Example((row["input"], row["output"]), subset, template, licence), False


def flaw(turns: Sequence[Any]) -> str:
    """Why turns are no example, or "" where they are one."""
    if not turns:
        return "no conversation"
    if any(turn is not None and not isinstance(turn, str) for turn in turns):
        return "not text"
    blank = [turn is None or not turn.strip() for turn in turns]
    if blank[0]:
        return "no input"
    return "no output" if any(blank) else ""


def _label(value: Any) -> str:
    return "" if value is None else clean(str(value))


def clean(text: str) -> str:
    """Trimmed, and without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text.strip().encode("utf-8", errors="replace").decode("utf-8")
