"""What a text attends to: the text or a moment of a trace as tokens and words, its heads ranked, its gaps guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from llada_demo.attention.record import REGIMES, AttentionRecord, pair_scores, record, regime_mask
from llada_demo.attention.summary import word_groups
from llada_demo.core.errors import UserError
from llada_demo.core.trace import Trace

if TYPE_CHECKING:
    from llada_demo.engine.engine import Engine

LONGEST = 256  # tokens that are read at once
UNITS = ("words", "tokens")


@dataclass(frozen=True)
class Reading:
    """What is read: token ids, and the words (text, special or mask) that they make up, as slices of the ids."""

    ids: tuple[int, ...]
    words: tuple[str, ...]
    kinds: tuple[str, ...]
    groups: tuple[slice, ...]
    mask: int

    def masked(self, word: int) -> Reading:
        """The same with one mask instead of a word."""
        group = self.groups[word]
        ids = (*self.ids[: group.start], self.mask, *self.ids[group.stop :])
        return replace(self, ids=ids)


class Rank(NamedTuple):
    """One head: how much the query word attends in it to the key word, and to the control word, 0 to 1."""

    layer: int
    head: int
    share: float
    control: float


def read(engine: Engine, what: str | Trace, step: int | None = None, unit: str = "words") -> Reading:
    """A text, or what the model saw after `step` steps of a trace (all by default). Raises UserError."""
    if unit not in UNITS:
        raise ValueError(f"the unit cannot be {unit!r}; there are: {', '.join(UNITS)}")
    tokenizer = engine.tokenizer
    if isinstance(what, Trace):
        ids = engine.canvas(what, len(what.steps) if step is None else step)
    else:
        ids = [tokenizer.special.bos, *tokenizer.encode(what.strip())]
        if len(ids) == 1:
            raise UserError("Teksnya masih kosong. Tulis sebuah kalimat.", "The text is empty. Write a sentence.")
    longest = min(LONGEST, engine.max_length)
    if len(ids) > longest:
        raise UserError(
            f"Teks ini {len(ids)} token; paling banyak {longest}. Pendekkan dahulu.",
            f"This text has {len(ids)} tokens; the most is {longest}. Shorten it first.",
        )
    return _reading(engine, ids, unit)


def _reading(engine: Engine, ids: Sequence[int], unit: str) -> Reading:
    tokenizer, mask = engine.tokenizer, engine.tokens.mask
    names = [tokenizer.name(token) for token in ids]
    cells = [name or cell for name, cell in zip(names, tokenizer.cells(ids), strict=True)]
    if unit == "tokens":
        groups = [slice(at, at + 1) for at in range(len(ids))]
    else:
        groups = word_groups(cells, [bool(name) for name in names])
    words = tuple("".join(cells[group]) for group in groups)
    kinds = tuple("mask" if ids[g.start] == mask else "special" if names[g.start] else "text" for g in groups)
    return Reading(tuple(ids), words, kinds, tuple(groups), mask)


def attend(engine: Engine, reading: Reading, regimes: Sequence[str], layer: int | None = None) -> AttentionRecord:
    """The attention of a reading under each regime; `layer`: with every head of this one. Raises UserError."""
    config = engine.model.config
    if layer is not None and not 0 <= layer < config.n_layers:
        raise UserError(
            f"Lapisan {layer + 1} tidak ada: model ini punya {config.n_layers}.",
            f"There is no layer {layer + 1}: this model has {config.n_layers}.",
        )
    ids = torch.tensor(reading.ids, device=engine.model.device)
    seen = {regime: record(engine.model, ids, regime, reading.groups, layer) for regime in regimes}
    return AttentionRecord(reading.words, reading.kinds, config.n_heads, layer, seen, engine.about())


def rank_heads(engine: Engine, reading: Reading, query: int, key: int, regime: str = "full") -> tuple[list[Rank], int]:
    """All N x H heads by how much the query word attends to the key word, most first; and the control word.

    The control is the word of text nearest to the key that is neither of the two: what a head gives it, it gives
    the place and not the word. Raises UserError for words that are not there.
    """
    check_words(reading, query, key)
    others = [at for at, kind in enumerate(reading.kinds) if at not in (query, key) and _says_something(reading, at)]
    if regime == "causal":
        others = [at for at in others if at <= query] or others
    control = min(others, key=lambda at: (abs(at - key), at), default=key)
    ids = torch.tensor(reading.ids, device=engine.model.device)
    groups = reading.groups
    scores = pair_scores(engine.model, ids, regime, groups[query], [groups[key], groups[control]])
    ranks = [
        Rank(layer, head, float(share), float(other))
        for layer, heads in enumerate(scores)
        for head, (share, other) in enumerate(heads)
    ]
    return sorted(ranks, key=lambda rank: -rank.share), control


def guess(
    engine: Engine, reading: Reading, word: int, regime: str, watch: Sequence[str] = (), count: int = 6
) -> tuple[list[tuple[str, float]], list[float]]:
    """What the model would write in place of a word, as (text, probability), and the probability of each of `watch`.

    The word is replaced by one mask. A watched word counts in capitals or not, with a blank before it or not.
    Raises UserError for a word that is not there.
    """
    check_words(reading, word)
    masked, at = reading.masked(word), reading.groups[word].start
    ids = torch.tensor(masked.ids, device=engine.model.device)
    mask = regime_mask(regime, len(ids), ids.device)
    with torch.inference_mode():
        logits = engine.model(ids[None], mask, positions=torch.tensor([[at]], device=ids.device)).logits[0, 0].float()
        logits[engine.tokens.mask] = -torch.inf
        shares = logits.softmax(-1).cpu()
    best = [
        (engine.tokenizer.name(token) or engine.tokenizer.decode([token]), float(shares[token]))
        for token in shares.topk(min(count, len(shares))).indices.tolist()
    ]
    return best, [sum(float(shares[token]) for token in _spellings(engine, word)) for word in watch]


def one_matrix(engine: Engine, text: str, mask: str, layer: str, head: str) -> dict[str, Any]:
    """The words of a text and one matrix between them as lists of rows (W of W), as plain JSON data.

    mask: full or causal; layer: mean, rollout, or a number from "1"; head: mean, max, or a number from "1", of a
    layer. Raises UserError for what is not there.
    """
    if mask not in REGIMES:
        raise UserError(
            f"mask={mask!r} tidak ada. Yang ada: {', '.join(REGIMES)}.",
            f"There is no mask={mask!r}. There are: {', '.join(REGIMES)}.",
        )
    number = _number(layer, "layer", ("mean", "rollout"))
    which = _number(head, "head", ("mean", "max"))
    if number is None and which is not None:
        raise UserError("head perlu layer: pilih nomor lapisannya.", "head needs a layer: give its number.")
    record = engine.attend(text, regimes=[mask], layer=number)
    seen = record.seen[mask]
    if number is None:
        matrix = seen.rollout if layer == "rollout" else seen.means.mean(0)
    elif which is None and head == "mean":
        matrix = seen.means[number]
    else:
        assert seen.heads is not None
        if which is not None and not 0 <= which < len(seen.heads):
            raise UserError(
                f"Kepala {head} tidak ada: setiap lapisan punya {len(seen.heads)}.",
                f"There is no head {head}: every layer has {len(seen.heads)}.",
            )
        matrix = seen.heads.amax(0) if which is None else seen.heads[which]
    return {
        "about": dict(record.about), "words": list(record.words), "mask": mask, "layer": layer, "head": head,
        "sinks": record.sinks(mask), "ahead": round(record.ahead(mask), 4),
        "attention": [[round(share, 6) for share in row] for row in matrix.tolist()],
    }  # fmt: skip


def _number(text: str, name: str, others: tuple[str, ...]) -> int | None:
    """None for one of `others`, or the number from 0 that stands for a text from "1" on."""
    text = str(text)
    if text in others:
        return None
    if not (text.isascii() and text.isdecimal() and int(text[:6]) > 0):
        raise UserError(
            f"{name}={text[:20]!r} tidak ada. Tulis nomor mulai dari 1, atau {', '.join(others)}.",
            f"There is no {name}={text[:20]!r}. Write a number from 1 on, or {', '.join(others)}.",
        )
    return int(text[:6]) - 1


def _spellings(engine: Engine, word: str) -> set[int]:
    """The single tokens that write a word."""
    forms = {blank + form for form in (word.lower(), word.capitalize()) for blank in ("", " ")}
    return {ids[0] for form in forms if len(ids := engine.tokenizer.encode(form)) == 1}


def _says_something(reading: Reading, at: int) -> bool:
    return reading.kinds[at] == "text" and any(character.isalnum() for character in reading.words[at])


def check_words(reading: Reading, *words: int) -> None:
    """Raises UserError for a word that is not in the text."""
    if any(not 0 <= word < len(reading.words) for word in words):
        raise UserError(
            f"Kata itu tidak ada: teks ini punya {len(reading.words)} kata.",
            f"There is no such word: this text has {len(reading.words)}.",
        )
