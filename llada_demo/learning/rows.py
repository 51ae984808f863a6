"""Preprocessing: conversations -> chat template -> ids, with the answer marked; and batches.

A row's answer is followed by its end-of-turn token and then by EOS up to the row's length, so that all rows
of a batch have one length and no padding mask is needed: the padding is part of what the model learns to
write, with a small weight (many EOS in the loss teach a model to write nothing else, arXiv 2510.03680).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from llada_demo.core.chat import SYSTEM_PROMPT, Message
from llada_demo.learning.corpus import Conversation, Corpus
from llada_demo.model.template import encode_chat
from llada_demo.model.tokenizer import LLaDATokenizer

SYSTEM_VARIANTS = (
    "Kamu adalah asisten yang ramah dan sopan.",
    "Kamu adalah Anita, asisten yang menjawab dalam bahasa Indonesia yang sederhana.",
    "Jawablah dengan singkat dan jelas.",
)


@dataclass(frozen=True)
class RowSettings:
    """How conversations become rows. Shares are probabilities of a row, lengths are tokens."""

    max_length: int = 256
    bucket: int = 16  # row lengths are multiples of this
    system_share: float = 0.55
    variant_share: float = 0.1
    casual_share: float = 0.15  # questions in lower case without punctuation, as people type them
    canvas_share: float = 0.4  # rows whose answer is padded up to a canvas of `canvas` tokens
    canvas: tuple[int, ...] = (32, 48, 64)
    pad_weight: float = 0.05
    sources: Mapping[str, float] = field(default_factory=dict)  # copies of a source in an epoch, default 1


@dataclass(frozen=True)
class Row:
    """ids; `start` is where the answer (and what is supervised) begins, `end` where its EOS padding begins."""

    ids: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Batch:
    """ids (B, L) int64; supervised (B, L) bool; weights (B, L): 1, or `pad_weight` on the EOS padding."""

    ids: Tensor
    supervised: Tensor
    weights: Tensor


class RowMaker:
    """Rows and batches of a corpus; the same (seed, epoch) gives the same ones."""

    def __init__(self, tokenizer: LLaDATokenizer, corpus: Corpus, settings: RowSettings) -> None:
        self.tokenizer, self.corpus, self.settings = tokenizer, corpus, settings

    def batches(self, tokens: int, seed: int, epoch: int) -> Iterator[Batch]:
        """One epoch in random order, rows of one length together, about `tokens` tokens a batch."""
        rng = random.Random(f"{seed}/{epoch}")
        buckets: dict[int, list[Row]] = defaultdict(list)
        for row in self.rows(rng):
            buckets[len(row.ids)].append(row)
        groups = []
        for length, rows in buckets.items():
            rng.shuffle(rows)
            size = max(1, tokens // length)
            groups += [rows[i : i + size] for i in range(0, len(rows), size)]
        rng.shuffle(groups)
        for group in groups:
            yield self.batch(group)

    def rows(self, rng: random.Random) -> Iterator[Row]:
        """The rows of one epoch; conversations that are longer than a row lose their oldest turns.

        A question that fills the row alone is left out: nothing of its answer could be learnt.
        """
        for talk in self.corpus.conversations:
            for _ in range(self._copies(talk.source, rng)):
                row = self.conversation_row(talk, rng)
                if row.start < row.end:
                    yield row
        for text, source in self.corpus.texts:
            for _ in range(self._copies(source, rng)):
                yield self.text_row(text, rng)

    def conversation_row(self, talk: Conversation, rng: random.Random) -> Row:
        """One example of a conversation: a wording, a cut, sometimes a system prompt."""
        settings, turns = self.settings, talk.cut(rng)
        answer = [*self.tokenizer.encode(turns[-1].strip()), self.tokenizer.special.eot]
        if rng.random() < settings.casual_share:
            turns[0] = turns[0].lower().rstrip(".?! ")
        head = self._system(rng)
        prompt = self._prompt(head, turns[:-1])
        while len(prompt) + len(answer) > settings.max_length and len(turns) > 3:
            turns = turns[2:]
            prompt = self._prompt(head, turns[:-1])
        return self._row(prompt, answer, rng)

    def text_row(self, text: str, rng: random.Random) -> Row:
        """Plain text, supervised from its first token on, cut at a random place where it is too long."""
        ids = self.tokenizer.encode(text)
        room = self.settings.max_length - 2
        at = rng.randint(0, len(ids) - room) if len(ids) > room else 0
        ids = ids[at : at + room]
        return self._row([self.tokenizer.special.bos], [*ids, self.tokenizer.special.eos], rng, canvas=False)

    def batch(self, rows: list[Row]) -> Batch:
        """Rows of one length as tensors."""
        ids = torch.tensor([row.ids for row in rows])
        at = torch.arange(ids.shape[1])[None]
        start = torch.tensor([[row.start] for row in rows])
        end = torch.tensor([[row.end] for row in rows])
        weights = torch.where(at < end, 1.0, self.settings.pad_weight)
        return Batch(ids, at >= start, weights)

    def _copies(self, source: str, rng: random.Random) -> int:
        wanted = self.settings.sources.get(source, 1.0)
        return int(wanted) + (rng.random() < wanted % 1)

    def _system(self, rng: random.Random) -> list[Message]:
        draw = rng.random()
        if draw < self.settings.system_share:
            return [{"role": "system", "content": SYSTEM_PROMPT}]
        if draw < self.settings.system_share + self.settings.variant_share:
            return [{"role": "system", "content": rng.choice(SYSTEM_VARIANTS)}]
        return []

    def _prompt(self, head: list[Message], turns: list[str]) -> list[int]:
        roles = ("user", "assistant")
        messages: list[Message] = [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)]
        return encode_chat(self.tokenizer, [*head, *messages])

    def _row(self, prompt: list[int], answer: list[int], rng: random.Random, canvas: bool = True) -> Row:
        settings = self.settings
        ids = [*prompt, *answer][: settings.max_length]
        wanted = len(ids)
        if canvas and rng.random() < settings.canvas_share:
            wanted = len(prompt) + max(len(answer), rng.choice(settings.canvas))
        length = min(-(-wanted // settings.bucket) * settings.bucket, settings.max_length)
        padding = [self.tokenizer.special.eos] * (length - len(ids))
        return Row((*ids, *padding), min(len(prompt), length), len(ids))
