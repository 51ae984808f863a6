"""The bound on the likelihood, and why its masks are drawn as they are."""

from __future__ import annotations

from math import log
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from llada_demo.diffusion.likelihood import draw_masks, negative_log_likelihood
from llada_demo.model import LLaDAModelLM


@pytest.mark.parametrize(("length", "draws"), [(1, 4), (7, 7), (7, 70), (32, 16), (100, 128)])
def test_counts_cover_the_strata_of_one_to_length(length: int, draws: int) -> None:
    masks = draw_masks(length, draws, seed=0)
    assert masks.shape == (draws, length)
    for j, count in enumerate(masks.sum(1).tolist()):
        # row j comes from the j-th of `draws` equal parts of 1..length
        assert 1 + int(j / draws * length) <= count <= 1 + int((j + 1) / draws * length)
        assert 1 <= count <= length


def test_as_many_draws_as_tokens_give_every_count_once() -> None:
    assert draw_masks(9, 9, seed=3).sum(1).tolist() == list(range(1, 10))


def test_every_position_is_masked_about_as_often() -> None:
    masks = torch.cat([draw_masks(8, 64, seed) for seed in range(20)])
    share = masks.float().mean(0)
    assert float((share - share.mean()).abs().max()) < 0.06


def test_the_same_seed_gives_the_same_masks_and_another_seed_others() -> None:
    assert torch.equal(draw_masks(20, 16, 5), draw_masks(20, 16, 5))
    assert not torch.equal(draw_masks(20, 16, 5), draw_masks(20, 16, 6))


@pytest.mark.parametrize(("start", "draws"), [(3, 16), (0, 3), (9, 1)])
def test_a_uniform_model_gives_length_times_log_vocabulary(start: int, draws: int) -> None:
    class Uniform(torch.nn.Module):
        def forward(self, ids: Tensor, positions: Tensor) -> Any:
            return SimpleNamespace(logits=torch.zeros(*positions.shape, 50))

    bound = negative_log_likelihood(Uniform(), torch.arange(10), start, mask_id=49, draws=draws)
    assert bound == pytest.approx((10 - start) * log(50), rel=1e-5)


def test_only_the_answer_is_masked_and_asked_for() -> None:
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, ids: Tensor, positions: Tensor) -> Any:
            seen.append((ids, positions))
            return SimpleNamespace(logits=torch.zeros(*positions.shape, 50))

    negative_log_likelihood(Spy(), torch.arange(10), 4, mask_id=49, draws=8)
    ((ids, positions),) = seen
    assert torch.equal(ids[:, :4], torch.arange(4).expand(8, -1))
    assert torch.equal((ids[:, 4:] == 49), draw_masks(6, 8, 0))
    assert torch.equal(positions, torch.arange(4, 10).expand(8, -1))


def independent_masks(model: LLaDAModelLM, ids: Tensor, start: int, mask_id: int, draws: int, seed: int) -> float:
    """As LLaDA's training loss: t ~ U(0.001, 1), each token masked with probability t, weight 1/t."""
    generator = torch.Generator().manual_seed(seed)
    t = 0.999 * torch.rand(draws, 1, generator=generator) + 0.001
    masks = torch.rand(draws, len(ids) - start, generator=generator) < t
    canvases = ids.repeat(draws, 1)
    canvases[:, start:][masks] = mask_id
    logits = model(canvases).logits[:, start:]
    targets = ids[start:].expand(draws, -1)
    losses = F.cross_entropy(logits[masks], targets[masks], reduction="none")
    return float((losses / t.expand_as(masks)[masks]).sum() / draws)


@torch.inference_mode()
def test_the_estimate_spreads_less_than_with_independent_masks(network: LLaDAModelLM, golden: dict[str, Any]) -> None:
    ids = torch.tensor(golden["prompt"] + golden["runs"]["block8_steps16"]["tokens"])
    start = len(golden["prompt"])
    ours = torch.tensor([negative_log_likelihood(network, ids, start, 510, 16, seed) for seed in range(16)])
    theirs = torch.tensor([independent_masks(network, ids, start, 510, 16, seed) for seed in range(16)])
    assert float(ours.std()) < 0.5 * float(theirs.std())
    error = float((ours.var() / 16 + theirs.var() / 16).sqrt())
    assert abs(float(ours.mean() - theirs.mean())) < 5 * error  # both estimate the same bound
