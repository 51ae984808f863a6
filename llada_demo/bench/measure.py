"""The race: reference and ours, interleaved prompt by prompt in one run, so that noise hits all alike.

    reference        every step all logits, float64 softmax, never stops early
    reference_light  the same with the softmax in the network's type (the reference's newer revision)
    exact            ours, the same tokens: only the logits that can be committed
    stopped          ours, the same visible text: the work ends with the text
    threshold        ours, approximate: every sure guess is committed at once; never shown without its quality
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from llada_demo.bench.reference import reference_forwards, reference_generate
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import apply, blank
from llada_demo.diffusion.likelihood import negative_log_likelihood
from llada_demo.diffusion.loop import Request, Tokens, denoise
from llada_demo.diffusion.predict import model_predict


@dataclass(frozen=True)
class Timed:
    """One answer (gen_length ids), the seconds that it took, those until something could be shown, forwards."""

    answer: tuple[int, ...]
    seconds: float
    first: float
    forwards: int


Contestant = Callable[[Tensor], Timed]  # prompt ids (L,) -> its answer, timed
Runs = Mapping[str, Sequence[Sequence[Timed]]]  # contestant -> prompt -> repeat


def clock(device: torch.device) -> float:
    """Seconds, when everything that was sent to the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def reference(
    model: nn.Module, options: SamplingOptions, tokens: Tokens, softmax_dtype: torch.dtype | None
) -> Contestant:
    """The rival. It shows nothing before its end."""

    def run(prompt: Tensor) -> Timed:
        began = clock(prompt.device)
        answer = reference_generate(model, prompt, options, tokens.mask, softmax_dtype)
        seconds = clock(prompt.device) - began
        return Timed(tuple(answer), seconds, seconds, reference_forwards(options))

    return run


def ours(model: nn.Module, options: SamplingOptions, tokens: Tokens) -> Contestant:
    """The project's loop, a step at a time, as a chat runs it."""
    predict = model_predict(model, tokens.eos)

    def run(prompt: Tensor) -> Timed:
        answer, first, forwards = blank(options, {}), 0.0, 0
        began = clock(prompt.device)
        for (step,) in denoise(predict, [Request(prompt, options)], tokens):
            assert step is not None
            first = first or clock(prompt.device) - began
            answer, forwards = apply(answer, step, tokens.eos), step.forwards
        return Timed(tuple(t for t in answer if t is not None), clock(prompt.device) - began, first, forwards)

    return run


def contestants(
    model: nn.Module, options: SamplingOptions, tokens: Tokens, threshold: float | None
) -> dict[str, Contestant]:
    """Everyone in the race; without `threshold` only the exact ones."""
    exact = replace(options, stop_at_end=False, threshold=None)
    stopped = replace(options, stop_at_end=True, threshold=None)
    everyone = {
        "reference": reference(model, exact, tokens, torch.float64),
        "reference_light": reference(model, exact, tokens, None),
        "exact": ours(model, exact, tokens),
        "stopped": ours(model, stopped, tokens),
    }
    if threshold is not None:
        everyone["threshold"] = ours(model, replace(stopped, threshold=threshold), tokens)
    return everyone


def race(everyone: Mapping[str, Contestant], prompts: Sequence[Tensor], repeats: int) -> dict[str, list[list[Timed]]]:
    """Everyone's answers to every prompt, `repeats` times, one after the other in alternating order."""
    runs: dict[str, list[list[Timed]]] = {name: [[] for _ in prompts] for name in everyone}
    for repeat in range(repeats):
        for i, prompt in enumerate(prompts):
            order = list(everyone) if (repeat + i) % 2 == 0 else list(reversed(everyone))
            for name in order:
                runs[name][i].append(everyone[name](prompt))
    return runs


def visible(answer: Sequence[int], tokens: Tokens) -> tuple[int, ...]:
    """The ids before the first end token."""
    end = next((i for i, token in enumerate(answer) if token in tokens.ends), len(answer))
    return tuple(answer[:end])


def figures(runs: Sequence[Sequence[Timed]], tokens: Tokens) -> dict[str, Any]:
    """One contestant's times. seconds: the sum over the prompts of each one's median over the repeats."""
    per_prompt = [median(run.seconds for run in of_prompt) for of_prompt in runs]
    shown = sum(len(visible(of_prompt[0].answer, tokens)) for of_prompt in runs)
    rounds = [sum(of_prompt[r].seconds for of_prompt in runs) for r in range(len(runs[0]))]
    return {
        "seconds": round(sum(per_prompt), 4),
        "seconds_of_rounds": [round(seconds, 4) for seconds in rounds],
        "median_ms": round(1000 * median(per_prompt), 2),
        "first_ms": round(1000 * median(median(run.first for run in of_prompt) for of_prompt in runs), 2),
        "forwards": sum(of_prompt[0].forwards for of_prompt in runs),
        "visible_tokens": shown,
        "visible_tokens_per_second": round(shown / sum(per_prompt), 2),
    }


def ratios(of: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """How many times longer the first takes than the second, all prompts together."""
    pairs = {
        "reference/stopped": "overall",
        "reference/exact": "less work a step",
        "exact/stopped": "fewer steps",
        "reference_light/stopped": "overall, against the newer revision",
    }
    if "threshold" in of:
        pairs["reference/threshold"] = "approximate: read its quality too"
    return {pair: round(of[pair.split("/")[0]]["seconds"] / of[pair.split("/")[1]]["seconds"], 3) for pair in pairs}


def identity(runs: Runs, tokens: Tokens, dtype: torch.dtype) -> dict[str, Any]:
    """On how many prompts ours writes what the reference writes, and what share of all tokens agrees."""
    answers = {name: [of_prompt[0].answer for of_prompt in runs[name]] for name in ("reference", "exact", "stopped")}
    pairs = list(zip(*answers.values(), strict=True))
    same = [a == b for rival, exact, _ in pairs for a, b in zip(rival, exact, strict=True)]
    float32 = "float32: all must be identical"
    coarse = (
        f"{str(dtype).removeprefix('torch.')}: confidences are so coarse that many tie, and logits of a few rows are "
        "rounded otherwise than logits of all; ours commits the lowest position of a tie first"
    )
    return {
        "prompts": len(pairs),
        "tokens_identical": sum(rival == exact for rival, exact, _ in pairs),
        "texts_identical": sum(visible(rival, tokens) == visible(stopped, tokens) for rival, _, stopped in pairs),
        "token_agreement": round(sum(same) / len(same), 4),
        "why": float32 if dtype == torch.float32 else coarse,
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


def measure(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    tokens: Tokens,
    options: SamplingOptions,
    repeats: int = 3,
    threshold: float | None = 0.9,
) -> dict[str, Any]:
    """The whole race as plain data: per contestant its figures; ratios, identity, quality, memory."""
    weights = next(model.parameters())
    asked = [torch.tensor(ids, device=weights.device) for ids in prompts]
    everyone = contestants(model, options, tokens, threshold)
    memory = {"loaded_mib": peak_memory(weights.device)}
    longest = max(asked, key=len)
    for name in reversed(everyone):  # a warm-up; ours before the rival, to see how much memory each needs
        everyone[name](longest)
        if name in ("exact", "reference"):
            memory[f"{name}_mib"] = peak_memory(weights.device)
    runs = race(everyone, asked, repeats)
    times = {name: figures(of_name, tokens) for name, of_name in runs.items()}
    result = {
        "times": times,
        "ratios": ratios(times),
        "identity": identity(runs, tokens, weights.dtype),
        "peak_memory": memory,
    }
    if threshold is not None:
        result["quality"] = {"threshold": threshold, **quality(runs, model, asked, tokens)}
    return result


def peak_memory(device: torch.device) -> float:
    """MiB that the process (on a GPU: its tensors) has taken at most so far; 0 where nobody counts."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
