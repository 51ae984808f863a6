"""From the runs of a race to what they say: times, ratios, identity, and the price of a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from llada_demo.bench.race import Runs, Timed
from llada_demo.diffusion.likelihood import negative_log_likelihood
from llada_demo.diffusion.loop import Tokens

RATIOS = {
    "reference/stopped": "overall, the same visible text",
    "reference/exact": "less work in a step, the same tokens",
    "exact/stopped": "no steps after the end of the text",
    "reference_light/stopped": "overall, against the reference's newer revision",
    "reference/threshold": "approximate: see its quality",
}
EXACT = "float32: all must be identical, unless probabilities are so near 1 that they tie"
COARSE = "{}: many confidences tie, ours then takes the lowest position; logits of few rows round otherwise"


def visible(answer: Sequence[int], tokens: Tokens) -> tuple[int, ...]:
    """The ids before the first end token."""
    end = next((i for i, token in enumerate(answer) if token in tokens.ends), len(answer))
    return tuple(answer[:end])


def figures(runs: Sequence[Sequence[Timed]], tokens: Tokens) -> dict[str, Any]:
    """One contestant's times. seconds: the sum over the prompts of each one's median over the repeats.

    cpu_seconds: the same of processor time, which a busy machine disturbs less.
    """
    per_prompt = [median(run.seconds for run in of_prompt) for of_prompt in runs]
    shown = sum(len(visible(of_prompt[0].answer, tokens)) for of_prompt in runs)
    rounds = [sum(of_prompt[r].seconds for of_prompt in runs) for r in range(len(runs[0]))]
    return {
        "seconds": round(sum(per_prompt), 4),
        "cpu_seconds": round(sum(median(run.cpu for run in of_prompt) for of_prompt in runs), 4),
        "seconds_of_rounds": [round(seconds, 4) for seconds in rounds],
        "median_ms": round(1000 * median(per_prompt), 2),
        "first_ms": round(1000 * median(median(run.first for run in of_prompt) for of_prompt in runs), 2),
        "forwards": sum(of_prompt[0].forwards for of_prompt in runs),
        "visible_tokens": shown,
        "visible_tokens_per_second": round(shown / sum(per_prompt), 2),
    }


def ratios(times: Mapping[str, Mapping[str, Any]], what: str = "seconds") -> dict[str, float]:
    """How many times more `what` the first of a pair takes than the second, all prompts together."""
    pairs = [pair.split("/") for pair in RATIOS]
    return {f"{a}/{b}": round(times[a][what] / times[b][what], 3) for a, b in pairs if b in times}


def identity(runs: Runs, tokens: Tokens, dtype: torch.dtype) -> dict[str, Any]:
    """On how many prompts ours writes what the reference writes, and what share of all tokens agrees.

    revisions_identical: on how many the reference's own two revisions write the same.
    """
    names = ("reference", "reference_light", "exact", "stopped")
    answers = list(zip(*([p[0].answer for p in runs[name]] for name in names), strict=True))
    same = [a == b for rival, _, exact, _ in answers for a, b in zip(rival, exact, strict=True)]
    return {
        "prompts": len(answers),
        "tokens_identical": sum(rival == exact for rival, _, exact, _ in answers),
        "texts_identical": sum(visible(rival, tokens) == visible(ours, tokens) for rival, _, _, ours in answers),
        "revisions_identical": sum(rival == light for rival, light, _, _ in answers),
        "token_agreement": round(sum(same) / len(same), 4),
        "why": EXACT if dtype == torch.float32 else COARSE.format(str(dtype).removeprefix("torch.")),
    }


def quality(runs: Runs, model: nn.Module, prompts: Sequence[Tensor], tokens: Tokens, draws: int = 16) -> dict[str, Any]:
    """What the threshold costs: agreement with the exact text, and the model's own judgement of both.

    agreement: the share of positions with the same token, of the longer text, over all prompts.
    bound_*: nats per token of the text with its end, an upper bound of the negative log-likelihood.
    """
    texts = {name: [visible(p[0].answer, tokens) for p in runs[name]] for name in ("stopped", "threshold")}
    pairs = list(zip(texts["stopped"], texts["threshold"], strict=True))
    same = sum(a == b for pair in pairs for a, b in zip(*pair, strict=False))
    result: dict[str, Any] = {
        "texts_identical": sum(exact == fast for exact, fast in pairs),
        "agreement": round(same / max(1, sum(max(len(exact), len(fast)) for exact, fast in pairs)), 4),
    }
    for name in texts:
        nats, count = 0.0, 0
        for prompt, of_prompt, text in zip(prompts, runs[name], texts[name], strict=True):
            written = prompt.new_tensor(of_prompt[0].answer[: len(text) + 1])
            ids = torch.cat((prompt, written))
            nats += negative_log_likelihood(model, ids, len(prompt), tokens.mask, draws)
            count += len(written)
        result[f"bound_{name}"] = round(nats / count, 4)
    return result
