"""Many prompts on the comparison tab: pasted or from a file, answered by the base and by adapters, as a table."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from llada_demo.adapters.attaching import MAX_SCALE
from llada_demo.core.comparison import MOST_ADAPTERS
from llada_demo.core.errors import UserError
from llada_demo.core.sheet import read_sheet
from llada_demo.engine import Engine
from llada_demo.engine.compare import mixes_of
from llada_demo.engine.shelf import written
from llada_demo.ui.adapters import choices
from llada_demo.ui.controls import DEFAULT_PRESET, Controls, preset_choices
from llada_demo.ui.many_batch import Batch, Opened, bounded, read_opened
from llada_demo.ui.reference import NO_SCORES, scorer
from llada_demo.ui.running import PRIVATE, QUEUE, end_first, told_once, warn, watched
from llada_demo.ui.words import Words, pick

NONE = ""  # a slot without an adapter

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
    end_first([stop.click], running, tab.stop, batch, view[:3])
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
        for first in watched(batch, language):
            yield (*_buttons(True), batch.lines(), batch) if first else (gr.skip(), gr.skip(), batch.news(), gr.skip())
        yield *_buttons(False), batch.lines(over=True), gr.skip()

    def start(self, text: str, chosen: Opened | None, values: Sequence[Any]) -> Batch:
        """A run, ready to be iterated. Raises UserError."""
        slots = len(self.slots.components)
        sheet = chosen.sheet if chosen else read_sheet(bounded(text.encode("utf-8", "replace")))
        systems, options = self.slots.read(values[:slots]), self.controls.read(values[slots:])
        if not any(row.reference for row in sheet):
            return Batch(self.engine, sheet, systems, options)
        score = scorer()
        return Batch(self.engine, sheet, systems, options, () if score else (NO_SCORES,), score)

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


def _buttons(running: bool) -> tuple[Any, Any]:
    return gr.update(interactive=not running), gr.update(interactive=running)
