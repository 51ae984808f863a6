"""LLaDA's supervised fine-tuning as data: dialogues -> examples -> noised mini-batches.

What training must do here, and a stock trainer does not (arXiv 2502.09992, section 2.3 and appendix B.1):
the prompt is never masked and never asked; one t for a sequence, each token of the answer masked with
probability (1 - eps) t + eps; the cross-entropy of the masked ones divided by it and by that sample's answer
length. A mini-batch is padded to its longest row with EOS, which the model sees and has to write. A dialogue
of n answers is n examples: one is drawn at random, and only its last answer is asked.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llada_demo.core.chat import SYSTEM_PROMPT, Message
from llada_demo.core.errors import UserError
from llada_demo.learning.corpus import conversation, read_rows
from llada_demo.learning.objective import Noise, mask_rows
from llada_demo.learning.sharegpt import Dropped, messages_of
from llada_demo.learning.tuning import FinetuneSettings
from llada_demo.model.template import encode_chat
from llada_demo.model.tokenizer import LLaDATokenizer

# Why a row is not used, beside the reasons of `learning.sharegpt`.
NO_ANSWER, NO_TURNS, TOO_LONG = "no answer", "no alternating turns", "question longer than cutoff_len"


@dataclass(frozen=True)
class Dialogue:
    """Wordings of the first question, then the turns from the first answer on; perhaps a system prompt."""

    wordings: tuple[str, ...]
    turns: tuple[str, ...]
    system: str = ""
    source: str = ""


@dataclass(frozen=True)
class Example:
    """ids of prompt and answer, the answer with its end-of-turn token beginning at `start`."""

    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class Noised:
    """A mini-batch: ids (B, L) int64 without noise, masked (B, L) bool, weights (B, L) of the loss."""

    ids: Tensor
    masked: Tensor
    weights: Tensor


class Dataset:
    """Dialogues with the answers of each that fit; an example is a function of (seed, epoch, index)."""

    def __init__(self, dialogues: Sequence[Dialogue], tokenizer: LLaDATokenizer, settings: FinetuneSettings) -> None:
        self.tokenizer, self.settings = tokenizer, settings
        usable = [(dialogue, self._answers(dialogue)) for dialogue in dialogues]
        self.dialogues = [(dialogue, answers) for dialogue, answers in usable if answers]
        self.too_long = len(usable) - len(self.dialogues)
        self._order: tuple[int, list[int]] = (-1, [])

    def __len__(self) -> int:
        return len(self.dialogues)

    def order(self, epoch: int) -> list[int]:
        """The indices of the rows, as this epoch takes them."""
        if self._order[0] != epoch:
            indices = list(range(len(self)))
            random.Random(f"{self.settings.seed}/{epoch}").shuffle(indices)
            self._order = (epoch, indices)
        return self._order[1]

    def example(self, index: int, epoch: int) -> Example:
        """One example of a row: a wording and one of its answers, drawn anew in every epoch.

        Where it is longer than `cutoff_len` the oldest turns go first, then the end of the answer.
        """
        dialogue, answers = self.dialogues[index]
        rng = random.Random(f"{self.settings.seed}/{epoch}/{index}")
        at = rng.choice(answers)
        turns = [rng.choice(dialogue.wordings), *dialogue.turns[: 2 * at]]
        system = dialogue.system or (SYSTEM_PROMPT if rng.random() < self.settings.system_share else "")
        answer = [*self.tokenizer.encode(dialogue.turns[2 * at].strip()), self.tokenizer.special.eot]
        prompt = self._prompt(system, turns)
        while len(prompt) + len(answer) > self.settings.cutoff_len and len(turns) > 1:
            turns = turns[2:]
            prompt = self._prompt(system, turns)
        return Example((*prompt, *answer)[: self.settings.cutoff_len], len(prompt))

    def digest(self) -> str:
        """SHA-256 of the rows, so that a run goes on with the data that it began with."""
        text = json.dumps([(d.wordings, d.turns, d.system) for d, _ in self.dialogues], ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()

    def counts(self) -> dict[str, int]:
        """Rows by source."""
        return dict(Counter(dialogue.source for dialogue, _ in self.dialogues).most_common())

    def _answers(self, dialogue: Dialogue) -> tuple[int, ...]:
        """Which answers can be asked: those whose question, alone, leaves room for some of the answer."""
        system = dialogue.system or (SYSTEM_PROMPT if self.settings.system_share > 0 else "")
        fitting = []
        for at in range((len(dialogue.turns) + 1) // 2):
            questions = dialogue.wordings if at == 0 else (dialogue.turns[2 * at - 1],)
            if max(len(self._prompt(system, [q])) for q in questions) < self.settings.cutoff_len:
                fitting.append(at)
        return tuple(fitting)

    def _prompt(self, system: str, turns: Sequence[str]) -> list[int]:
        messages: list[Message] = [{"role": "system", "content": system}] if system else []
        for i, turn in enumerate(turns):
            messages.append({"role": ("user", "assistant")[i % 2], "content": turn})
        return encode_chat(self.tokenizer, messages)


def read_dialogues(paths: Sequence[Path]) -> tuple[list[Dialogue], dict[str, int]]:
    """The rows of JSONL files, or of folders of them (`heldout*` left out), and how many were dropped and why.

    Known rows: those of `learning.corpus`, and ShareGPT's {"conversations": [{"role", "content"}, ...]}. Raises
    UserError where nothing is left, or for a line that is no JSON.
    """
    found: list[Dialogue] = []
    dropped: Counter[str] = Counter()
    for file in (file for path in paths for file in _files(path)):
        for row in _rows(file):
            result = dialogue_of(row, str(row.get("source", file.stem)))
            if isinstance(result, Dialogue):
                found.append(result)
            else:
                dropped[result] += 1
    if not found:
        where = ", ".join(map(str, paths))
        counts = ", ".join(f"{reason}: {n}" for reason, n in dropped.items()) or "0"
        raise UserError(
            f"Tidak ada baris dengan jawaban di {where} (dibuang: {counts}).",
            f"There is no row with an answer in {where} (dropped: {counts}).",
        )
    return found, dict(dropped)


def dialogue_of(row: Mapping[str, Any], source: str) -> Dialogue | str:
    """The dialogue in a row, or the reason why there is none."""
    system = ""
    if "conversations" in row:
        try:
            messages = messages_of(row)
        except Dropped as reason:
            return str(reason)
        if messages[0]["role"] == "system":
            system, messages = messages[0]["content"], messages[1:]
        wordings: tuple[str, ...] = (messages[0]["content"],)
        turns = [message["content"] for message in messages[1:]]
    else:
        try:
            talk = conversation(dict(row), source)
        except (KeyError, TypeError, IndexError):
            return NO_ANSWER if "q" in row and "a" not in row else NO_TURNS
        if talk is None:
            return NO_ANSWER
        wordings, turns = talk.wordings, list(talk.turns)
    texts = [*wordings, *turns]
    if not wordings or not all(isinstance(text, str) for text in texts):
        return NO_TURNS
    if not turns or not all(text.strip() for text in texts):
        return NO_ANSWER
    return Dialogue(wordings, tuple(turns), system, source)


def validation_split(dialogues: Sequence[Dialogue], size: float, seed: int) -> tuple[list[Dialogue], list[Dialogue]]:
    """(trained on, held out), whole dialogues, the same for the same seed. size: a share below 1, or a number.

    Raises UserError where nothing would be left to train on.
    """
    count = int(size) if size >= 1 else round(size * len(dialogues))
    if 0 < size < 1 and len(dialogues) > 1:
        count = max(1, count)
    if count >= len(dialogues):
        raise UserError(
            f"val_set_size {size:g} menyisihkan semua dari {len(dialogues)} baris; beri nilai lebih kecil.",
            f"val_set_size {size:g} holds out all of the {len(dialogues)} rows; give a smaller one.",
        )
    held = set(random.Random(f"{seed}/held out").sample(range(len(dialogues)), count))
    return (
        [d for i, d in enumerate(dialogues) if i not in held],
        [d for i, d in enumerate(dialogues) if i in held],
    )


def noised(
    examples: Sequence[Example],
    size: int,
    noise: Noise,
    generator: torch.Generator,
    eos: int,
    pad_weight: float = 1.0,
) -> list[Noised]:
    """The mini-batches of one step, `size` rows each, with their masks.

    Each is padded with EOS to its own longest row; the t of the step's rows, all mini-batches together, are
    low-discrepancy, and the weights are those of the whole step: its loss is the sum over the mini-batches.
    """
    groups = [examples[i : i + size] for i in range(0, len(examples), size)]
    spans = [max(len(e.ids) for e in group) for group in groups]
    span = torch.tensor([[n] for n, group in zip(spans, groups, strict=True) for _ in group])
    start = torch.tensor([[e.start] for e in examples])
    end = torch.tensor([[len(e.ids)] for e in examples])
    at = torch.arange(max(spans))[None]
    importance = torch.where(at < end, 1.0, pad_weight)
    masked, weights = mask_rows((at >= start) & (at < span), noise, generator, importance)
    ids = torch.full(masked.shape, eos)
    for row, e in enumerate(examples):
        ids[row, : len(e.ids)] = torch.tensor(e.ids)
    cut = [slice(first, first + len(group)) for first, group in zip(range(0, len(examples), size), groups, strict=True)]
    return [Noised(ids[c, :n], masked[c, :n], weights[c, :n]) for c, n in zip(cut, spans, strict=True)]


def heldout_batches(data: Dataset, size: int = 8) -> list[Noised]:
    """The held-out examples with fixed masks; rows of one length together, so that nothing is padded."""
    lengths: dict[int, list[Example]] = {}
    for example in sorted((data.example(i, 0) for i in range(len(data))), key=lambda e: len(e.ids)):
        lengths.setdefault(len(example.ids), []).append(example)
    groups = [rows[i : i + size] for rows in lengths.values() for i in range(0, len(rows), size)]
    generator, eos = torch.Generator().manual_seed(0), data.tokenizer.special.eos
    return [noised(group, size, Noise(), generator, eos)[0] for group in groups]


def _files(path: Path) -> list[Path]:
    """The JSONL files at a path. Raises UserError where there are none."""
    if path.is_dir():
        files = [p for p in sorted(path.glob("*.jsonl")) if not p.stem.startswith("heldout")]
    else:
        files = [path] if path.is_file() else []
    if not files:
        raise UserError(f"Tidak ada berkas .jsonl di {path}.", f"There is no .jsonl file at {path}.")
    return files


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from read_rows(file)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} tidak dapat dibaca: {error}.", f"{file} cannot be read: {error}.") from error
