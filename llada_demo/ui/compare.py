"""The comparison tab, and its five parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import gradio as gr

from llada_demo.engine import Engine
from llada_demo.ui.blind import build_blind
from llada_demo.ui.lora_help import build_lora_help
from llada_demo.ui.many import build_many
from llada_demo.ui.panes import build_panes
from llada_demo.ui.results import build_results
from llada_demo.ui.words import Words

TEXTS: Mapping[str, tuple[str, str]] = {
    "panes": ("Berdampingan", "Side by side"),
    "many": ("Banyak pertanyaan", "Many prompts"),
    "blind": ("Tebak buta", "Blind"),
    "results": ("Hasil ukur", "Results"),
    "help": ("Apa itu LoRA?", "What is LoRA?"),
}


def build_compare(engine: Engine, words: Words, language: gr.Textbox, boards: dict[str, gr.State]) -> None:
    """Builds the tab into the open Blocks, with the endpoint /compare."""
    parts: dict[str, Callable[[], None]] = {  # a tab inside the tab each, named by its key in TEXTS
        "panes": lambda: build_panes(engine, words, language, boards),
        "many": lambda: build_many(engine, words, language, boards["adapters"]),
        "blind": lambda: build_blind(engine, words, language, boards["adapters"]),
        "results": lambda: build_results(words, language),
        "help": lambda: build_lora_help(words),
    }
    with gr.Tabs(elem_id="compare-tabs"):
        for name, build in parts.items():
            with words.make(gr.Tab, words={"label": TEXTS[name]}, id=name):
                build()
