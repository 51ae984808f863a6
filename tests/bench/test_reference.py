"""The rival is honest: it gives the public reference sampler's tokens, and ours gives the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from llada_demo.bench.reference import reference_forwards, reference_generate
from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion import generate
from llada_demo.model import LLaDAModelLM

RUNS = ("block16_steps32", "block8_steps16", "one_block", "uneven", "cfg_0.7")


@pytest.mark.parametrize("softmax_dtype", [torch.float64, None])
@pytest.mark.parametrize("name", RUNS)
def test_golden_runs(
    network: LLaDAModelLM, golden: dict[str, Any], name: str, softmax_dtype: torch.dtype | None
) -> None:
    recorded = golden["runs"][name]
    options = SamplingOptions(**recorded["options"])
    answer = reference_generate(network, golden["prompt"], options, golden["mask_token_id"], softmax_dtype)
    assert answer == recorded["tokens"]


def test_every_golden_run_is_compared(golden: dict[str, Any]) -> None:
    assert sorted(golden["runs"]) == sorted(RUNS)


@pytest.mark.parametrize("seed", range(6))
def test_ours_gives_its_tokens_on_random_prompts(network: LLaDAModelLM, golden: dict[str, Any], seed: int) -> None:
    options = SamplingOptions(
        gen_length=24,
        block_length=(8, 24)[seed % 2],
        steps=12,
        cfg_scale=(0.0, 0.5)[seed // 3],
        stop_at_end=False,
    )
    prompt = torch.randint(0, 500, (5 + 7 * seed,), generator=torch.Generator().manual_seed(seed))
    ours = generate(network, prompt[None], options)[0, len(prompt) :].tolist()
    assert reference_generate(network, prompt, options, golden["mask_token_id"]) == ours


@pytest.mark.parametrize("cfg_scale", [0.0, 0.7])
def test_it_computes_every_position_at_every_step(
    network: LLaDAModelLM, golden: dict[str, Any], cfg_scale: float
) -> None:
    shapes = []
    hook = network.register_forward_hook(lambda _module, _inputs, output: shapes.append(tuple(output.logits.shape)))
    options = SamplingOptions(gen_length=16, steps=8, block_length=8, cfg_scale=cfg_scale)
    try:
        reference_generate(network, golden["prompt"], options, golden["mask_token_id"])
    finally:
        hook.remove()
    rows = 2 if cfg_scale else 1
    assert shapes == [(rows, len(golden["prompt"]) + 16, 512)] * 8
    assert reference_forwards(options) == 8 * rows


@pytest.mark.parametrize("options", [{"temperature": 0.8}, {"remasking": "random"}])
def test_noise_comes_from_the_seed_and_no_mask_is_left(
    network: LLaDAModelLM, golden: dict[str, Any], options: dict[str, Any]
) -> None:
    mask = golden["mask_token_id"]
    answers = [
        reference_generate(
            network,
            golden["prompt"],
            SamplingOptions(gen_length=16, steps=8, block_length=8, seed=s, **options),
            mask,
        )
        for s in (1, 1, 2)
    ]
    assert answers[0] == answers[1] != answers[2]
    assert mask not in answers[0]


@pytest.mark.parametrize("options", [{"threshold": 0.9}, {"end_rule": "last"}, {"remasking": "margin"}])
def test_it_refuses_what_the_reference_lacks(
    network: LLaDAModelLM, golden: dict[str, Any], options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        reference_generate(network, golden["prompt"], SamplingOptions(**options), golden["mask_token_id"])
