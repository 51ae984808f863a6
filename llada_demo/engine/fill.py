"""Fill-in text: `Ibu kota Jawa Barat adalah [mask:2].` is an answer of which all but the gaps is fixed."""

from __future__ import annotations

import re
from dataclasses import replace

from llada_demo.core.chat import SYSTEM_PROMPT, Message, opened
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.model.tokenizer import LLaDATokenizer

GAP = re.compile(r"\[mask(?::(\d{1,9}))?\]")
LONGEST_GAP = 64
QUESTION = "Lengkapi kalimat ini: {text}"  # what the model is asked; the training text has such questions


def asked(
    tokenizer: LLaDATokenizer, text: str, options: SamplingOptions, system: str = SYSTEM_PROMPT
) -> tuple[list[Message], SamplingOptions]:
    """The conversation and the options for what a person typed: a question, or a text with gaps. Raises UserError."""
    if GAP.search(text):
        text, options = fill_in(tokenizer, text, options)
    return opened(text, system), options


def fill_in(tokenizer: LLaDATokenizer, text: str, options: SamplingOptions) -> tuple[str, SamplingOptions]:
    """The question that asks for it, and options of an answer that is the text with masks in its gaps.

    The answer is one block, with a step for each masked token. Raises UserError for a gap of no or too many
    tokens, and for a text that is too long for any answer.
    """
    ids, constraints, start, masks = 0, {}, 0, 0
    for gap in [*GAP.finditer(text), None]:
        if words := tokenizer.encode(text[start : gap.start() if gap else len(text)].rstrip(" " if gap else None)):
            constraints[ids] = tuple(words)
            ids += len(words)
        if gap:
            length = int(gap[1] or 1)
            if not 1 <= length <= LONGEST_GAP:
                raise UserError(
                    f"Celah {gap[0]} harus 1 sampai {LONGEST_GAP} token.",
                    f"The gap {gap[0]} must have 1 to {LONGEST_GAP} tokens.",
                )
            ids, masks, start = ids + length, masks + length, gap.end()
    constraints[ids] = (tokenizer.special.eot,)
    whole = SamplingOptions(gen_length=ids + 1, steps=masks, block_length=ids + 1, constraints=constraints)
    kept = {name: getattr(options, name) for name in ("temperature", "cfg_scale", "remasking", "threshold", "seed")}
    return QUESTION.format(text=GAP.sub("...", text)), replace(whole, stop_at_end=False, **kept)
