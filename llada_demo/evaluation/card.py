"""The figures of a model card: bits per character beside two baselines, and what can be counted in answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llada_demo.core.chat import SYSTEM_PROMPT, Message
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.engine import Engine
from llada_demo.evaluation.answers import Answer, figures
from llada_demo.evaluation.bits import Bits, NGram, causal_bits, diffusion_bits
from llada_demo.evaluation.heldout import encode_items, read_texts
from llada_demo.learning.corpus import Corpus
from llada_demo.model.loading import LoadedModel

Report = Callable[[str], None]


def bits_table(
    engine: Engine, files: Sequence[Path], corpus: Corpus, twin: LoadedModel | None, draws: int, report: Report
) -> dict[str, dict[str, Any]]:
    """{file: {system: bits per character, "texts": ..., "characters": ...}}.

    All systems are measured on the same texts, those that fit the context. corpus: what the n-gram model is
    trained on, which should be what the model was trained on. twin: the model that writes left to right, or
    None. Raises UserError for a twin with another tokenizer.
    """
    if twin and _vocabulary(twin) != _vocabulary(engine.loaded):
        raise UserError(
            "Model pembanding harus memakai tokenizer yang sama.",
            "The twin must have the same tokenizer.",
        )
    report("5-gram")
    ngram = NGram(_answers_and_texts(corpus))
    table = {}
    for path in files:
        report(path.name)
        items = list(encode_items(engine.tokenizer, read_texts(path), engine.max_length))
        found: dict[str, Bits] = {"diffusion": diffusion_bits(engine.model, items, draws)}
        if twin:
            found["left to right"] = causal_bits(twin.model, items)
        found["5-gram"] = ngram.total([item.text for item in items])
        rounded = {name: round(bits.per_character, 3) for name, bits in found.items()}
        table[path.name] = {**rounded, "texts": len(items), "characters": found["diffusion"].characters}
    return table


def answers(engine: Engine, prompts: Sequence[str], options: SamplingOptions, report: Report) -> list[dict[str, Any]]:
    """The answer to every prompt, with the default system prompt; prompt i has the seed options.seed + i.

    A prompt of several messages, `first | second`, is a conversation: the model answers each, the last counts.
    """
    rows = []
    for i, prompt in enumerate(prompts):
        seeded = replace(options, seed=options.seed + i)
        messages: list[Message] = [{"role": "system", "content": SYSTEM_PROMPT}]
        for question in prompt.split(" | "):
            began = time.perf_counter()
            run = engine.start([*messages, {"role": "user", "content": question}], seeded)
            for _ in run:
                pass
            seconds = time.perf_counter() - began
            messages += [{"role": "user", "content": question}, {"role": "assistant", "content": run.text}]
        forwards = run.stats()["forwards"]
        row = {"prompt": prompt, "text": run.text, "ended": run.ended, "seconds": seconds, "forwards": forwards}
        rows.append(row)
        report(f"{i + 1}/{len(prompts)} {prompt}")
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The counts of `evaluation.answers`, with mean seconds and forwards."""
    counted = figures([Answer(row["text"], row["ended"]) for row in rows])
    for name in ("seconds", "forwards"):
        counted[name] = sum(row[name] for row in rows) / max(1, len(rows))
    return {name: round(value, 4) for name, value in counted.items()}


def _answers_and_texts(corpus: Corpus) -> list[str]:
    turns = [turn.strip() for talk in corpus.conversations for turn in talk.turns[::2]]
    return [*turns, *(text for text, _ in corpus.texts)]


def _vocabulary(loaded: LoadedModel) -> bytes:
    return (loaded.folder / "tokenizer.json").read_bytes()
