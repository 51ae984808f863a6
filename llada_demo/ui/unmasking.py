"""The unmasking tab: how an answer was written, step by step, and what could have stood there."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Trace, read_trace
from llada_demo.engine import Engine
from llada_demo.engine.fill import asked
from llada_demo.engine.run import Run
from llada_demo.export.files import export
from llada_demo.export.film import film
from llada_demo.ui import conversation
from llada_demo.ui.adapters import AdapterControl, split
from llada_demo.ui.charts import build_charts
from llada_demo.ui.chat import parsed_options
from llada_demo.ui.controls import DEFAULT_PRESET, Controls, preset_choices
from llada_demo.ui.forward_process import build_forward_process
from llada_demo.ui.reel import Live, whole_film
from llada_demo.ui.running import PRIVATE, QUEUE, UPDATE_EVERY, end_first, send_or_stop, told_once, warn, watched
from llada_demo.ui.scenes import Scene, read_scenes, scene_choices
from llada_demo.ui.side_by_side import build_side_by_side
from llada_demo.ui.words import Words, pick, say

FILES = {  # what the visitor chooses -> format and size
    "JSON": ("json", "wide"),
    "HTML": ("html", "wide"),
    "GIF 1280×720": ("gif", "wide"),
    "GIF 1080×1080": ("gif", "square"),
    "MP4 1280×720": ("mp4", "wide"),
    "MP4 1080×1080": ("mp4", "square"),
    "PNG 1280×720": ("png", "wide"),
    "PNG 1080×1080": ("png", "square"),
}
CANDIDATES = 5
LONGEST_WORD = 60  # characters that a visitor may write over one token

Frame = tuple[Any, ...]  # (box, reel, trace)
NOTHING: Frame = (gr.skip(), gr.skip(), gr.skip())


def build_unmasking(engine: Engine, words: Words, language: gr.Textbox, boards: dict[str, gr.State]) -> None:
    """Builds the tab into the open Blocks, and the endpoint /unmask."""
    tab = UnmaskingTab(engine)
    trace = boards["unmasking"] = gr.State(None)
    scenes = words.make(
        gr.Radio, words={"label": "scenes", "choices": scene_choices(tab.scenes)}, value=None, elem_id="scenes",
    )  # fmt: skip
    box = words.make(
        gr.Textbox, words={"label": "film_prompt", "placeholder": "film_hint", "submit_btn": "film_run"},
        show_label=False, lines=1, max_lines=4, elem_id="film-prompt", elem_classes="ask-box", stop_btn=False,
    )  # fmt: skip
    with gr.Row(elem_id="unmasking-boards"):
        gr.HTML("", elem_id="unmasking-board")
        gr.HTML("", elem_id="unmasking-other")
    with gr.Row(elem_id="film-actions"):
        go_on, open_, beside, save, leave = (
            words.make(gr.Button, words={"value": key}, size="sm", elem_id=key.replace("_", "-"), min_width=90)
            for key in ("go_on", "open_trace", "open_beside", "save_trace", "leave_export")
        )
        kind = words.make(
            gr.Dropdown, words={"label": "save_as"}, choices=list(FILES), value="JSON", elem_id="save-as",
            min_width=150, container=False,
        )  # fmt: skip
    told = gr.Markdown("", elem_id="film-status", container=False)
    preset, adapters, tab.controls = _build_settings(engine, words, language, boards["adapters"])
    controls, settings = tab.controls, [*adapters.components, *tab.controls.components]
    reel = gr.Textbox(visible="hidden", elem_id="reel")
    message = gr.Textbox(visible="hidden", elem_id="film-message")

    view = [box, reel, trace]
    model: dict[str, Any] = {**PRIVATE, **QUEUE}
    writing = [
        box.submit(tab.write, [box, language, *settings], view, **model),
        go_on.click(tab.go_on, [trace, message, language], view, js="llada.unmasking.steering", **model),
    ]
    both = build_side_by_side(tab.start, words, language, box, controls, settings)
    end_first([box.stop], [*writing, both], tab.stop, language, box)
    reel.change(None, reel, None, js="llada.unmasking.watch", **PRIVATE)
    shown = [
        *writing,
        scenes.input(tab.scene, [scenes, language], view, **PRIVATE),
        open_.click(tab.open, [message, language], view, js="llada.unmasking.open", **PRIVATE),
    ]
    beside.click(tab.beside, [trace, message, language], reel, js="llada.unmasking.openBeside", **PRIVATE)
    saving = save.click(tab.save, [trace, kind, message, language], [told, message], js="llada.unmasking.at", **PRIVATE)
    saving.success(None, message, None, js="llada.unmasking.save", **PRIVATE)
    end_first([leave.click], saving, lambda: ("", ""), None, [told, message])
    controls.wire(preset, language)
    build_charts(words, language, trace, shown)
    build_forward_process(engine, words, language)
    gr.api(tab.api_unmask, api_name="unmask", **QUEUE)


def _build_settings(
    engine: Engine, words: Words, language: gr.Textbox, shelf: gr.State
) -> tuple[gr.Radio, AdapterControl, Controls]:
    """How to write: the preset and the adapter, and, folded, the sampling controls."""
    with gr.Row(elem_classes="adapter-answers"):
        preset = words.make(
            gr.Radio, words={"label": "preset", "choices": preset_choices()}, value=DEFAULT_PRESET,
            elem_id="film-preset",
        )  # fmt: skip
        adapters = AdapterControl(engine, words, language, shelf, tab="film-")
    adapters.build_below()
    with (
        words.make(gr.Accordion, words={"label": "settings"}, open=False, elem_id="film-settings"),
        gr.Row(elem_id="film-sampling"),
    ):
        controls = Controls(words, engine.max_length, tab="film-")
    return preset, adapters, controls


class UnmaskingTab:
    """The handlers: controls -> engine -> view -> yield."""

    controls: Controls

    def __init__(self, engine: Engine) -> None:
        self.engine, self.scenes = engine, read_scenes()

    @told_once
    def write(self, text: str, language: str, *values: Any) -> Iterator[Frame]:
        """A question, or a text with gaps, answered live."""
        adapter, sampling = split(values)
        yield from self._run(lambda: self.start(text or "", self.controls.read(sampling), adapter), language)

    @told_once
    def go_on(self, trace: Trace | None, steering: str, language: str) -> Iterator[Frame]:
        """The run on the board from the step that is shown, with what was changed there by hand."""

        def start() -> Any:
            if trace is None:
                raise UserError(say("no_trace", "id"), say("no_trace", "en"))
            return self.engine.resume(trace, *wish(steering), CANDIDATES)

        yield from self._run(start, language)

    def stop(self, language: str) -> Any:
        """What is written stays on the board."""
        return self._box(language, writing=False)

    def scene(self, name: str, language: str) -> Frame:
        """A recorded run."""
        found = self.scenes.get(name)
        return (gr.skip(), self._reel(found, language), found.trace) if found else NOTHING

    def open(self, text: str, language: str) -> Frame:
        """A run from a file, with everything in it checked."""
        trace = _opened(text, language)
        return (gr.skip(), whole_film(film(trace, recorded=True)), trace) if trace else NOTHING

    def beside(self, trace: Trace | None, text: str, language: str) -> Any:
        """The run on the board and one from a file, in step."""
        other = _opened(text, language)
        if not trace or not other:
            return gr.skip()
        return whole_film(film(trace, recorded=True), film(other, recorded=True))

    def save(self, trace: Trace | None, name: str, step: str, language: str) -> Iterator[tuple[str, str]]:
        """The run as a file: (how far it is, nothing), and at the end (nothing, the file for the browser to save).

        No file lies on the server, so none is left behind by a page that was closed.
        """
        if trace is None:
            raise gr.Error(say("no_trace", language), print_exception=False)
        kind, size = FILES[name]
        work = export(trace, kind, size, int(step) if step.isdecimal() and step.isascii() and len(step) < 9 else None)
        told = 0.0
        while True:
            try:
                done, of = next(work)
            except StopIteration as finished:
                data = base64.b64encode(finished.value).decode()
                yield "", json.dumps({"ending": kind, "data": data})
                return
            if time.monotonic() - told > UPDATE_EVERY:
                told = time.monotonic()
                yield say("exporting", language, name=name, done=done, of=of), ""

    def api_unmask(self, prompt: str, adapter: str = "", options_json: str = "{}") -> dict[str, Any]:
        """The trace of an answer as JSON, with the candidates of every step."""
        try:
            run = self.start(prompt, parsed_options(options_json), adapter or None)
        except UserError as error:
            raise gr.Error(error.in_language("id"), print_exception=False) from error
        for _ in run:
            pass
        return run.trace().to_dict()

    def start(self, text: str, options: SamplingOptions, adapter: str | None = None) -> Run:
        """A run for a question or a text with gaps. Raises UserError."""
        messages, options = asked(self.engine.tokenizer, conversation.checked(text), options)
        return self.engine.start(messages, options, adapter, CANDIDATES)

    def _run(self, start: Any, language: str) -> Iterator[Frame]:
        """Frames of a run while it is written, and at the end its trace."""
        try:
            run = start()
        except UserError as error:
            warn(error, language)
            yield self._box(language, writing=False), gr.skip(), gr.skip()
            return
        live = Live(run)
        for first in watched(run, language):
            yield self._box(language, writing=True) if first else gr.skip(), live.lines(), gr.skip()
        yield self._box(language, writing=False), live.lines(whole=True), run.trace()

    def _reel(self, scene: Scene, language: str) -> str:
        title, note = pick(scene.title, language), pick(scene.note, language)
        if scene.other is None:
            return whole_film(film(scene.trace, title=title, note=note, recorded=True))
        left, right = (pick(side, language) for side in scene.sides)
        return whole_film(
            film(scene.trace, title=left, note=note, recorded=True), film(scene.other, title=right, recorded=True)
        )

    def _box(self, language: str, writing: bool) -> Any:
        """The question's box, with its button for writing or for stopping."""
        return send_or_stop("film_run", language, writing)


def _opened(text: str, language: str) -> Trace | None:
    """The trace in a file's text, or None where no file was chosen or the visitor was told what is wrong with it."""
    try:
        return read_trace(text) if text else None
    except UserError as error:
        gr.Warning(error.in_language(language))
        return None


def wish(steering: str) -> tuple[int, dict[int, int | str | None]]:
    """The step and the edits that the browser sends: {"step": n, "edits": {position: token id, word or null}}.

    Raises UserError where nothing is changed, and for anything else than that.
    """
    try:
        data = json.loads(steering or "{}")
        step, edits = int(data.get("step", 0)), {int(at): what for at, what in data.get("edits", {}).items()}
        if not all(what is None or type(what) is int or _is_word(what) for what in edits.values()):
            raise TypeError(f"an edit is a token, nothing, or a word of at most {LONGEST_WORD} characters")
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise UserError(
            f"Perubahan ini tidak dapat dibaca: {error}.", f"These changes cannot be read: {error}."
        ) from error
    if not edits:
        raise UserError(say("no_change", "id"), say("no_change", "en"))
    return step, edits


def _is_word(what: Any) -> bool:
    return isinstance(what, str) and len(what) <= LONGEST_WORD
