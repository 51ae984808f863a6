"""Bits per character of held-out text: a diffusion model's bound beside two models that write left to right.

What is counted is the same for all: the text's characters and its end. The diffusion figure is an upper bound
(the true value is lower), and it is given where the text ends, which the other two have to guess; so a small
difference between them means little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log, log2

import torch
import torch.nn.functional as F
from nltk.lm import WittenBellInterpolated
from nltk.util import everygrams

from llada_demo.diffusion.likelihood import negative_log_likelihood
from llada_demo.evaluation.heldout import Item
from llada_demo.model import LLaDAModelLM

END = "\0"  # stands for the end of a text among its characters


@dataclass(frozen=True)
class Bits:
    """A sum over texts: bits, characters, texts."""

    bits: float
    characters: int
    texts: int

    @property
    def per_character(self) -> float:
        """Bits per character; 0 where nothing was counted."""
        return self.bits / self.characters if self.characters else 0.0


def diffusion_bits(model: LLaDAModelLM, items: Iterable[Item], draws: int = 16) -> Bits:
    """The Monte Carlo bound of LLaDA (see `diffusion.likelihood`), with masks that depend on the text's number only."""

    return _sum(items, lambda number, item: diffusion_nats(model, item, draws, seed=number))


def diffusion_nats(model: LLaDAModelLM, item: Item, draws: int, seed: int) -> float:
    """The bound of one item in nats; the same seed gives every model (and adapter) the same masks."""
    ids = torch.tensor(item.ids, device=model.device)
    return negative_log_likelihood(model, ids, item.start, model.config.mask_token_id, draws, seed)


@torch.inference_mode()
def causal_bits(model: LLaDAModelLM, items: Iterable[Item]) -> Bits:
    """The chain rule, for the same network trained to predict the next token under a causal mask."""

    def nats(_: int, item: Item) -> float:
        ids = torch.tensor(item.ids, device=model.device)[None]
        length = ids.shape[1] - 1
        mask = torch.ones(1, 1, length, length, dtype=torch.bool, device=ids.device).tril()
        logits = model(ids[:, :-1], mask).logits[0, item.start - 1 :]
        return float(F.cross_entropy(logits.float(), ids[0, item.start :], reduction="sum"))

    return _sum(items, nats)


class NGram:
    """A model of characters that sees the last `order - 1` (Witten-Bell, by nltk), mixed with a little chance."""

    def __init__(self, texts: Iterable[str], order: int = 5, chance: float = 1e-4) -> None:
        self.order, self.chance = order, chance
        padded = [self._padded(text) for text in texts]
        characters = sorted({character for text in padded for character in text})
        self.alphabet = len(characters) + 1  # one more for all that was never seen
        self.model = WittenBellInterpolated(order)
        self.model.fit((everygrams(text, max_len=order) for text in padded), characters)

    def bits(self, text: str) -> float:
        """Bits of a text and its end."""
        padded = self._padded(text)
        start = self.order - 1
        return -sum(log2(self._chance_of(padded, i)) for i in range(start, len(padded)))

    def total(self, texts: Sequence[str]) -> Bits:
        """The sum over texts."""
        return Bits(sum(map(self.bits, texts)), sum(map(len, texts)), len(texts))

    def _padded(self, text: str) -> list[str]:
        return [*END * (self.order - 1), *text, END]

    def _chance_of(self, padded: Sequence[str], i: int) -> float:
        known = self.model.score(padded[i], padded[i - self.order + 1 : i]) if padded[i] in self.model.vocab else 0.0
        return (1 - self.chance) * known + self.chance / self.alphabet


def _sum(items: Iterable[Item], nats: Callable[[int, Item], float]) -> Bits:
    bits, characters, texts = 0.0, 0, 0
    for number, item in enumerate(items):
        bits += nats(number, item) / log(2)
        characters += len(item.text)
        texts += 1
    return Bits(bits, characters, texts)
