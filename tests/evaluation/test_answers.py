"""Counts of answers, by hand on Indonesian examples."""

from __future__ import annotations

import pytest

from llada_demo.evaluation.answers import Answer, distinct, doubled, figures, indonesian, is_indonesian, repeated, words


def test_a_doubled_word_is_one_word_and_digits_are_none() -> None:
    assert words("Anak-anak membeli 3 roti, ya?") == ["anak-anak", "membeli", "roti", "ya"]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Saya suka makan nasi goreng.", 0.0),
        ("biru biru biru biru biru", 2 / 3),  # three 3-grams, two of them seen before
        ("satu dua", 0.0),  # too short to have any
        ("air dan garam dan air dan garam", 1 / 5),  # "air dan garam" twice
    ],
)
def test_repeated_counts_what_stood_there_before(text: str, share: float) -> None:
    assert repeated([text]) == pytest.approx(share)


def test_doubled_words_are_counted_and_reduplication_is_none() -> None:
    assert doubled(["Saya saya suka suka anak-anak"]) == pytest.approx(2 / 4)
    assert doubled(["satu"]) == 0.0


def test_the_same_sentence_in_two_answers_is_no_repetition_but_not_distinct() -> None:
    two = ["Halo apa kabar", "Halo apa kabar"]
    assert repeated(two) == 0.0
    assert distinct(two) == 0.5


@pytest.mark.parametrize(
    ("word", "known"),
    [("makan", True), ("anak-anak", True), ("mendengarkan", True), ("the", False), ("reading", False), ("wqzx", False)],
)
def test_words_of_the_language_are_known(word: str, known: bool) -> None:
    assert is_indonesian(word) is known


def test_figures_count_ends_and_empty_answers() -> None:
    found = figures([Answer("Saya suka membaca buku.", True), Answer("...", False)])
    assert found["ended"] == found["empty"] == 0.5
    assert found["words"] == 2
    assert indonesian(["Saya suka membaca buku."]) == found["indonesian"]


def test_no_answers_give_zeros() -> None:
    assert set(figures([]).values()) == {0.0}
