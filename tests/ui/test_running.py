"""A run that fails ends with one sentence: what a visitor can mend is said, all else gets a number and the log; and
the last frame is told once, but for its updates."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import gradio as gr
import pytest

from llada_demo.core.errors import UserError
from llada_demo.ui.running import told_once, watched


def failing(error: Exception) -> Iterator[int]:
    yield 1
    raise error


def test_what_a_visitor_can_mend_is_said_and_quotes_are_no_html(warnings: list[str]) -> None:
    assert list(watched(failing(UserError("Adapter <b>x</b> tidak ada.", "There is no <b>x</b>.")), "en")) == [True]
    assert [warning.replace("\u2060", "") for warning in warnings] == ["There is no <b>x</b>."]
    assert not re.search("<[a-z/]", warnings[0])


def test_a_bug_gets_a_number_that_the_log_explains(warnings: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert list(watched(failing(RuntimeError("rahasia")), "id")) == [True]
    number = re.search("[0-9a-f]{8}", warnings[0])
    assert number
    assert number[0] in caplog.text
    assert "rahasia" in caplog.text
    assert "rahasia" not in warnings[0]


def test_the_last_frame_is_told_again_without_its_values_but_with_its_updates() -> None:
    over = gr.update(submit_btn="Tulis", stop_btn=False)

    @told_once
    def handler() -> Iterator[tuple[object, ...]]:
        yield gr.update(stop_btn="Berhenti"), "a", []
        yield over, "a long text", [1]

    assert list(handler())[1:] == [(over, "a long text", [1]), (over, gr.skip(), gr.skip())]


def test_one_output_and_no_frame_at_all_are_told_too() -> None:
    assert list(told_once(lambda: iter(["a long text"]))()) == ["a long text", gr.skip()]
    assert list(told_once(lambda: iter(()))()) == [gr.skip()]
