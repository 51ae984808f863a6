"""`generate`: the loop run to its end on a batch of prompts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from llada_demo.core.errors import OptionsError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import apply, blank
from llada_demo.diffusion.loop import Request, Tokens, denoise
from llada_demo.diffusion.predict import model_predict


def generate(
    model: Any,
    input_ids: Tensor,
    options: SamplingOptions,
    attention_mask: Tensor | None = None,
    end_ids: tuple[int, ...] | None = None,
) -> Tensor:
    """Answers to a batch of prompts: (B, L) int64 -> (B, L + gen_length) int64.

    With temperature 0, no threshold and stop_at_end off, the tokens are those of the public reference sampler
    (in float32). attention_mask (B, L): 0 where a prompt is padding. end_ids: what ends an answer, by default
    the configuration's eos_token_id. Constraints must be given as ids.
    """
    config = model.config
    tokens = Tokens(config.mask_token_id, config.eos_token_id, end_ids or (config.eos_token_id,))
    fixed = fixed_ids(options)
    requests = [
        Request(row, options, fixed, None if attention_mask is None else attention_mask[i])
        for i, row in enumerate(input_ids)
    ]
    answers = [blank(options, fixed) for _ in requests]
    for steps in denoise(model_predict(model, config.pad_token_id or tokens.eos), requests, tokens):
        answers = [a if s is None else apply(a, s, tokens.eos) for a, s in zip(answers, steps, strict=True)]
    return torch.cat((input_ids, torch.tensor(answers, device=input_ids.device)), dim=1)


def fixed_ids(options: SamplingOptions) -> dict[int, int]:
    """{position: id} of constraints that are given as ids. Raises OptionsError for text and for overlaps."""
    fixed: dict[int, int] = {}
    for start, ids in options.constraints.items():
        if isinstance(ids, str):
            raise OptionsError(
                f"Kata {ids!r} harus diubah menjadi nomor token lebih dahulu.",
                f"The constraint {ids!r} is text; without a tokenizer constraints are given as token ids.",
            )
        for position, token in enumerate(ids, start):
            if position in fixed or position >= options.gen_length:
                raise OptionsError(
                    f"Kata yang ditetapkan mulai posisi {start} menabrak kata lain atau melewati akhir jawaban.",
                    f"The constraint at position {start} runs into another one or past the answer's end.",
                )
            fixed[position] = token
    return fixed
