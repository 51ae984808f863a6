"""What it brings to answer several visitors in one forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from llada_demo.bench.race import clock
from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion.loop import Ask, Predict, Request, Tokens, denoise
from llada_demo.diffusion.predict import model_predict
from llada_demo.engine.batcher import Batcher


def throughput(
    model: nn.Module,
    prompt: Sequence[int],
    tokens: Tokens,
    options: SamplingOptions,
    counts: Sequence[int] = (1, 2, 4, 8),
    repeats: int = 3,
) -> list[dict[str, Any]]:
    """Committed tokens per second for each number of visitors with equally long prompts, and the factor over
    the first number.

    rows: all in step, one forward for all of them. threads: as in the web process, a thread for each visitor;
    rows_a_forward is how many of them the batcher brought together.
    """
    device = next(model.parameters()).device
    request = Request(torch.tensor(prompt, device=device), replace(options, stop_at_end=False, threshold=None))
    forward = Counting(model_predict(model, tokens.eos))
    for warm_up in {1, max(counts)}:
        _in_step(forward, request, tokens, warm_up)
    rows: dict[int, list[float]] = {n: [] for n in counts}
    threads: dict[int, list[float]] = {n: [] for n in counts}
    together: dict[int, float] = {}
    for repeat in range(repeats):
        for n in counts if repeat % 2 == 0 else reversed(counts):
            rows[n].append(_timed(device, _in_step, forward, request, tokens, n))
            forward.rows = forward.calls = 0
            threads[n].append(_timed(device, _in_threads, forward, request, tokens, n))
            together[n] = forward.rows / forward.calls
    written = options.gen_length
    speeds = [(n, n * written / median(rows[n]), n * written / median(threads[n])) for n in counts]
    _, single_row, single_thread = speeds[0]
    return [
        {
            "visitors": n,
            "rows_tokens_per_second": round(in_step, 2),
            "rows_factor": round(in_step / single_row, 3),
            "threads_tokens_per_second": round(in_threads, 2),
            "threads_factor": round(in_threads / single_thread, 3),
            "rows_a_forward": round(together[n], 2),
        }
        for n, in_step, in_threads in speeds
    ]


class Counting:
    """A `predict` that counts its calls and their rows."""

    def __init__(self, predict: Predict) -> None:
        self.predict, self.calls, self.rows = predict, 0, 0

    def __call__(self, asks: Sequence[Ask]) -> Sequence[Tensor]:
        self.calls += 1
        self.rows += len(asks)
        return self.predict(asks)


def _timed(device: torch.device, work: Callable[..., None], *args: Any) -> float:
    began = clock(device)
    work(*args)
    return clock(device) - began


def _in_step(forward: Predict, request: Request, tokens: Tokens, visitors: int) -> None:
    for _ in denoise(forward, [request] * visitors, tokens):
        pass


def _in_threads(forward: Counting, request: Request, tokens: Tokens, visitors: int) -> None:
    batcher = Batcher(forward, only_same_shape=request.prompt.device.type == "cpu")  # as the engine has it
    with ThreadPoolExecutor(visitors) as pool:
        for done in [pool.submit(_in_step, batcher, request, tokens, 1) for _ in range(visitors)]:
            done.result()  # raises what went wrong there
