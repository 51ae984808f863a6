"""The chat tab: an answer that appears as it is denoised."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from llada_demo.core.chat import SYSTEM_PROMPT, Message
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.engine import Engine
from llada_demo.export.film import film
from llada_demo.ui import conversation
from llada_demo.ui.adapters import AdapterControl, named, split
from llada_demo.ui.controls import (
    DEFAULT_PRESET,
    FIELDS,
    Controls,
    preset_choices,
    with_new_seed,
)
from llada_demo.ui.reel import whole_film
from llada_demo.ui.running import PRIVATE, QUEUE, end_first, paced, send_or_stop, told_once, warn, watched
from llada_demo.ui.words import EXAMPLES, Words, say

BUTTONS = ("regenerate", "same_seed", "show_writing", "undo", "clear", "download_markdown", "download_json")
Frame = tuple[Any, ...]  # (message box, conversation, records, status line)
Settings = tuple[SamplingOptions, str | None]  # how to write, and with which adapter


def build_chat(engine: Engine, words: Words, language: gr.Textbox, boards: dict[str, gr.State]) -> None:
    """Builds the tab into the open Blocks, and the endpoint /chat."""
    records = boards["chat"] = gr.State([])
    talk = words.make(
        gr.Chatbot, words={"label": "conversation", "placeholder": "welcome"}, elem_id="conversation",
        height="min(56vh, 620px)", editable="user", render_markdown=False, buttons=["copy", "copy_all"],
        feedback_options=None, layout="bubble", group_consecutive_messages=False, allow_tags=False,
        examples=[{"text": text} for text in EXAMPLES],
    )  # fmt: skip
    status = gr.Markdown("", elem_id="status", container=False)
    gr.HTML("", elem_id="chat-board")
    box = words.make(
        gr.Textbox, words={"label": "message", "placeholder": "message_hint", "submit_btn": "send"},
        show_label=False, lines=1, max_lines=6, elem_id="message", elem_classes="ask-box", stop_btn=False,
    )  # fmt: skip
    with gr.Row(elem_id="actions"):
        again, same, show, undo, clear, markdown, json_file = (
            words.make(gr.Button, words={"value": key}, size="sm", elem_id=key.replace("_", "-"), min_width=90)
            for key in (
                "regenerate",
                "same_seed",
                "show_writing",
                "undo",
                "clear",
                "download_markdown",
                "download_json",
            )
        )
    with gr.Row(elem_classes="adapter-answers"):
        preset = words.make(
            gr.Radio, words={"label": "preset", "info": "preset_help", "choices": preset_choices()},
            value=DEFAULT_PRESET, elem_id="preset",
        )  # fmt: skip
        adapters = AdapterControl(engine, words, language, boards["adapters"])
    adapters.build_below()
    system, controls = _build_settings(engine, words)
    tab = ChatTab(engine, controls)
    sampling = [system, language, *adapters.components, *controls.components]
    view = [box, talk, records, status]
    model: dict[str, Any] = {**PRIVATE, **QUEUE}
    state = [talk, records, *sampling]
    writing = [
        box.submit(tab.send, [box, *state], view, **model),
        again.click(tab.regenerate, state, view, **model),
        talk.retry(tab.regenerate, state, view, **model),
        same.click(tab.repeat, state, view, **model),
        talk.edit(tab.edit, state, view, **model),
        talk.example_select(tab.example, state, view, **model),
    ]
    answers = [talk, records, language]
    end_first([box.stop], writing, tab.stop, answers, view)
    end_first([undo.click, talk.undo], writing, tab.undo, answers, view)
    end_first([clear.click, talk.clear], writing, tab.clear, language, view)
    controls.wire(preset, language)
    _wire_records(tab, (show, markdown, json_file), [talk, records, system, language])
    gr.api(tab.api_chat, api_name="chat", **QUEUE)


def _build_settings(engine: Engine, words: Words) -> tuple[gr.Textbox, Controls]:
    """The folded settings: the system prompt, the sampling controls, and the way to a bigger model."""
    with words.make(gr.Accordion, words={"label": "settings"}, open=False, elem_id="settings"):
        system = words.make(
            gr.Textbox, words={"label": "system_prompt", "info": "system_prompt_help"}, value=SYSTEM_PROMPT, lines=2,
            elem_id="system-prompt",
        )  # fmt: skip
        with gr.Row(elem_id="sampling"):
            controls = Controls(words, engine.max_length)
        words.make(gr.Markdown, words={"value": "bigger_model"}, elem_id="bigger-model", container=False)
    return system, controls


def _wire_records(tab: ChatTab, buttons: Sequence[gr.Button], state: list[Any]) -> None:
    """What the records of the answers are for: to see how one was written, and to take them home."""
    show, *files = buttons
    download, reel = (gr.Textbox(visible="hidden", elem_id=name) for name in ("download", "chat-reel"))
    _, records, _, language = state
    show.click(tab.show, [records, language], reel, **PRIVATE)
    reel.change(None, reel, None, js="llada.watchChat", **PRIVATE)
    for button, kind, save in zip(files, ("md", "json"), ("llada.saveMarkdown", "llada.saveJson"), strict=True):
        button.click(tab.export(kind), state, download, **PRIVATE).success(None, download, js=save, **PRIVATE)


class ChatTab:
    """The handlers: controls -> engine -> view -> yield."""

    def __init__(self, engine: Engine, controls: Controls) -> None:
        self.engine, self.controls = engine, controls

    @told_once
    def send(self, text: str, history: Any, records: Any, system: str, language: str, *values: Any) -> Iterator[Frame]:
        """Answers a new message; a message that cannot be answered stays in the box."""
        history = [*conversation.plain(history), {"role": "user", "content": text or ""}]
        yield from self._answer(history, records, system, language, lambda: self._read(values))

    def example(self, data: gr.SelectData, *state: Any) -> Iterator[Frame]:
        """Answers an example."""
        yield from self.send(data.value["text"], *state)

    @told_once
    def regenerate(self, history: Any, records: Any, system: str, language: str, *values: Any) -> Iterator[Frame]:
        """Answers the last message again with a new seed."""
        if not dict(zip(FIELDS, split(values)[1], strict=True))["temperature"]:
            gr.Info(say("greedy", language))

        def settings() -> Settings:
            options, adapter = self._read(values)
            return with_new_seed(options), adapter

        yield from self._again(history, records, system, language, settings)

    @told_once
    def repeat(self, history: Any, records: Any, system: str, language: str, *values: Any) -> Iterator[Frame]:
        """Answers the last message again with the seed of its answer and the settings of now."""

        def settings() -> Settings:
            now, adapter = self._read(values)
            seed = records[-1]["options"]["seed"] if records else now.seed
            return SamplingOptions.from_dict({**now.to_dict(), "seed": seed}), adapter

        yield from self._again(history, records, system, language, settings)

    @told_once
    def edit(
        self, data: gr.EditData, history: Any, records: Any, system: str, language: str, *values: Any
    ) -> Iterator[Frame]:
        """An earlier message in other words: what followed it is dropped, and it is answered anew."""
        assert isinstance(data.index, int)
        kept = conversation.plain(history)[: data.index]
        history = conversation.plain([*kept, {"role": "user", "content": data.value}])
        yield from self._answer(history, records, system, language, lambda: self._read(values))

    def stop(self, history: Any, records: Any, language: str) -> Frame:
        """What is written stays; the masks go."""
        history = conversation.plain(history)
        if history and history[-1]["role"] == "assistant":
            history[-1]["content"] = conversation.without_masks(history[-1]["content"])
        line = _status(records[-1], language) if records else ""
        return self._box(language, writing=False), conversation.shown(history), records, line

    def show(self, records: Any, language: str) -> Any:
        """How the last answer was written, for the player below it."""
        if not records:
            gr.Warning(say("nothing_to_show", language))
            return gr.skip()
        return whole_film(film(records[-1]["run"].trace(), candidates=False))

    def undo(self, history: Any, records: Any, language: str) -> Frame:
        """Takes the last message and its answer back; the message returns to the box."""
        try:
            *kept, last = conversation.to_last_question(conversation.plain(history))
        except UserError:
            return self._box(language, writing=False), [], [], ""
        records = records[: conversation.answers(kept)]
        return (
            self._box(language, writing=False, value=last["content"]),
            conversation.shown(kept),
            records,
            "",
        )

    def clear(self, language: str) -> Frame:
        """An empty conversation."""
        return self._box(language, writing=False), [], [], ""

    def export(self, kind: str) -> Any:
        """The handler that writes the conversation as "md" or "json", for the browser to save."""

        def write(history: Any, records: Any, system: str, language: str) -> str:
            history = conversation.plain(history)
            if not history:
                raise gr.Error(say("nothing_to_download", language), print_exception=False)
            if kind == "json":
                return conversation.to_json(history, records, system)
            return conversation.to_markdown(history, [_signed(one) for one in records], system, language)

        return write

    def api_chat(
        self,
        message: str,
        history: list[dict[str, str]] | None = None,
        system_prompt: str = SYSTEM_PROMPT,
        adapter: str = "",
        options_json: str = "{}",
    ) -> Iterator[str]:
        """Streams the answer: its words with masks (░) while it is written, then the text alone.

        history: [{"role": "user" or "assistant", "content": text}, ...]. options_json: fields of SamplingOptions.
        """
        try:
            options = parsed_options(options_json)
            turns: list[Message] = [*_turns(history), {"role": "user", "content": conversation.checked(message)}]
            run = self.engine.start(conversation.for_model(turns, system_prompt), options, adapter or None)
        except UserError as error:
            raise gr.Error(error.in_language("id"), print_exception=False) from error
        for _ in paced(run):
            yield run.picture()
        yield run.text

    def _read(self, values: Sequence[Any]) -> Settings:
        adapter, sampling = split(values)
        return self.controls.read(sampling), adapter

    def _again(
        self, history: Any, records: Any, system: str, language: str, settings: Callable[[], Settings]
    ) -> Iterator[Frame]:
        try:
            history = conversation.to_last_question(conversation.plain(history))
        except UserError as error:
            gr.Warning(error.in_language(language))
            yield gr.skip(), gr.skip(), gr.skip(), gr.skip()
            return
        yield from self._answer(history, records, system, language, settings)

    def _answer(
        self,
        history: list[Message],
        records: Sequence[Any],
        system: str,
        language: str,
        settings: Callable[[], Settings],
    ) -> Iterator[Frame]:
        """Frames of the answer to the history's last message."""
        try:
            conversation.checked(history[-1]["content"])
            run = self.engine.start(conversation.for_model(history, system), *settings())
        except UserError as error:
            warn(error, language)
            yield self._box(language, writing=False), gr.skip(), gr.skip(), gr.skip()
            return
        earlier = list(records)[: conversation.answers(history)]
        for first in watched(run, language):
            box = self._box(language, writing=True, value="") if first else gr.skip()
            yield box, _with(history, run.picture()), [*earlier, _record(run)], "" if first else gr.skip()
        done = _record(run)
        yield (
            self._box(language, writing=False),
            _with(history, run.text),
            [*earlier, done],
            _status(done, language),
        )

    def _box(self, language: str, writing: bool, **value: Any) -> Any:
        """The message box, with its button for sending or for stopping."""
        return send_or_stop("send", language, writing, **value)


def _with(history: Sequence[Message], answer: str) -> list[Message]:
    return conversation.shown([*history, {"role": "assistant", "content": answer}])


def _record(run: Any) -> conversation.Record:
    return {**conversation.record(run.options, run.stats(), run.about), "run": run}


def _status(record: conversation.Record, language: str) -> str:
    return conversation.status(record, language) + named(record["about"])


def _signed(record: conversation.Record) -> conversation.Record:
    """The record for a file to read: who answered is the model with its adapter."""
    about = record["about"]
    return {**record, "about": {**about, "model": about["model"] + named(about)}}


def parsed_options(options_json: str) -> SamplingOptions:
    """The options of an API call. Raises UserError for what is no JSON or does not fit."""
    try:
        return SamplingOptions.from_dict(json.loads(options_json or "{}"))
    except ValueError as error:
        raise UserError(f"options_json bukan JSON: {error}.", f"options_json is no JSON: {error}.") from error


def _turns(history: Any) -> list[Message]:
    """The history of an API call. Raises UserError where it is not a list of messages."""
    for message in history or []:
        if (
            not isinstance(message, dict)
            or message.get("role") not in ("user", "assistant")
            or "content" not in message
        ):
            raise UserError(
                'history harus berupa daftar {"role": "user" atau "assistant", "content": teks}.',
                'history must be a list of {"role": "user" or "assistant", "content": text}.',
            )
    return conversation.plain(history or [])
