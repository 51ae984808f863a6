"""Words of a text: what can be counted in them without a reference, and where two texts differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
PIECE = re.compile(r"\w+(?:-\w+)*|\s+|[^\w\s]+")  # every character is in one: a word, blanks, or signs


class Piece(NamedTuple):
    """A word of a text, or what stands between two, and whether the other text has another one in its place."""

    text: str
    differs: bool


def words(text: str) -> list[str]:
    """The words in lower case, without digits and punctuation; *anak-anak* is one word."""
    return [word.lower() for word in WORD.findall(text)]


def repeated(texts: Iterable[str], n: int = 3) -> float:
    """Share of word n-grams that stood in the same text before, over all texts; 0 where there are none."""
    total = seen_before = 0
    for text in texts:
        grams = _ngrams(words(text), n)
        total, seen_before = total + len(grams), seen_before + len(grams) - len(set(grams))
    return seen_before / total if total else 0.0


def doubled(texts: Iterable[str]) -> float:
    """Share of words that are the word before them (*anak anak*): what two tokens committed at once tend to do."""
    pairs = [pair for text in texts for pair in _ngrams(words(text), 2)]
    return sum(a == b for a, b in pairs) / len(pairs) if pairs else 0.0


def distinct(texts: Iterable[str], n: int = 2) -> float:
    """Different word n-grams over all texts as a share of all of them (distinct-n, arXiv 1510.03055)."""
    grams = [gram for text in texts for gram in _ngrams(words(text), n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def word_difference(base: str, other: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """The pieces of both texts; those of one, joined, are that text. In both none differs if the texts are equal.

    Words and signs are matched; blanks only where they stand beside what is matched.
    """
    ours, theirs = PIECE.findall(base), PIECE.findall(other)
    matcher = SequenceMatcher(str.isspace, ours, theirs, autojunk=False)
    same_ours: set[int] = set()
    same_theirs: set[int] = set()
    for at, there, size in matcher.get_matching_blocks():
        same_ours.update(range(at, at + size))
        same_theirs.update(range(there, there + size))
    return _marked(ours, same_ours), _marked(theirs, same_theirs)


def _marked(pieces: Sequence[str], same: set[int]) -> tuple[Piece, ...]:
    return tuple(Piece(text, i not in same) for i, text in enumerate(pieces))


def _ngrams(items: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(items[i:] for i in range(n)), strict=False))
