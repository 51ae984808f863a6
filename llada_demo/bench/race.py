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

import torch
from torch import Tensor, nn

from llada_demo.bench.reference import reference_forwards, reference_generate
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import apply, blank
from llada_demo.diffusion.loop import Request, Tokens, denoise
from llada_demo.diffusion.predict import model_predict


@dataclass(frozen=True)
class Timed:
    """One answer (gen_length ids), its seconds, its processor time, the seconds until something could
    be shown, and its forwards."""

    answer: tuple[int, ...]
    seconds: float
    cpu: float
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
        began, cpu = clock(prompt.device), time.process_time()
        answer = reference_generate(model, prompt, options, tokens.mask, softmax_dtype)
        seconds, cpu = clock(prompt.device) - began, time.process_time() - cpu
        return Timed(tuple(answer), seconds, cpu, seconds, reference_forwards(options))

    return run


def ours(model: nn.Module, options: SamplingOptions, tokens: Tokens) -> Contestant:
    """The project's loop, a step at a time, as a chat runs it."""
    predict = model_predict(model, tokens.eos)

    def run(prompt: Tensor) -> Timed:
        answer, first, forwards = blank(options, {}), 0.0, 0
        began, cpu = clock(prompt.device), time.process_time()
        for (step,) in denoise(predict, [Request(prompt, options)], tokens):
            assert step is not None
            first = first or clock(prompt.device) - began
            answer, forwards = apply(answer, step, tokens.eos), step.forwards
        seconds, cpu = clock(prompt.device) - began, time.process_time() - cpu
        return Timed(tuple(t for t in answer if t is not None), seconds, cpu, first, forwards)

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
            names = list(everyone)
            for name in names if (repeat + i) % 2 == 0 else reversed(names):
                runs[name][i].append(everyone[name](prompt))
    return runs
