"""What can be counted in a model's answers without a reference: do they end, repeat themselves, use real words?

None of it sees whether an answer is true or to the point; reading does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wordfreq import zipf_frequency

from llada_demo.core.text import distinct, doubled, repeated, words

KNOWN = 2.5  # Zipf frequency from which a word counts as a word of the language: about 3 in 10 million


@dataclass(frozen=True)
class Answer:
    """One answer: its text, and whether it ended by itself before its space was full."""

    text: str
    ended: bool


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
