"""What is known of a system beside its scores: the facts that a fooled score does not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from llada_demo.evaluation.answers import distinct, doubled, indonesian, repeated, words

Nats = tuple[float, int]  # of a text, and the number of its tokens


@dataclass(frozen=True)
class Evidence:
    """One system over N examples, in their order.

    scores: {metric: N values}. facts: {fact: N values}, None where an answer is blank: nats (of the system's
    text under the base, per token), bits (of the written reference under the system, per character),
    repeated_3, doubled, indonesian (shares of the answer), empty, ended (0 or 1), words (their number).
    totals: one number for all: bits_per_character, nats_under_base, length_ratio (words for each word of the
    references), distinct_2, and the means of the shares.
    """

    scores: Mapping[str, Sequence[float]]
    facts: Mapping[str, Sequence[float | None]]
    totals: Mapping[str, float | None]


def evidence(
    texts: Sequence[str],
    ended: Sequence[bool],
    references: Sequence[str],
    own_nats: Sequence[Nats | None],
    reference_nats: Sequence[Nats],
    scores: Mapping[str, Sequence[float]] | None = None,
) -> Evidence:
    """Everything that can be counted. own_nats: of the texts under the base; reference_nats: of the references
    under the system. The written references are judged like a system: they are their own texts."""
    written = [bool(words(text)) for text in texts]
    bits = [nats / log(2) for nats, _ in reference_nats]
    facts: dict[str, list[float | None]] = {
        "nats": [own[0] / own[1] if own and there else None for own, there in zip(own_nats, written, strict=True)],
        "bits": [b / len(text) for b, text in zip(bits, references, strict=True)],
        "empty": [float(not there) for there in written],
        "ended": [float(end) for end in ended],
        "words": [float(len(words(text))) for text in texts],
    }
    for name, share in (("repeated_3", repeated), ("doubled", doubled), ("indonesian", indonesian)):
        facts[name] = [share([text]) if there else None for text, there in zip(texts, written, strict=True)]
    totals: dict[str, float | None] = {
        "bits_per_character": sum(bits) / sum(map(len, references)),
        "nats_under_base": mean(facts["nats"]),
        "length_ratio": sum(len(words(text)) for text in texts) / max(1, sum(len(words(text)) for text in references)),
        "distinct_2": distinct(texts),
    }
    totals |= {name: mean(facts[name]) for name in ("repeated_3", "doubled", "indonesian", "empty", "ended", "words")}
    return Evidence(scores or {}, facts, totals)


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of those that are there; None for none."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
