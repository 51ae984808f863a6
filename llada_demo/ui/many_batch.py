"""Many prompts, as data: the file that they come from, and a run of all of them, row by row."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.errors import CapacityError, UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.sheet import Sheet, read_sheet, write_csv
from llada_demo.core.text import Piece, word_difference
from llada_demo.engine import Engine
from llada_demo.engine.many import Answered, stepwise
from llada_demo.ui.adapters import as_code
from llada_demo.ui.reel import line, new_id
from llada_demo.ui.reference import MEASURES, Scorer
from llada_demo.ui.words import pick

FORMAT, SCHEMA = "llada-indonesia-many", 1
# Bytes of a file or a pasted text; many.js cuts one byte behind it. As base64 it fits into a request (server/guard.py).
MOST_SENT = 700 * 1024
LONGEST_NAME = 60  # characters of a file's name that are shown
PREVIEW = 200  # characters of a prompt that are shown of a file

TEXTS: Mapping[str, tuple[str, str]] = {
    "opened": ("{name}: {count} prompt.", "{name}: {count} prompts."),
    "references": ("{name}: {count} prompt, {references} dengan rujukan.",
                   "{name}: {count} prompts, {references} with references."),
    "too_big": (
        "Prompt-prompt ini lebih dari {limit} KB; bagi menjadi beberapa berkas.",
        "These prompts are more than {limit} KB; split them into several files.",
    ),
    "unreadable": (
        "Berkas ini tidak sampai dengan utuh. Pilih sekali lagi.",
        "This file did not arrive whole. Choose it once more.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """A file of the visitor's, read."""

    name: str
    sheet: Sheet

    def told(self, language: str) -> str:
        """A line of markdown: how many prompts it has, and what was done to read them."""
        references = sum(bool(row.reference) for row in self.sheet)
        line = pick(TEXTS["references" if references else "opened"], language).format(
            name=as_code(self.name), count=len(self.sheet), references=references
        )
        return " ".join([line, *(pick(note, language) for note in self.sheet.notes)])

    def preview(self) -> str:
        """Its prompts, a line each."""
        lines = (" ".join(row.prompt.split()) for row in self.sheet)
        return "\n".join(line if len(line) <= PREVIEW else line[:PREVIEW] + "…" for line in lines)


@dataclass
class Batch:
    """The rows of a run as far as they are: iterating makes a step of several of them at a time.

    Closing the iterator stops the work within one step; the rows that are whole stay.
    systems: None for the base, else adapters as the shelf writes them. score: None where there is nothing to score.
    """

    engine: Engine
    sheet: Sheet
    systems: Sequence[str | None]
    options: SamplingOptions
    notes: Sequence[tuple[str, str]] = ()
    score: Scorer | None = None
    rows: dict[int, Answered] = field(default_factory=dict)
    scores: dict[int, list[tuple[float, ...] | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.about = self.engine.about()
        used = {name for system in self.systems for name in self.engine.shelf.mix(system)}
        self.adapters = {row["name"]: row["sha256"] for row in self.engine.shelf.listed() if row["name"] in used}
        head = {
            "systems": list(self.systems),
            "total": len(self.sheet),
            "references": any(row.reference for row in self.sheet),
            "measures": list(MEASURES) if self.score else [],
            "notes": [*self.sheet.notes, *self.notes],
            "options": self.options.to_dict(),
        }
        self._lines = [line(run=new_id(), head=head)]
        self._told = 0  # lines that were handed out

    def __iter__(self) -> Iterator[Answered | None]:
        prompts = [row.prompt for row in self.sheet]
        for answered in stepwise(self.engine, prompts, self.systems, self.options):
            if answered is not None:
                self._take(answered)
            yield answered

    def news(self) -> Any:
        """All lines, or nothing where none is new."""
        return gr.skip() if len(self._lines) == self._told else self.lines()

    def lines(self, over: bool = False) -> str:
        """JSON lines that only ever grow at their end: {run, head}, {row}, ..., and, when it is over, {end}."""
        self._told = len(self._lines)
        return "".join([*self._lines, *([line(end=True)] if over else [])])

    def seed(self, index: int) -> int:
        """Of the prompt at `index`, the same for every system."""
        return self.options.seed + index

    def to_csv(self, language: str) -> bytes:
        """A row for each prompt that is answered, for a spreadsheet."""
        names = ["base" if system is None else f"adapter {system}" for system in self.systems]
        return write_csv([self._flat(index, names, language) for index in sorted(self.rows)])

    def to_json(self) -> bytes:
        """Everything that is known of the run: model, adapters, settings, and a row for each answered prompt."""
        data = {
            "format": FORMAT,
            "schema": SCHEMA,
            "about": self.about,
            "adapters": self.adapters,
            "system_prompt": SYSTEM_PROMPT,
            "options": self.options.to_dict(),
            "systems": list(self.systems),
            "prompts": len(self.sheet),
            "rows": [self._whole(index) for index in sorted(self.rows)],
        }
        return json.dumps(data, ensure_ascii=False, indent=1).encode("utf-8")

    def _take(self, answered: Answered) -> None:
        row = self.sheet[answered.index]
        scored = self.score is not None and row.reference
        self.rows[answered.index] = answered
        self.scores[answered.index] = [
            self.score(text, row.reference) if self.score and scored and text is not None else None
            for text in answered.texts
        ]
        base = answered.texts[0]
        told = {
            "at": answered.index,
            "seed": self.seed(answered.index),
            "prompt": row.prompt,
            "reference": row.reference,
            "answers": [None if text is None else marked(base, text) for text in answered.texts],
            "scores": [score and [round(value, 4) for value in score] for score in self.scores[answered.index]],
            "error": answered.error,
        }
        self._lines.append(line(row=told))

    def _flat(self, index: int, names: Sequence[str], language: str) -> dict[str, object]:
        row, answered = self.sheet[index], self.rows[index]
        flat: dict[str, object] = {"number": index + 1, "prompt": row.prompt, "reference": row.reference}
        flat["seed"] = self.seed(index)
        flat |= zip(names, answered.texts, strict=True)
        for at, measure in enumerate(MEASURES if self.score else ()):
            for name, score in zip(names, self.scores[index], strict=True):
                flat[f"{name} {measure}"] = round(score[at], 4) if score else None
        flat["error"] = pick(answered.error, language) if answered.error else None
        return flat

    def _whole(self, index: int) -> dict[str, Any]:
        row, answered = self.sheet[index], self.rows[index]
        parts = (self.systems, answered.texts, answered.forwards, answered.ended, self.scores[index])
        return {
            "number": index + 1,
            "prompt": row.prompt,
            "reference": row.reference,
            "seed": self.seed(index),
            "seconds": round(answered.seconds, 2),
            "error": answered.error and dict(zip(("id", "en"), answered.error, strict=True)),
            "answers": [
                {"system": system, "text": text, "forwards": forwards, "ended": ended,
                 "scores": dict(zip(MEASURES, score or (), strict=False))}
                for system, text, forwards, ended, score in zip(*parts, strict=True)
            ],
        }  # fmt: skip


def read_opened(text: str) -> Opened:
    """The file that the browser sends. Raises UserError."""
    try:
        data = json.loads(text)
        name, content = str(data["name"]), base64.b64decode(data["data"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise UserError(*TEXTS["unreadable"]) from error
    return Opened(name[:LONGEST_NAME], read_sheet(bounded(content)))


def marked(base: str | None, text: str) -> list[str]:
    """A text in parts that are in turn the same as in the base and different; the first is the same, maybe empty."""
    parts = [""]
    pieces: Iterable[Piece] = word_difference(base, text)[1] if base is not None else [Piece(text, False)]
    for piece in pieces:
        if piece.differs != (len(parts) % 2 == 0):
            parts.append("")
        parts[-1] += piece.text
    return parts


def bounded(data: bytes) -> bytes:
    """The same bytes. Raises CapacityError for more than fit into a request."""
    if len(data) > MOST_SENT:
        raise CapacityError(*(sentence.format(limit=MOST_SENT >> 10) for sentence in TEXTS["too_big"]))
    return data
