"""Many prompts on the comparison tab: pasted or from a file, answered by the base and by adapters, as a table."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from llada_demo.adapters.attaching import MAX_SCALE
from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.comparison import MOST_ADAPTERS
from llada_demo.core.errors import CapacityError, UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.sheet import Sheet, read_sheet, write_csv
from llada_demo.core.text import Piece, word_difference
from llada_demo.engine import Engine
from llada_demo.engine.compare import mixes_of
from llada_demo.engine.many import Answered, stepwise
from llada_demo.engine.shelf import written
from llada_demo.ui.adapters import as_code, choices, warn, while_there
from llada_demo.ui.controls import DEFAULT_PRESET, Controls, preset_choices
from llada_demo.ui.running import PRIVATE, QUEUE, told_once, watched
from llada_demo.ui.words import Words, pick

FORMAT, SCHEMA = "llada-indonesia-many", 1
# Bytes of a file or a pasted text; many.js cuts one byte behind it. As base64 it fits into a request (server/guard.py).
MOST_SENT = 700 * 1024
NONE = ""  # a slot without an adapter
LONGEST_NAME = 60  # characters of a file's name that are shown
PREVIEW = 200  # characters of a prompt that are shown of a file

Scorer = Callable[[str, str], tuple[float, ...]]  # (text, reference) -> one of MEASURES each, 0 to 1
MEASURES = ("ROUGE-L", "chrF++")

TEXTS: Mapping[str, tuple[str, str]] = {
    "prompts": ("Prompt", "Prompts"),
    "prompts_hint": (
        "Satu prompt per baris, atau CSV dengan kolom prompt dan, bila ada, jawaban rujukannya:\n\n"
        "prompt,jawaban\nApa ibu kota Indonesia?,Jakarta",
        "One prompt a line, or CSV with a column prompt and, if there are, reference answers:\n\n"
        "prompt,answer\nApa ibu kota Indonesia?,Jakarta",
    ),
    "open": ("Pilih berkas CSV", "Choose a CSV file"),
    "drop": ("Lepas berkas", "Put the file away"),
    "example": ("Isi contoh", "Fill in an example"),
    "slot": ("Adapter {number}", "Adapter {number}"),
    "none": ("Tidak dipakai", "Not used"),
    "scale": ("Skala", "Scale"),
    "no_adapters": (
        "Belum ada adapter, jadi hanya model dasar yang menjawab. Adapter ditambahkan di tab Obrolan.",
        "There are no adapters yet, so the base answers alone. Adapters are added in the chat tab.",
    ),
    "run": ("Jalankan semua", "Run all"),
    "stop": ("Berhenti", "Stop"),
    "csv": ("Unduh CSV", "Download CSV"),
    "json": ("Unduh JSON", "Download JSON"),
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
    "no_scores": (
        "Nilai terhadap rujukan memerlukan paket rouge-score dan sacrebleu, yang tidak terpasang di sini.",
        "Scores against references need the packages rouge-score and sacrebleu, which are not installed here.",
    ),
    "nothing": (
        "Belum ada yang dapat diunduh. Jalankan beberapa prompt dahulu.",
        "There is nothing to download yet. Run some prompts first.",
    ),
}  # fmt: skip
EXAMPLE = """prompt,jawaban
Apa ibu kota Indonesia?,Ibu kota Indonesia adalah Jakarta.
Apa itu hujan?,Hujan adalah air yang jatuh dari awan.
Sebutkan tiga warna.,"Merah, kuning, dan biru."
Mengapa kita perlu tidur?,Tidur membuat tubuh dan pikiran beristirahat.
"""

Frame = tuple[Any, ...]  # (run, stop, reel, batch)


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
        self._lines = [_line(run=uuid.uuid4().hex[:8], head=head)]
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
        return "".join([*self._lines, *([_line(end=True)] if over else [])])

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
        self._lines.append(_line(row=told))

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


def build_many(engine: Engine, words: Words, language: gr.Textbox, shelf: gr.State | None = None) -> None:
    """Builds the section into the open tab. shelf: what the page knows of the adapters (`shelf_state`)."""
    chosen, batch = gr.State(None), gr.State(None)
    with gr.Column(elem_id="many"):
        box = words.make(
            gr.Textbox, words={"label": TEXTS["prompts"], "placeholder": TEXTS["prompts_hint"]}, lines=7, max_lines=7,
            elem_id="many-prompts",
        )  # fmt: skip
        with gr.Row(elem_classes="many-actions"):
            open_, example, drop = (_button(words, name) for name in ("open", "example", "drop"))
            told = gr.Markdown("", elem_id="many-file", container=False)
        slots = Slots(engine, words, language, shelf)
        preset = words.make(
            gr.Radio, words={"label": "preset", "choices": preset_choices()}, value=DEFAULT_PRESET,
            elem_id="many-preset",
        )  # fmt: skip
        with (
            words.make(gr.Accordion, words={"label": "settings"}, open=False, elem_id="many-settings"),
            gr.Row(elem_id="many-sampling"),
        ):
            controls = Controls(words, engine.max_length, tab="many-")
        with gr.Row(elem_classes="many-actions"):
            run = _button(words, "run", variant="primary")
            stop = _button(words, "stop", interactive=False)
            files = [_button(words, kind) for kind in ("csv", "json")]
        gr.HTML("", elem_id="many-board")
    reel, message, saved = (gr.Textbox(visible="hidden", elem_id=f"many-{name}") for name in ("reel", "sent", "saved"))

    tab = ManyTab(engine, slots, controls)
    reading = [chosen, box, told, drop]
    open_.click(tab.open, [message, language], reading, js="llada.many.open", **PRIVATE)
    example.click(lambda: tab.reading(EXAMPLE), None, reading, **PRIVATE)
    drop.click(tab.reading, None, reading, **PRIVATE)
    language.change(tab.told, [chosen, language], told, **PRIVATE)
    settings = [box, chosen, language, *slots.components, *controls.components]
    view = [run, stop, reel, batch]
    running = run.click(tab.run, settings, view, js="llada.many.asked", **PRIVATE, **QUEUE)
    stop.click(None, cancels=running, **PRIVATE).then(tab.stop, batch, view[:3], **PRIVATE)
    controls.wire(preset, language)
    reel.change(None, reel, None, js="llada.many.take", **PRIVATE)
    language.change(None, language, None, js="llada.many.speak", **PRIVATE)
    for button, kind in zip(files, ("csv", "json"), strict=True):
        saving = button.click(tab.file(kind), [batch, language], saved, **PRIVATE)
        saving.success(None, saved, None, js="llada.many.save", **PRIVATE)


def _button(words: Words, name: str, **more: Any) -> Any:
    visible = name != "drop"
    return words.make(
        gr.Button, words={"value": TEXTS[name]}, size="sm", elem_id=f"many-{name}", min_width=90, visible=visible,
        **more,
    )  # fmt: skip


class Slots:
    """Up to three adapters, each with its scale; one that is not used stays empty. `components`: name, scale, ..."""

    def __init__(self, engine: Engine, words: Words, language: gr.Textbox, shelf: gr.State | None = None) -> None:
        """Builds the choices where it is called; they follow the shelf."""
        self.engine = engine
        there = len(engine.shelf.listed())
        self.components: list[Any] = []
        names = []
        with gr.Row(elem_id="many-adapters", visible=there > 0) as row:
            for number in range(1, MOST_ADAPTERS + 1):
                label = tuple(sentence.format(number=number) for sentence in TEXTS["slot"])
                with gr.Group(elem_classes="many-slot"):
                    name = words.make(
                        gr.Dropdown, words={"label": label}, choices=self.offered("id"), filterable=False,
                        value=self.offered("id")[1][1] if number == 1 and there else NONE, interactive=True,
                        min_width=120, elem_id=f"many-adapter-{number}",
                    )  # fmt: skip
                    scale = words.make(
                        gr.Number, words={"label": TEXTS["scale"]}, value=1, minimum=0, maximum=MAX_SCALE, step=0.05,
                        min_width=70, elem_id=f"many-scale-{number}",
                    )  # fmt: skip
                names.append(name)
                self.components += [name, scale]
        none = words.make(
            gr.Markdown, words={"value": TEXTS["no_adapters"]}, visible=there == 0, container=False,
            elem_id="many-no-adapters",
        )  # fmt: skip
        # Another visitor may have changed the shelf since this page was opened: a list that opens is that of now.
        changes = [language.change, *([shelf.change] if shelf else []), *(name.focus for name in names)]
        gr.on(changes, self.refresh, [language, *names], [row, none, *names], **PRIVATE)

    def offered(self, language: str) -> list[tuple[str, str]]:
        """(label, name) of no adapter and of everything on the shelf."""
        return [(pick(TEXTS["none"], language), NONE), *choices(self.engine, language)[1:]]

    def refresh(self, language: str, *names: str) -> list[Any]:
        """The shelf as it is now; a choice that is still there stays."""
        offered = self.offered(language)
        there = {name for _, name in offered}
        kept = [gr.update(choices=offered, value=name if name in there else NONE) for name in names]
        return [gr.update(visible=len(offered) > 1), gr.update(visible=len(offered) == 1), *kept]

    def read(self, values: Sequence[Any]) -> list[str | None]:
        """Who answers, from the values of the components: None for the base, then the adapters as the shelf writes
        them. Raises UserError for an adapter that is not there, or is chosen twice with the same scale."""
        pairs = zip(values[::2], values[1::2], strict=True)
        asked = [f"{name}:{scale}" for name, scale in pairs if name]
        return [written(mix) for mix in mixes_of(self.engine.shelf, asked)] if asked else [None]


class ManyTab:
    """The handlers: controls -> engine -> view -> yield."""

    def __init__(self, engine: Engine, slots: Slots, controls: Controls) -> None:
        self.engine, self.slots, self.controls = engine, slots, controls

    def open(self, text: str, language: str) -> Frame:
        """A file that the browser has read, {name, data in base64}; "" where none was chosen."""
        if not text:
            return tuple(gr.skip() for _ in range(4))
        try:
            opened = read_opened(text)
        except UserError as error:
            warn(error, language)
            return tuple(gr.skip() for _ in range(4))
        box = gr.update(value=opened.preview(), interactive=False)
        return opened, box, opened.told(language), gr.update(visible=True)

    def reading(self, text: str = "") -> Frame:
        """No file, but the box, with a text in it."""
        return None, gr.update(value=text, interactive=True), "", gr.update(visible=False)

    def told(self, chosen: Opened | None, language: str) -> str:
        """The line about the chosen file."""
        return chosen.told(language) if chosen else ""

    @told_once
    def run(self, text: str, chosen: Opened | None, language: str, *values: Any) -> Iterator[Frame]:
        """All prompts answered, and every row shown as soon as it is whole."""
        try:
            batch = self.start(text or "", chosen, values)
        except UserError as error:
            warn(error, language)
            yield tuple(gr.skip() for _ in range(4))
            return
        for first in watched(while_there(batch, language), language):
            yield (*_buttons(True), batch.lines(), batch) if first else (gr.skip(), gr.skip(), batch.news(), gr.skip())
        yield *_buttons(False), batch.lines(over=True), gr.skip()

    def start(self, text: str, chosen: Opened | None, values: Sequence[Any]) -> Batch:
        """A run, ready to be iterated. Raises UserError."""
        slots = len(self.slots.components)
        sheet = chosen.sheet if chosen else read_sheet(_bounded(text.encode("utf-8", "replace")))
        systems, options = self.slots.read(values[:slots]), self.controls.read(values[slots:])
        if not any(row.reference for row in sheet):
            return Batch(self.engine, sheet, systems, options)
        score = scorer()
        return Batch(self.engine, sheet, systems, options, () if score else (TEXTS["no_scores"],), score)

    def stop(self, batch: Batch | None) -> Frame:
        """The rows that are whole stay."""
        return *_buttons(False), batch.lines(over=True) if batch else gr.skip()

    def file(self, kind: str) -> Callable[[Batch | None, str], str]:
        """The handler that writes the rows as "csv" or "json", for the browser to save."""

        def write(batch: Batch | None, language: str) -> str:
            if batch is None or not batch.rows:
                raise gr.Error(pick(TEXTS["nothing"], language), print_exception=False)
            data = batch.to_csv(language) if kind == "csv" else batch.to_json()
            return json.dumps({"kind": kind, "data": base64.b64encode(data).decode()})

        return write


def read_opened(text: str) -> Opened:
    """The file that the browser sends. Raises UserError."""
    try:
        data = json.loads(text)
        name, content = str(data["name"]), base64.b64decode(data["data"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise UserError(*TEXTS["unreadable"]) from error
    return Opened(name[:LONGEST_NAME], read_sheet(_bounded(content)))


def scorer() -> Scorer | None:
    """What scores a text against its reference; None where its packages are not installed."""
    try:
        from llada_demo.evaluation.scores import chrf, rouge  # only where there are references: it is heavy
    except ImportError:
        return None
    return lambda text, reference: (rouge(text, reference, "rougeL"), chrf(text, reference))


def marked(base: str | None, text: str) -> list[str]:
    """A text in parts that are in turn the same as in the base and different; the first is the same, maybe empty."""
    parts = [""]
    pieces: Iterable[Piece] = word_difference(base, text)[1] if base is not None else [Piece(text, False)]
    for piece in pieces:
        if piece.differs != (len(parts) % 2 == 0):
            parts.append("")
        parts[-1] += piece.text
    return parts


def _bounded(data: bytes) -> bytes:
    """The same bytes. Raises CapacityError for more than fit into a request."""
    if len(data) > MOST_SENT:
        raise CapacityError(*(sentence.format(limit=MOST_SENT >> 10) for sentence in TEXTS["too_big"]))
    return data


def _buttons(running: bool) -> tuple[Any, Any]:
    return gr.update(interactive=not running), gr.update(interactive=running)


def _line(**data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"
