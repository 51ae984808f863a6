"""The page: header, tabs, and the switch of language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from llada_demo.engine import Engine
from llada_demo.ui.adapters import shelf_state
from llada_demo.ui.attention import build_attention
from llada_demo.ui.chat import build_chat
from llada_demo.ui.compare import build_compare
from llada_demo.ui.running import PRIVATE
from llada_demo.ui.theme import STYLES, head, theme
from llada_demo.ui.unmasking import build_unmasking
from llada_demo.ui.words import Words, pick, say

# One entry a tab: its name's key, and the function that builds it into the open Blocks. A tab leaves what it shows
# (its records or its trace) in a dict under its name, for the tabs after it.
TABS: dict[str, Callable[[Engine, Words, gr.Textbox, dict[str, gr.State]], None]] = {
    "tab_chat": build_chat,
    "tab_unmasking": build_unmasking,
    "tab_attention": build_attention,
    "tab_compare": build_compare,
}
WAITING = 64  # requests that may wait in the queue
THREADS = 80  # handlers that may run at once


def build_page(engine: Engine) -> tuple[gr.Blocks, dict[str, Any]]:
    """The Blocks and the launch options that belong to them."""
    words, boards = Words(), dict[str, gr.State]()
    with gr.Blocks(title="LLaDA Indonesia", analytics_enabled=False, fill_width=True) as demo:
        # A hidden box, not a State: the browser fills it in (its own language) when the page is opened.
        language = gr.Textbox("id", visible="hidden", elem_id="language")
        with gr.Row(elem_id="page-head"):
            about = words.make(
                gr.Markdown,
                words={"value": (header(engine, "id"), header(engine, "en"))},
                elem_id="about",
                container=False,
            )
            with gr.Row(elem_id="page-switches"):
                dark = words.make(
                    gr.Button,
                    words={"value": "switch_theme"},
                    size="sm",
                    variant="secondary",
                    elem_id="switch-theme",
                )
                switch = words.make(
                    gr.Button,
                    words={"value": "switch_language"},
                    size="sm",
                    variant="secondary",
                    elem_id="switch-language",
                )
        boards["adapters"] = shelf_state(engine, demo)  # what may be chosen, the same in every tab
        with gr.Tabs(elem_id="tabs"):
            for name, build in TABS.items():
                with words.make(gr.Tab, words={"label": name}, id=name):
                    build(engine, words, language, boards)

        def adapters() -> list[dict[str, Any]]:
            """The adapters that may be asked for by name, with rank, size, digest and card."""
            return engine.shelf.listed()

        def speak(language: str) -> list[Any]:
            """Everything in `language`, which is remembered for the handlers' sentences."""
            return [language, *words.updates(language)]

        gr.api(adapters, api_name="adapters")
        everything = [language, *words.components]
        dark.click(None, js="llada.switchTheme", **PRIVATE)
        language.change(None, language, None, js="llada.speak", **PRIVATE)
        switch.click(lambda now: speak("id" if now == "en" else "en"), language, everything, **PRIVATE)
        demo.load(speak, language, everything, js="llada.browserLanguage", **PRIVATE)
    demo.queue(max_size=WAITING, default_concurrency_limit=THREADS)
    assert about is not None
    return demo, {
        "theme": theme(), "css_paths": STYLES, "head": head(), "i18n": words.i18n, "max_threads": THREADS,
    }  # fmt: skip


def header(engine: Engine, language: str) -> str:
    """Which model answers, how big it is, on what, and how far to trust it."""
    loaded = engine.loaded
    size = f"{loaded.parameters / 1e6:.1f}" if loaded.parameters < 1e9 else f"{loaded.parameters / 1e9:.1f}"
    unit = pick(("juta", "million") if loaded.parameters < 1e9 else ("miliar", "billion"), language)
    place = f"{engine.placement.device.upper()}, {str(engine.placement.dtype).removeprefix('torch.')}"
    line = say("model_line", language, model=loaded.name, size=f"{size} {unit}", place=place)
    honest = say("small_model" if loaded.parameters < 1e9 else "big_model", language)
    return f"# LLaDA Indonesia\n{line}\n\n{honest}"
