"""What can be counted in a model's answers without a reference: do they end, repeat themselves, use real words?

None of it sees whether an answer is true or to the point; reading does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wordfreq import zipf_frequency

WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
KNOWN = 2.5  # Zipf frequency from which a word counts as a word of the language: about 3 in 10 million


@dataclass(frozen=True)
class Answer:
    """One answer: its text, and whether it ended by itself before its space was full."""

    text: str
    ended: bool


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


def is_indonesian(word: str) -> bool:
    """Whether a word is a common one of Indonesian, and commoner there than in English; parts of *a-b* count."""
    parts = word.split("-")
    known = [zipf_frequency(part, "id") for part in parts]
    return all(z >= KNOWN and z > zipf_frequency(part, "en") for z, part in zip(known, parts, strict=True))


def indonesian(texts: Iterable[str]) -> float:
    """Share of words that `is_indonesian`. The written answers in percakapan reach 0.97, not 1."""
    found = [is_indonesian(word) for text in texts for word in words(text)]
    return sum(found) / len(found) if found else 0.0


def figures(answers: Sequence[Answer]) -> dict[str, float]:
    """All of it for some answers, as shares from 0 to 1; `words` is the mean length in words."""
    texts = [answer.text for answer in answers]
    count = max(1, len(answers))
    return {
        "ended": sum(answer.ended for answer in answers) / count,
        "empty": sum(not words(text) for text in texts) / count,
        "repeated_3": repeated(texts),
        "doubled": doubled(texts),
        "distinct_2": distinct(texts),
        "indonesian": indonesian(texts),
        "words": sum(len(words(text)) for text in texts) / count,
    }


def _ngrams(items: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(items[i:] for i in range(n)), strict=False))
