"""Two runs of one question in step: what a setting changes, seen at one clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import gradio as gr

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.engine.run import Run
from llada_demo.ui.adapters import split
from llada_demo.ui.controls import Controls
from llada_demo.ui.reel import Live
from llada_demo.ui.running import PRIVATE, QUEUE, send_or_stop, told_once, warn, watched
from llada_demo.ui.words import Words, pick, say

Start = Callable[[str, SamplingOptions, str | None], Run]


@dataclass(frozen=True)
class Pair:
    """What is compared: the sides' names (Indonesian, English), and how each changes the settings on the screen."""

    names: tuple[tuple[str, str], tuple[str, str]]
    left: Mapping[str, Any]
    right: Mapping[str, Any]

    def label(self, language: str) -> str:
        """Both names."""
        return " · ".join(pick(name, language) for name in self.names)


PAIRS: Mapping[str, Pair] = {
    "order": Pair(
        (("Kiri ke kanan, seperti GPT", "Left to right, as a GPT"), ("Difusi bebas", "Free diffusion")),
        {"block_length": 1, "per_step": 1},
        {"block_length": 0, "per_step": 1},
    ),
    "ranking": Pair(
        (("Paling yakin dahulu", "Most confident first"), ("Acak", "At random")),
        {"remasking": "low_confidence"},
        {"remasking": "random"},
    ),
    "steps": Pair(
        (("8 langkah", "8 steps"), ("Satu langkah tiap token", "A step for each token")),
        {"block_length": 0, "steps": 8},
        {"block_length": 0, "per_step": 1},
    ),
}


def build_side_by_side(
    start: Start, words: Words, language: gr.Textbox, box: gr.Textbox, controls: Controls, settings: list[Any]
) -> Any:
    """Builds the two boards below the one; they take the question and the settings of the tab (its adapter's
    components, then those of `controls`). Returns the event that writes, for the button that stops it."""
    with words.make(gr.Accordion, words={"label": "side_by_side"}, open=False, elem_id="side-by-side"):
        words.make(gr.Markdown, words={"value": "side_by_side_help"}, container=False)
        names = tuple([(pair.label(spoken), key) for key, pair in PAIRS.items()] for spoken in ("id", "en"))
        kind = words.make(gr.Radio, words={"choices": names}, value="order", show_label=False, elem_id="pair")
        run = words.make(gr.Button, words={"value": "run_both"}, size="sm", variant="primary", elem_id="run-both")
        with gr.Row(elem_id="pair-boards"):
            gr.HTML("", elem_id="left-board")
            gr.HTML("", elem_id="right-board")
    left, right = (gr.Textbox(visible="hidden", elem_id=f"reel-{side}") for side in ("left", "right"))

    @told_once
    def write(text: str, name: str, language: str, *values: Any) -> Iterator[tuple[Any, Any, Any]]:
        """Both runs, a step of each at a time: (box, left, right). The box has the button that stops them."""
        try:
            adapter, sampling = split(values)
            options = controls.read(sampling)
            pair = PAIRS[name]
            runs = [start(text or "", changed(options, side), adapter) for side in (pair.left, pair.right)]
        except UserError as error:
            warn(error, language)
            yield gr.skip(), gr.skip(), gr.skip()
            return
        lives = [Live(one, pick(name, language)) for one, name in zip(runs, pair.names, strict=True)]
        for first in watched(zip_longest(*runs), language):
            stop = send_or_stop("film_run", language, writing=True) if first else gr.skip()
            yield stop, lives[0].lines(), lives[1].lines()
        yield send_or_stop("film_run", language, writing=False), lives[0].lines(whole=True), lives[1].lines(whole=True)

    writing = run.click(write, [box, kind, language, *settings], [box, left, right], **QUEUE, **PRIVATE)
    left.change(None, left, None, js="llada.unmasking.watchLeft", **PRIVATE)
    right.change(None, right, None, js="llada.unmasking.watchRight", **PRIVATE)
    return writing


def changed(options: SamplingOptions, change: Mapping[str, Any]) -> SamplingOptions:
    """The settings with a side's change. block_length 0 is one block; per_step is tokens committed in a step."""
    data = {**options.to_dict(), **{name: value for name, value in change.items() if name != "per_step"}}
    data["block_length"] = data["block_length"] or data["gen_length"]
    if "per_step" in change:
        data["steps"] = data["gen_length"] // change["per_step"]
    if data["steps"] > data["gen_length"] or data["steps"] % (data["gen_length"] // data["block_length"]):
        raise UserError(say("pair_does_not_fit", "id"), say("pair_does_not_fit", "en"))
    return SamplingOptions.from_dict(data)
