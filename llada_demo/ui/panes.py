"""Panes in step: base and adapters write one answer, and what differs from the base is marked.

What a link or a file says is a stranger's until it is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from llada_demo.adapters.attaching import MAX_SCALE
from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.comparison import MOST_ADAPTERS, read_comparison
from llada_demo.core.errors import UserError
from llada_demo.engine import Engine
from llada_demo.engine.fill import asked
from llada_demo.ui import conversation
from llada_demo.ui.adapters import BASE, choices, on_shelf, split
from llada_demo.ui.chat import parsed_options
from llada_demo.ui.compare_actions import build_actions, build_reference
from llada_demo.ui.compare_board import Board, Opened, Written
from llada_demo.ui.compare_link import EXAMPLES, Wish, read_wish, slots_of
from llada_demo.ui.controls import DEFAULT_PRESET, FIELDS, Controls, preset_choices
from llada_demo.ui.running import PRIVATE, QUEUE, end_first, send_or_stop, told_once, warn, watched
from llada_demo.ui.words import Words, pick

CANDIDATES = 3  # of each open position: there are up to four panes of them
PANES = range(1, MOST_ADAPTERS + 1)  # beside the base, which is pane 0

TEXTS: Mapping[str, tuple[str, str]] = {
    "examples": ("Contoh siap banding", "Ready comparisons"),
    "hint": ("Satu pertanyaan untuk semua panel", "One question for all panes"),
    "slot": ("Adapter {number}", "Adapter {number}"),
    "unused": ("Tidak dipakai", "Not used"),
    "scale": ("Skala", "Scale"),
    "lock": ("Skala bersama", "Scales together"),
    "swap": ("Tukar {left} ⇄ {right}", "Swap {left} ⇄ {right}"),
    "waiting": (
        "Pilih sebuah contoh, atau tulis pertanyaan. Model dasar dan adapter menjawabnya langkah demi langkah, dengan "
        "benih yang sama: yang berbeda hanyalah adapternya.",
        "Choose an example, or ask a question. The base and the adapters answer it step by step, with one seed: all "
        "that differs is the adapter.",
    ),
    "no_adapter": (
        "**Belum ada adapter untuk dibandingkan.** Tambahkan lewat *Tambahkan adapter* di tab Obrolan, atau jalankan "
        "halaman ini dengan `LLADA_ADAPTERS=folder-adapter python app.py`. Perbandingan yang tersimpan tetap dapat "
        "dibuka.",
        "**There is no adapter to compare yet.** Add one with *Add an adapter* in the Chat tab, or run this page with "
        "`LLADA_ADAPTERS=adapter-folder python app.py`. A saved comparison can still be opened.",
    ),
    "no_adapter_public": (
        "**Belum ada adapter untuk dibandingkan.** Yang menjalankan halaman ini dapat menambahkannya: "
        "`LLADA_ADAPTERS=folder-adapter python app.py`. Perbandingan yang tersimpan tetap dapat dibuka.",
        "**There is no adapter to compare yet.** Who runs this page can add one: `LLADA_ADAPTERS=adapter-folder "
        "python app.py`. A saved comparison can still be opened.",
    ),
    "bad_adapters": (
        'adapters harus berupa daftar nama, atau nama-nama dengan koma, misalnya "kecil-lora,kecil-rusak:0.5".',
        'adapters must be a list of names, or names with commas, for example "kecil-lora,kecil-rusak:0.5".',
    ),
}

Frame = tuple[Any, ...]  # (box, reel, what is shown)


def build_panes(engine: Engine, words: Words, language: gr.Textbox, boards: dict[str, gr.State]) -> None:
    """Builds what is asked, of whom, and the board into the open Blocks, and the endpoint /compare."""
    tab = PanesTab(engine)
    shown = boards["compare"] = gr.State(None)
    with gr.Column(visible=bool(engine.shelf.listed()), elem_id="compare-form") as form:
        examples = words.make(
            gr.Radio, words={"label": TEXTS["examples"]}, choices=tab.examples("id"), value=None,
            elem_id="compare-examples",
        )  # fmt: skip
        box = words.make(
            gr.Textbox, words={"label": "film_prompt", "placeholder": TEXTS["hint"], "submit_btn": "film_run"},
            show_label=False, lines=1, max_lines=4, elem_id="compare-prompt", elem_classes="ask-box", stop_btn=False,
        )  # fmt: skip
        names, scales, lock = _build_slots(tab, words)
    missing = "no_adapter_public" if engine.settings.public else "no_adapter"
    empty = words.make(
        gr.Markdown, words={"value": TEXTS[missing]}, visible=not engine.shelf.listed(), elem_id="compare-empty",
    )  # fmt: skip
    words.make(gr.Markdown, words={"value": TEXTS["waiting"]}, elem_id="compare-hint", container=False)
    gr.HTML("", elem_id="compare-board")
    reel, message = (gr.Textbox(visible="hidden", elem_id=f"compare-{name}") for name in ("reel", "message"))
    reel.change(None, reel, None, js="llada.compare.watch", **PRIVATE)
    open_ = build_actions(words, shown, message, language)
    system, preset, tab.controls = _build_settings(engine, words)
    tab.controls.wire(preset, language)
    build_reference(words, shown, message, language)

    view, choice = [box, reel, shown], [*names, *scales]
    go = gr.Button(visible="hidden", elem_id="compare-go")
    model: dict[str, Any] = {**PRIVATE, **QUEUE}
    settings = [system, *choice, lock, preset, *tab.controls.components]
    writing = [
        box.submit(tab.write, [box, language, system, *choice, *tab.controls.components], view, **model),
        # "multiple": for the browser what was just ended is still under way.
        go.click(
            tab.follow, [message, language], [*settings, *view], js="llada.compare.wished", trigger_mode="multiple",
            **model,
        ),
    ]  # fmt: skip
    end_first([examples.input], writing, None, examples, None, js="llada.compare.ask")
    stopped = end_first([box.stop], writing, tab.stop, language, box)
    stopped.then(tab.keep, shown, reel, **model)
    end_first([open_.click], writing, tab.open, [message, language], view, js="llada.unmasking.open")
    follows = [*names, examples, form, empty]
    shelf = boards["adapters"]
    gr.on([shelf.change, language.change], tab.refresh, [language, *names], follows, **PRIVATE)
    for name in names:  # another visitor may have changed the shelf since this page was opened
        name.focus(tab.shelf, None, shelf, **PRIVATE)
    gr.api(tab.api_compare, api_name="compare", **QUEUE)


def _build_slots(tab: PanesTab, words: Words) -> tuple[list[gr.Dropdown], list[gr.Slider], gr.Checkbox]:
    """Who answers beside the base, and how strongly."""
    names, scales = [], []
    with gr.Row(elem_id="compare-slots"):
        for number in PANES:
            with gr.Column(min_width=200, elem_id=f"compare-slot-{number}", elem_classes="compare-slot"):
                there = tab.choices("id")
                first = there[1][1] if number == 1 and len(there) > 1 else BASE
                name = words.make(
                    gr.Dropdown, words={"label": _said("slot", number=number)}, choices=there, value=first,
                    filterable=False, interactive=True, elem_id=f"compare-adapter-{number}",
                )  # fmt: skip
                scale = words.make(
                    gr.Slider, words={"label": TEXTS["scale"]}, minimum=0, maximum=MAX_SCALE, value=1, step=0.05,
                    visible=bool(first), interactive=True, elem_id=f"compare-scale-{number}",
                )  # fmt: skip
                name.change(lambda name: gr.update(visible=bool(name)), name, scale, **PRIVATE)
                names.append(name)
                scales.append(scale)
        with gr.Column(min_width=160, elem_id="compare-together"):
            lock = words.make(
                gr.Checkbox, words={"label": TEXTS["lock"]}, value=True, interactive=True, elem_id="compare-lock"
            )
            swaps = [
                words.make(
                    gr.Button, words={"value": _said("swap", left=left, right=left + 1)}, size="sm", min_width=90,
                    elem_id=f"compare-swap-{left}",
                )
                for left in PANES[:-1]
            ]  # fmt: skip
    for i, swap in enumerate(swaps):
        pair = [names[i], scales[i], names[i + 1], scales[i + 1]]
        swap.click(None, pair, pair, js=f"llada.compare.swap{i + 1}", **PRIVATE)
    for scale in scales:
        others = [other for other in scales if other is not scale]
        moved: dict[str, Any] = {"inputs": [lock, scale, *others], "outputs": others, "js": "llada.compare.together"}
        gr.on([scale.input, scale.release], None, **moved, **PRIVATE)
    return names, scales, lock


def _build_settings(engine: Engine, words: Words) -> tuple[gr.Textbox, gr.Radio, Controls]:
    """How all panes write, folded."""
    with words.make(gr.Accordion, words={"label": "settings"}, open=False, elem_id="compare-settings"):
        system = words.make(
            gr.Textbox, words={"label": "system_prompt", "info": "system_prompt_help"}, value=SYSTEM_PROMPT, lines=2,
            elem_id="compare-system",
        )  # fmt: skip
        preset = words.make(
            gr.Radio, words={"label": "preset", "choices": preset_choices()}, value=DEFAULT_PRESET,
            elem_id="compare-preset",
        )  # fmt: skip
        with gr.Row(elem_id="compare-sampling"):
            controls = Controls(words, engine.max_length, tab="compare-")
    return system, preset, controls


class PanesTab:
    """The handlers: controls -> engine -> view -> yield."""

    controls: Controls

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def shelf(self) -> list[tuple[str, str]]:
        """What a page knows of the shelf."""
        return on_shelf(self.engine)

    def choices(self, language: str) -> list[tuple[str, str]]:
        """(label, name) for a slot: none, and everything on the shelf."""
        return [(pick(TEXTS["unused"], language), BASE), *choices(self.engine, language)[1:]]

    def examples(self, language: str) -> list[tuple[str, str]]:
        """(title, name) of the examples whose adapters are there."""
        there = {name for name, _ in self.shelf()}
        return [
            (pick(title, language), key)
            for key, (title, wish) in EXAMPLES.items()
            if {name for name, _ in slots_of(wish.adapters)} <= there
        ]

    def refresh(self, language: str, *names: str) -> list[Any]:
        """What follows the shelf, in `language`: slots, examples, and whether there is anything to compare."""
        there = self.choices(language)
        known = {name for _, name in there}
        slots = [gr.update(choices=there, value=name if name in known else BASE) for name in names]
        some = len(there) > 1
        return [
            *slots,
            gr.update(choices=self.examples(language)),
            gr.update(visible=some),
            gr.update(visible=not some),
        ]

    @told_once
    def write(self, text: str, language: str, system: str, *values: Any) -> Iterator[Frame]:
        """A question, answered by the base and by the slots that are in use."""
        names, scales, sampling = values[: len(PANES)], values[len(PANES) : 2 * len(PANES)], values[2 * len(PANES) :]
        used = {slot: split((name, scale))[0] for slot, name, scale in zip(PANES, names, scales, strict=True) if name}
        try:
            wish = Wish(text or "", tuple(map(str, used.values())), self.controls.read(sampling), system or "")
            board = self.start(wish, tuple(used))
        except UserError as error:
            warn(error, language)
            yield self._box(language, writing=False), gr.skip(), gr.skip()
            return
        yield from self._run(board, language)

    @told_once
    def follow(self, text: str, language: str) -> Iterator[Frame]:
        """An example, by its name, or what a link carries: it is shown in the form, and run."""
        try:
            wish = EXAMPLES[text][1] if text in EXAMPLES else read_wish(text)
            slots = slots_of(wish.adapters)
            board = self.start(wish, PANES[: len(slots)])
        except UserError as error:
            warn(error, language)
            kept = 3 + 2 * len(PANES) + len(self.controls.components)
            yield *(gr.skip() for _ in range(kept)), self._box(language, writing=False), gr.skip(), gr.skip()
            return
        form = self._form(wish, slots, language)
        for frame in self._run(board, language, value=wish.prompt):
            yield *form, *frame
            form = [gr.skip() for _ in form]

    def stop(self, language: str) -> Any:
        """The button sends again."""
        return self._box(language, writing=False)

    def keep(self, shown: Board | None) -> Any:
        """What is written stays, with its texts and figures below the panes."""
        return shown.finish() if isinstance(shown, Written) else gr.skip()

    def open(self, text: str, language: str) -> Frame:
        """A comparison from a file, with everything in it checked."""
        box = self._box(language, writing=False)
        if not text:
            return box, gr.skip(), gr.skip()
        try:
            board = Opened(read_comparison(text))
        except UserError as error:
            warn(error, language)
            return box, gr.skip(), gr.skip()
        return box, board.lines(), board

    def api_compare(
        self,
        prompt: str,
        adapters: list[str] | str,
        options_json: str = "{}",
        system_prompt: str = SYSTEM_PROMPT,
    ) -> dict[str, Any]:
        """The base and one to three adapters (a list, or names with commas; `name:scale`) on one question, in step:
        texts, traces, where each parts from the base, and figures."""
        try:
            wish = Wish(prompt, _names(adapters), parsed_options(options_json), system_prompt)
            board = self.start(wish, PANES[: len(wish.adapters)])
            for _ in board:
                pass
        except UserError as error:
            raise gr.Error(error.in_language("id"), print_exception=False) from error
        return board.record().to_dict()

    def start(self, wish: Wish, slots: Sequence[int]) -> Written:
        """A comparison, ready to be iterated. Raises UserError before any work is done."""
        texts = (conversation.checked(wish.prompt), wish.options, conversation.checked(wish.system_prompt))
        messages, options = asked(self.engine.tokenizer, *texts)
        return Written(wish, self.engine.compare(messages, options, wish.adapters, CANDIDATES), slots)

    def _run(self, board: Written, language: str, **value: Any) -> Iterator[Frame]:
        """Frames of a comparison while it is written, and at the end its texts and figures."""
        for first in watched(board, language):
            box = self._box(language, writing=True, **value) if first else gr.skip()
            yield box, board.lines(), board if first else gr.skip()
        yield gr.skip(), board.end(), gr.skip()
        for _ in watched(board.measure(), language):
            pass
        yield self._box(language, writing=False), board.lines(), gr.skip()

    def _form(self, wish: Wish, slots: Sequence[tuple[str, float]], language: str) -> list[Any]:
        """Updates of system prompt, slots, lock, preset and sampling controls so that they say what is asked."""
        there = self.choices(language)
        filled = [*slots, *[(BASE, 1.0)] * (len(PANES) - len(slots))]
        sampling = dict(zip(FIELDS, self.controls.show(wish.options), strict=True))
        sampling["seed"] = gr.update(value=str(wish.options.seed))
        given = (f"{at}: {word}" for at, word in wish.options.constraints.items() if isinstance(word, str))
        sampling["constraints"] = gr.update(value="\n".join(given))
        return [
            gr.update(value=wish.system_prompt),
            *(gr.update(choices=there, value=name) for name, _ in filled),
            *(gr.update(value=scale, visible=bool(name)) for name, scale in filled),
            gr.update(value=len({scale for _, scale in slots}) == 1),
            gr.update(value=None),
            *sampling.values(),
        ]

    def _box(self, language: str, writing: bool, **value: Any) -> Any:
        return send_or_stop("film_run", language, writing, **value)


def _names(adapters: Any) -> tuple[str, ...]:
    """The adapters of an API call. Raises UserError."""
    names = adapters.split(",") if isinstance(adapters, str) else adapters
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(*TEXTS["bad_adapters"])
    return tuple(name.strip() for name in names if name.strip())


def _said(key: str, **values: Any) -> tuple[str, str]:
    indonesian, english = (sentence.format(**values) for sentence in TEXTS[key])
    return indonesian, english
