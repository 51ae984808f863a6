"""Preprocessing: ShareGPT rows -> the ids that training and chat share, and labels of the last answer."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llada_demo.core.settings import EMBEDDED
from llada_demo.learning.corpus import Conversation, Corpus
from llada_demo.learning.rows import RowMaker, RowSettings
from llada_demo.learning.sharegpt import (
    IGNORED,
    Dropped,
    encode_conversation,
    labels_of,
    messages_of,
    stages,
    templated,
)
from llada_demo.model.tokenizer import LLaDATokenizer

PLAIN = RowSettings(system_share=0, variant_share=0, casual_share=0, canvas_share=0)


def row(*turns: Any, system: str = "") -> dict[str, Any]:
    """A ShareGPT row of these turns: user, assistant, user, ..."""
    roles = ("user", "assistant")
    head = [{"role": "system", "content": system}] if system else []
    return {"conversations": head + [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)]}


@cache
def read_once() -> LLaDATokenizer:
    return LLaDATokenizer.from_folder(EMBEDDED)


@pytest.fixture
def embedded() -> LLaDATokenizer:
    """The tokenizer of the embedded model."""
    return read_once()


@pytest.mark.parametrize("turns", [("Apa kabar?", "Baik."), ("  Halo \n", "\tYa. ")])
def test_the_ids_are_those_that_pretraining_makes(tokenizer: LLaDATokenizer, turns: tuple[str, str]) -> None:
    made = encode_conversation(tokenizer, messages_of(row(*turns)), 500)
    maker = RowMaker(tokenizer, Corpus(), PLAIN)
    other = maker.conversation_row(Conversation(turns[:1], turns[1:], "uji"), random.Random(0))
    assert (made.ids, made.start, made.end) == (other.ids[: other.end], other.start, other.end)


def test_only_the_last_answer_and_its_end_have_labels(tokenizer: LLaDATokenizer) -> None:
    made = encode_conversation(tokenizer, messages_of(row("Satu?", "Dua.", "Tiga?", "Empat.", system="Ramah.")), 500)
    labels = labels_of(made)
    answer = [*tokenizer.encode("Empat."), tokenizer.special.eot]
    assert len(labels) == len(made.ids)
    assert list(labels) == [IGNORED] * (len(labels) - len(answer)) + answer


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=6).filter(lambda t: len(t) % 2 == 0))
def test_any_text_gives_labels_that_say_the_answer(turns: list[str]) -> None:
    tokenizer = read_once()
    made = encode_conversation(tokenizer, messages_of(row(*turns)), 10**6)
    labels = labels_of(made)
    kept = [(i, label) for i, label in enumerate(labels) if label != IGNORED]
    assert all(made.ids[i] == label for i, label in kept)
    said = tokenizer.decode(label for _, label in kept)
    assert said == turns[-1].strip().replace("\0", "").encode("utf-8", "replace").decode()
    ids = tokenizer.special
    assert made.ids.count(ids.eot) == len(turns)  # a special token that is typed stays text
    assert made.ids.count(ids.bos) == 1
    assert ids.mask not in made.ids


def test_the_templated_text_is_the_published_template(embedded: LLaDATokenizer) -> None:
    made = encode_conversation(embedded, messages_of(row("Apa kabar? 🙂", "Baik.", system="Anda ramah.")), 500)
    assert templated(embedded, made.ids) == (
        "<|startoftext|>"
        "<|start_header_id|>system<|end_header_id|>\n\nAnda ramah.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nApa kabar? 🙂<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nBaik.<|eot_id|>"
    )


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({}, "no content"),
        ({"conversations": None}, "no content"),
        ({"conversations": []}, "no content"),
        (row("", "Ya."), "no content"),
        (row("Halo", " \n"), "no content"),
        (row("Halo", None), "no content"),
        ({"conversations": [{"role": "user"}, {"role": "assistant", "content": "x"}]}, "no content"),
        ({"conversations": "Halo"}, "not text"),
        ({"conversations": ["Halo", "Ya"]}, "not text"),
        (row("Halo", 5), "not text"),
        (row(["Halo"], "Ya"), "not text"),
        ({"conversations": [{"content": "a"}, {"content": "b"}]}, "not text"),
        (row("Halo"), "wrong order"),
        (row("Halo", "Ya", "Lalu?"), "wrong order"),
        ({"conversations": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]}, "wrong order"),
        ({"conversations": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}, "wrong order"),
        ({"conversations": [{"role": "system", "content": "a"}]}, "wrong order"),
        ({"conversations": [*row("a", "b")["conversations"], *row("c", system="d")["conversations"]]}, "wrong order"),
        ({"conversations": [{"role": "tool", "content": "a"}, {"role": "assistant", "content": "b"}]}, "wrong order"),
    ],
)
def test_invalid_rows_are_dropped_by_reason(bad: dict[str, Any], why: str) -> None:
    with pytest.raises(Dropped, match=why):
        messages_of(bad)


def test_what_is_too_long_is_dropped_and_not_cut(tokenizer: LLaDATokenizer) -> None:
    messages = messages_of(row("Halo", "Ya, ada apa?"))
    length = len(encode_conversation(tokenizer, messages, 500).ids)
    assert len(encode_conversation(tokenizer, messages, length).ids) == length
    with pytest.raises(Dropped, match="too long"):
        encode_conversation(tokenizer, messages, length - 1)


def test_the_names_of_the_original_files_are_known() -> None:
    original = {"conversations": [{"from": "human", "value": "Halo "}, {"from": "gpt", "value": "Ya."}]}
    assert messages_of(original) == messages_of(row("Halo", "Ya."))


def test_an_example_is_shown_at_every_stage(embedded: LLaDATokenizer) -> None:
    shown = stages(row("Apa kabar?", "Baik."), embedded, 256)
    assert list(shown) == ["row", "conversation", "templated text", "ids", "labels"]
    assert shown["conversation"] == "user: Apa kabar?\nassistant: Baik."
    made = encode_conversation(embedded, messages_of(row("Apa kabar?", "Baik.")), 256)
    assert [int(i) for i in shown["ids"].split()] == list(made.ids)
    assert [int(i) for i in shown["labels"].split()] == list(labels_of(made))
    assert stages(row("Halo", "Ya."), embedded, 3)["dropped"] == "too long"
    assert stages(row("Halo"), embedded, 256)["dropped"] == "wrong order"
