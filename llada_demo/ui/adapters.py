"""The adapter that answers: which one and how strongly, its card, and, where the page is not public, the shelf's door.

What an adapter says of itself is a stranger's text: it reaches the page as the text of an element, or as code in a
line of markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from llada_demo.adapters import Adapter
from llada_demo.adapters.attaching import MAX_SCALE
from llada_demo.core.errors import UserError
from llada_demo.engine import Engine
from llada_demo.ui.running import PRIVATE, warn
from llada_demo.ui.words import Words, pick

BASE = ""  # the choice of no adapter
LONGEST_TITLE = 40  # characters of a card's heading beside the adapter's name
LONGEST_SOURCE = 500  # characters of a folder, a hub id or a path

TEXTS: Mapping[str, tuple[str, str]] = {
    "adapter": ("Adapter", "Adapter"),
    "scale": ("Skala", "Scale"),
    "base": ("Tanpa adapter (model dasar)", "No adapter (base model)"),
    "card": ("Kartu adapter {name}", "Card of the adapter {name}"),
    "rank": ("Peringkat", "Rank"),
    "parameters": ("Parameter", "Parameters"),
    "checksum": ("SHA-256", "SHA-256"),
    "of_base": ("Model dasar", "Base model"),
    "no_card": ("Adapter ini tidak membawa kartu.", "This adapter brings no card."),
    "add": ("Tambahkan adapter", "Add an adapter"),
    "source": ("Folder, id hub, atau zip", "Folder, hub id, or zip"),
    "source_help": (
        "Folder atau zip di komputer yang menjalankan halaman ini, atau pemilik/nama di hub (boleh @revisi).",
        "A folder or zip on the computer that runs this page, or owner/name on the hub (@revision may follow).",
    ),
    "load": ("Muat", "Load"),
    "upload": ("Kirim zip", "Send a zip"),
    "unload": ("Lepaskan", "Unload"),
    "loaded": (
        "{name} terpasang untuk semua pengunjung: {matched} kunci cocok, {ignored} diabaikan, peringkat {rank}, "
        "{parameters} parameter.",
        "{name} is there for every visitor: {matched} keys matched, {ignored} ignored, rank {rank}, "
        "{parameters} parameters.",
    ),
    "unloaded": ("{name} dilepaskan.", "{name} was unloaded."),
    "no_source": (
        "Tulis dahulu folder, id hub, atau zip adapternya, paling panjang 500 karakter.",
        "Write the adapter's folder, hub id or zip first, at most 500 characters.",
    ),
    "public": (
        "Halaman ini terbuka untuk umum: adapter di sini tidak dapat ditambah atau dilepas.",
        "This page is public: no adapter can be added or unloaded here.",
    ),
    "stays": (
        "Adapter {name} termasuk bawaan dan tidak dapat dilepas.",
        "The adapter {name} comes with the model and cannot be unloaded.",
    ),
}

Frame = tuple[Any, ...]


def shelf_state(engine: Engine, demo: gr.Blocks) -> gr.State:
    """What a page knows of the shelf; the controls follow it. A page that is opened begins with the shelf of now."""
    shelf = gr.State(on_shelf(engine))
    demo.load(lambda: on_shelf(engine), None, shelf, **PRIVATE)
    return shelf


class AdapterControl:
    """The choice of a tab: `components` are the name and the scale that `split` reads from a handler's values."""

    def __init__(self, engine: Engine, words: Words, language: gr.Textbox, shelf: gr.State, tab: str = "") -> None:
        """Builds the choice where it is called; `build_below` builds the rest. tab: goes before the elements' ids."""
        self.engine, self.words, self.language, self.shelf, self.tab = engine, words, language, shelf, tab
        with gr.Row(
            visible=bool(on_shelf(engine)), elem_id=f"{tab}adapter-row", elem_classes="adapter-row"
        ) as self.row:
            self.name = words.make(
                gr.Dropdown, words={"label": TEXTS["adapter"]}, choices=choices(engine, "id"), value=BASE,
                filterable=False, interactive=True, elem_id=f"{tab}adapter", min_width=200,
            )  # fmt: skip
            self.scale = words.make(
                gr.Slider, words={"label": TEXTS["scale"]}, minimum=0, maximum=MAX_SCALE, value=1, step=0.05,
                visible=False, interactive=True, elem_id=f"{tab}adapter-scale", min_width=200,
            )  # fmt: skip
        self.components = [self.name, self.scale]

    def build_below(self) -> None:
        """The card and, where the page is not public, the way to add an adapter and to take one off."""
        gr.HTML("", elem_id=f"{self.tab}adapter-card")
        told = gr.Textbox(visible="hidden", elem_id=f"{self.tab}adapter-told")
        told.change(None, told, None, js="llada.adapterCard", **PRIVATE)
        self.unload: gr.Button | None = None
        if not self.engine.settings.public:
            self._build_door()
        follows = [self.scale, told, *([self.unload] if self.unload else [])]
        self.view = [self.row, self.name, *follows]
        self.name.input(self.choose, [self.name, self.language], follows, **PRIVATE)
        gr.on([self.shelf.change, self.language.change], self.refresh, [self.name, self.language], self.view, **PRIVATE)
        if self.unload:
            self._wire_door()

    def choose(self, name: str, language: str) -> list[Any]:
        """What follows a choice: the scale, the card, the button that unloads."""
        known = next((row for row in self.engine.shelf.listed() if row["name"] == name), None)
        told = {"place": f"{self.tab}adapter-card", **(card(known, language) if known else {})}
        follows = [gr.update(visible=bool(known)), json.dumps(told, ensure_ascii=False)]
        if self.unload:
            follows.append(gr.update(interactive=bool(known) and name not in self.engine.shelf.shipped))
        return follows

    def refresh(self, name: str, language: str) -> list[Any]:
        """The shelf as it is now, in `language`; a choice that is still there stays."""
        there = choices(self.engine, language)
        name = name if name in {known for _, known in there} else BASE
        row = gr.update(visible=len(there) > 1)
        return [row, gr.update(choices=there, value=name), *self.choose(name, language)]

    def add(self, source: str, language: str) -> Frame:
        """Adds what the visitor names, and chooses it: (box, report, shelf, view). A refusal leaves the text."""
        try:
            self._check_open()
            source = (source or "").strip()
            if not source or len(source) > LONGEST_SOURCE:
                raise UserError(*TEXTS["no_source"])
            added = self.engine.shelf.add(source)
        except UserError as error:
            return self._refused(error, language)
        return "", report(added, language), on_shelf(self.engine), *self.refresh(added.name, language)

    def receive(self, path: str | None, language: str) -> Frame:
        """Adds a zip that was sent, which does not stay on the disk: (box, report, shelf, view)."""
        try:
            _, *frame = self.add(path or "", language)
        finally:
            if path:
                Path(path).unlink(missing_ok=True)
        return gr.skip(), *frame

    def remove(self, name: str, language: str) -> Frame:
        """Takes the chosen adapter off the shelf, for everybody: (box, report, shelf, view)."""
        try:
            self._check_open()
            if name in self.engine.shelf.shipped:
                raise UserError(*(sentence.format(name=name) for sentence in TEXTS["stays"]))
            self.engine.shelf.remove(name)
        except UserError as error:
            return self._refused(error, language)
        told = _say("unloaded", language, name=as_code(name))
        return gr.skip(), told, on_shelf(self.engine), *self.refresh(BASE, language)

    def _build_door(self) -> None:
        make, tab = self.words.make, self.tab
        with make(gr.Accordion, words={"label": TEXTS["add"]}, open=False, elem_id=f"{tab}adapter-add"):
            self.source = make(
                gr.Textbox, words={"label": TEXTS["source"], "info": TEXTS["source_help"]}, max_lines=1,
                placeholder="pemilik/nama@revisi", elem_id=f"{tab}adapter-source",
            )  # fmt: skip
            with gr.Row(elem_classes="adapter-actions"):
                button: dict[str, Any] = {"size": "sm", "min_width": 90}
                self.load = make(gr.Button, words={"value": TEXTS["load"]}, elem_id=f"{tab}adapter-load", **button)
                self.sent = make(
                    gr.UploadButton, words={"label": TEXTS["upload"]}, file_types=[".zip"],
                    elem_id=f"{tab}adapter-upload", **button,
                )  # fmt: skip
                self.unload = make(
                    gr.Button, words={"value": TEXTS["unload"]}, interactive=False, elem_id=f"{tab}adapter-unload",
                    **button,
                )  # fmt: skip
            self.report = gr.Markdown("", elem_id=f"{tab}adapter-report", container=False)

    def _wire_door(self) -> None:
        outputs = [self.source, self.report, self.shelf, *self.view]
        one_at_a_time = {**PRIVATE, "concurrency_id": "shelf", "concurrency_limit": 1}
        gr.on([self.load.click, self.source.submit], self.add, [self.source, self.language], outputs, **one_at_a_time)
        self.sent.upload(self.receive, [self.sent, self.language], outputs, **one_at_a_time)
        assert self.unload is not None
        self.unload.click(self.remove, [self.name, self.language], outputs, **one_at_a_time)
        # Another visitor may have changed the shelf since this page was opened.
        self.name.focus(lambda: on_shelf(self.engine), None, self.shelf, **PRIVATE)

    def _check_open(self) -> None:
        if self.engine.settings.public:
            raise UserError(*TEXTS["public"])

    def _refused(self, error: UserError, language: str) -> Frame:
        warn(error, language)
        return tuple(gr.skip() for _ in range(3 + len(self.view)))


def choices(engine: Engine, language: str) -> list[tuple[str, str]]:
    """(label, name) of the base and of everything on the shelf."""
    rows = engine.shelf.listed()
    return [(pick(TEXTS["base"], language), BASE), *((label(row["name"], row["card"]), row["name"]) for row in rows)]


def label(name: str, card: str) -> str:
    """An adapter's name and, where its card's first heading says more, that heading in short."""
    found = re.search(r"^# +(.+)$", without_front_matter(card), re.MULTILINE)
    title = " ".join("".join(sign for sign in found[1] if sign.isprintable()).split()) if found else ""
    if not title or title.casefold() == name.casefold():
        return name
    return f"{name} · {title if len(title) <= LONGEST_TITLE else title[:LONGEST_TITLE] + '…'}"


def card(row: Mapping[str, Any], language: str) -> dict[str, Any]:
    """What the browser shows of an adapter, a row of the shelf: a summary, facts, and the card's text."""
    facts = [
        ("rank", str(row["rank"])),
        ("parameters", _counted(row["parameters"], language)),
        ("checksum", row["sha256"][:12]),
        ("of_base", row["base"] or "–"),
    ]
    return {
        "summary": _say("card", language, name=row["name"]),
        "facts": [(pick(TEXTS[key], language), value) for key, value in facts],
        "text": without_front_matter(row["card"]).strip() or pick(TEXTS["no_card"], language),
    }


def without_front_matter(card: str) -> str:
    """A card without the lines between `---` at its head, which are for machines."""
    return re.sub(r"\A---\s*\n.*?\n---[ \t]*(\n|\Z)", "", card.replace("\r\n", "\n"), count=1, flags=re.DOTALL)


def report(adapter: Adapter, language: str) -> str:
    """A line of markdown: how an adapter's keys met those of the base, and how big it is."""
    return _say(
        "loaded", language, name=as_code(adapter.name), matched=len(adapter.report.matched),
        ignored=len(adapter.report.unmatched), rank=adapter.rank, parameters=_counted(adapter.parameters, language),
    )  # fmt: skip


def split(values: Sequence[Any]) -> tuple[str | None, Sequence[Any]]:
    """From the values of a tab, those of `components` first: what the engine is asked for (`name:scale`, or None for
    the base), and the others."""
    name, scale, *others = values
    return (f"{name}:{scale}" if name else None), others


def named(about: Mapping[str, Any]) -> str:
    """What a line of figures adds for an answer that an adapter wrote, as markdown; nothing for the base."""
    return f" · adapter {as_code(about['adapter'])}" if about.get("adapter") else ""


def as_code(name: str) -> str:
    """A stranger's name in a line of markdown: no character of it means anything there."""
    return "`" + name.replace("`", "'") + "`"


def on_shelf(engine: Engine) -> list[tuple[str, str]]:
    """(name, SHA-256) of what is on the shelf: what a page knows of it."""
    return [(row["name"], row["sha256"]) for row in engine.shelf.listed()]


def _say(key: str, language: str, **values: Any) -> str:
    return pick(TEXTS[key], language).format(**values)


def _counted(number: int, language: str) -> str:
    return f"{number:,}" if language == "en" else f"{number:,}".replace(",", ".")
