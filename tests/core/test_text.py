"""Where two texts differ, word by word; what is counted in words is tested beside the evaluation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llada_demo.core.text import Piece, word_difference

WORDS = st.lists(st.sampled_from(["hujan", "awan", "anak-anak", "3", "_", ",", "!?", " ", "\n", "  ", "é", "😀"]))
TEXTS = st.text() | WORDS.map("".join)


@given(TEXTS, TEXTS)
def test_the_pieces_joined_are_the_texts(base: str, other: str) -> None:
    ours, theirs = word_difference(base, other)
    assert "".join(piece.text for piece in ours) == base
    assert "".join(piece.text for piece in theirs) == other


@given(TEXTS, TEXTS)
def test_what_does_not_differ_is_the_same_in_the_same_order(base: str, other: str) -> None:
    same = [[piece.text for piece in pieces if not piece.differs] for pieces in word_difference(base, other)]
    assert same[0] == same[1]


@given(TEXTS)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert not any(piece.differs for pieces in word_difference(text, text) for piece in pieces)


@given(WORDS, WORDS, WORDS)
def test_words_put_in_differ_and_the_rest_does_not(head: list[str], new: list[str], tail: list[str]) -> None:
    base = " ".join(["awal", *head, *tail])
    other = " ".join(["awal", *head, *(f"baru{i}" for i in range(len(new))), *tail])
    ours, theirs = word_difference(base, other)
    assert not any(piece.differs for piece in ours if not piece.text.isspace())
    assert [p.text for p in theirs if p.differs and not p.text.isspace()] == [f"baru{i}" for i in range(len(new))]


@pytest.mark.parametrize(
    ("base", "other", "marked"),
    [
        ("Saya suka nasi.", "Saya suka roti.", ["roti"]),
        ("Saya suka nasi.", "Saya suka sekali nasi.", [" ", "sekali"]),
        ("Saya suka nasi.", "Saya nasi.", []),
        ("anak-anak lari", "anak lari", ["anak"]),
        ("satu dua", "satu  dua", ["  "]),
        ("", "kata", ["kata"]),
        ("Hujan", "hujan", ["hujan"]),
    ],
)
def test_by_hand(base: str, other: str, marked: list[str]) -> None:
    assert [piece.text for piece in word_difference(base, other)[1] if piece.differs] == marked


def test_a_piece_reads_as_text_and_mark() -> None:
    assert word_difference("a b", "a c")[1] == (Piece("a", False), Piece(" ", False), Piece("c", True))
