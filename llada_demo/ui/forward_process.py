"""The forward process on the unmasking tab: what training does to a text, and what it asks of the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from llada_demo.core.errors import UserError
from llada_demo.engine import Engine
from llada_demo.engine.forward_process import Example, example, fill, losses
from llada_demo.ui.conversation import checked
from llada_demo.ui.reel import Live
from llada_demo.ui.running import PRIVATE, QUEUE, told_once, watched
from llada_demo.ui.words import Words, say

QUESTION = "Apa itu hujan?"
ANSWER = "Hujan adalah air yang jatuh dari awan ke bumi. Air itu berasal dari laut dan sungai yang menguap."


def build_forward_process(engine: Engine, words: Words, language: gr.Textbox) -> None:
    """Builds the part into the open tab."""
    part = words.make(gr.Accordion, words={"label": "forward_process"}, open=False, elem_id="forward-process")
    with part:
        words.make(gr.Markdown, words={"value": "forward_help"}, container=False)
        with gr.Row():
            question, answer = (
                words.make(gr.Textbox, words={"label": key}, value=value, lines=lines, elem_id=key.replace("_", "-"))
                for key, value, lines in (("forward_question", QUESTION, 1), ("forward_answer", ANSWER, 2))
            )
        t = gr.Slider(0, 1, value=0.5, step=0.01, label="t", elem_id="forward-t")
        told = gr.Markdown("", elem_id="forward-told", container=False)
        gr.HTML("", elem_id="forward-board")
        run = words.make(
            gr.Button, words={"value": "forward_fill"}, size="sm", variant="primary", elem_id="forward-fill"
        )
    tokens, reel = (gr.Textbox(visible="hidden", elem_id=f"forward-{name}") for name in ("tokens", "reel"))

    def given_example(question: str, answer: str) -> Example:
        return example(engine, checked(question or ""), checked(answer or ""))

    def masked(question: str, answer: str, t: float, language: str) -> tuple[Any, str]:
        """The answer's tokens with the number below which each is masked, and the loss at t."""
        try:
            made = given_example(question, answer)
            nats = losses(engine, made, t)
        except UserError as error:
            gr.Warning(error.in_language(language))
            return gr.skip(), ""
        return json.dumps({"cells": made.cells, "u": made.thresholds, "question": made.question}), sentence(
            made, nats, t, language
        )

    @told_once
    def write(question: str, answer: str, t: float, language: str) -> Iterator[Any]:
        """The model fills in what is masked."""
        try:
            run = fill(engine, given_example(question, answer), t)
        except UserError as error:
            gr.Warning(error.in_language(language))
            yield gr.skip()
            return
        live = Live(run)
        for _ in watched(run, language):
            yield live.lines()
        yield live.lines(whole=True)

    given = [question, answer, t, language]
    for event in (part.expand, question.blur, answer.blur, t.release):
        event(masked, given, [tokens, told], trigger_mode="always_last", **QUEUE, **PRIVATE)
    t.change(None, t, None, js="llada.forward.draw", **PRIVATE)
    tokens.change(None, [tokens, t], None, js="llada.forward.learn", **PRIVATE)
    run.click(write, given, reel, **QUEUE, **PRIVATE)
    reel.change(None, reel, None, js="llada.forward.watch", **PRIVATE)


def sentence(made: Example, nats: list[float], t: float, language: str) -> str:
    """How many are masked, and the loss: its mean, and as the objective weighs it (sum / (t x length), eq. 5)."""
    if not nats:
        return say("forward_none", language)
    mean = sum(nats) / len(nats)
    weighted = sum(nats) / (t * len(made.ids))
    return say(
        "forward_loss", language, masked=len(nats), all=len(made.ids), mean=f"{mean:.2f}", loss=f"{weighted:.2f}"
    )
