"""What is masked, and what a mistake costs."""

from __future__ import annotations

from math import log
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from llada_demo.learning.objective import EPS, Noise, _blocks, mask_rows, masked_loss, stratified_t
from llada_demo.model import LLaDAConfig, LLaDAModelLM

few = settings(max_examples=40, deadline=None)
VOCABULARY, MASK = 300, 299


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def run_of(length: int, *rows: tuple[int, int]) -> Tensor:
    """(B, length) bool: each row is supervised from its first number up to its second."""
    at = torch.arange(length)
    return torch.stack([(at >= start) & (at < end) for start, end in rows])


@st.composite
def supervised_rows(draw: st.DrawFn) -> Tensor:
    """Rows with one run each; some have none."""
    length = draw(st.integers(1, 40))
    rows = [
        sorted((draw(st.integers(0, length)), draw(st.integers(0, length)))) for _ in range(draw(st.integers(1, 6)))
    ]
    return run_of(length, *[(a, b) for a, b in rows])


noises = st.builds(
    Noise,
    weighting=st.sampled_from(("uniform", "reference")),
    t=st.sampled_from(("uniform", "bell")),
    blocks=st.sampled_from((0.0, 0.5, 1.0)),
    block_lengths=st.sampled_from(((8, 16, 32), (1,), (3, 5))),
)


# t


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 1000])
def test_t_is_stratified_one_row_to_each_quantile(rows: int) -> None:
    t = stratified_t(rows, "uniform", seeded(rows))
    quantile = ((t - EPS) / (1 - EPS)).sort().values
    low = torch.arange(rows) / rows
    assert (quantile >= low - 1e-5).all()
    assert (quantile <= low + 1 / rows + 1e-5).all()
    assert float(t.min()) >= EPS
    assert float(t.max()) <= 1


@pytest.mark.parametrize("shape", ["uniform", "bell"])
def test_low_discrepancy_means_spread_less_than_independent_draws(shape: str) -> None:
    means = torch.stack([stratified_t(16, shape, seeded(seed)).mean() for seed in range(200)])
    alone = torch.stack(
        [
            torch.cat([stratified_t(1, shape, seeded(1000 + 16 * seed + i)) for i in range(16)]).mean()
            for seed in range(200)
        ]
    )
    assert float(means.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(means.std()) < 0.25 * float(alone.std())


def test_the_rows_of_a_batch_are_in_no_order_of_t() -> None:
    firsts = torch.stack([stratified_t(8, "uniform", seeded(seed))[0] for seed in range(200)])
    assert 0.4 < float(firsts.mean()) < 0.6
    assert float(firsts.std()) > 0.2


def test_the_bell_is_symmetric_around_the_middle_and_peaks_there() -> None:
    t = stratified_t(20_000, "bell", seeded()).double()
    u = (t - EPS) / (1 - EPS)
    mirrored = (1 - u).sort().values
    torch.testing.assert_close(u.sort().values, mirrored, rtol=0, atol=2e-3)
    counts = torch.histc(u, 10, 0, 1) / len(u)
    triangle = torch.tensor([0.02, 0.06, 0.10, 0.14, 0.18, 0.18, 0.14, 0.10, 0.06, 0.02], dtype=torch.double)
    torch.testing.assert_close(counts, triangle, rtol=0, atol=1e-3)


# Masks


@few
@given(supervised_rows(), noises, st.integers(0, 10**6))
def test_masks_lie_inside_the_run_and_every_row_has_one(supervised: Tensor, noise: Noise, seed: int) -> None:
    masked, weights = mask_rows(supervised, noise, seeded(seed))
    assert masked.dtype == torch.bool
    assert not (masked & ~supervised).any()
    assert torch.equal(masked.any(1), supervised.any(1))
    assert weights.shape == supervised.shape
    assert weights.isfinite().all()
    if noise.weighting == "uniform":
        assert (weights[masked] > 0).all()


@few
@given(supervised_rows(), noises, st.integers(0, 10**6))
def test_the_same_seed_gives_the_same_masks(supervised: Tensor, noise: Noise, seed: int) -> None:
    first, again = (mask_rows(supervised, noise, seeded(seed)) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_each_token_is_masked_with_probability_t() -> None:
    supervised = run_of(2000, *[(100, 2000)] * 8)
    masked, _ = mask_rows(supervised, Noise(t="uniform"), seeded(1))
    t = stratified_t(8, "uniform", seeded(1))
    assert ((masked.sum(1) / 1900 - t).abs() < 0.06).all()


@few
@given(supervised_rows(), st.sampled_from(((8,), (3, 5), (1,), (64,))), st.integers(0, 10**6))
def test_block_masks_hide_all_beyond_the_block_and_nothing_before_it(
    supervised: Tensor, block_lengths: tuple[int, ...], seed: int
) -> None:
    noise = Noise(blocks=1.0, block_lengths=block_lengths)
    masked, _ = mask_rows(supervised, noise, seeded(seed))
    for run, hidden in zip(supervised, masked, strict=True):
        if not run.any():
            continue
        at = run.nonzero()[:, 0]
        answer = hidden[at].tolist()  # the row's answer, from its first token on
        fits = []
        for size in block_lengths:
            for first in range(0, len(answer), size):
                before, beyond = answer[:first], answer[first + size :]
                fits.append(not any(before) and all(beyond))
        assert any(fits)


@few
@given(supervised_rows(), st.integers(0, 10**6))
def test_a_block_starts_at_a_multiple_of_its_length_inside_the_run(supervised: Tensor, seed: int) -> None:
    in_block, beyond = _blocks(supervised, Noise(block_lengths=(4,)), seeded(seed))
    for run, block, after in zip(supervised, in_block, beyond, strict=True):
        if run.any():
            start = int(run.nonzero()[0])
            own = block.nonzero()[:, 0]
            assert len(own)
            assert (int(own[0]) - start) % 4 == 0
            assert torch.equal(after, run & (torch.arange(len(run)) > own[0] + 3))


def test_the_share_of_block_masks_is_the_one_asked_for() -> None:
    supervised = run_of(64, *[(0, 64)] * 2000)
    noise = Noise(blocks=0.3, block_lengths=(8,), t="bell")
    masked, _ = mask_rows(supervised, noise, seeded())
    # With blocks, the last eight tokens are masked or free as a whole far more often than without.
    ends_masked = masked[:, 32:].all(1).float().mean()
    without, _ = mask_rows(supervised, Noise(blocks=0.0), seeded())
    assert float(without[:, 32:].all(1).float().mean()) < 0.02
    assert 0.3 * 4 / 8 - 0.04 < float(ends_masked) < 0.3 * 5 / 8 + 0.04


# Weights


def test_reference_weights_are_one_over_t_length_and_batch() -> None:
    supervised = run_of(30, (0, 30), (10, 20), (29, 30), (5, 25))
    masked, weights = mask_rows(supervised, Noise("reference", "uniform"), seeded(4))
    t = stratified_t(4, "uniform", seeded(4))
    for row, length in enumerate((30, 10, 1, 20)):
        expected = 1 / (float(t[row]) * length * 4)
        assert weights[row][masked[row]].tolist() == pytest.approx([expected] * int(masked[row].sum()))


def test_uniform_weights_are_alike_and_add_up_to_one() -> None:
    supervised = run_of(30, (0, 30), (10, 20), (29, 30))
    masked, weights = mask_rows(supervised, Noise("uniform"), seeded(4))
    assert weights[masked].tolist() == pytest.approx([1 / int(masked.sum())] * int(masked.sum()))


def test_importance_scales_the_weights_and_is_left_as_it_was() -> None:
    supervised = run_of(20, (0, 20), (0, 20))
    importance = torch.where(torch.arange(20) < 10, 1.0, 0.05).repeat(2, 1)
    before = importance.clone()
    masked, weights = mask_rows(supervised, Noise(blocks=0.5), seeded(2), importance)
    assert torch.equal(importance, before)
    plain, _ = mask_rows(supervised, Noise(blocks=0.5), seeded(2))
    assert torch.equal(masked, plain)
    _, even = mask_rows(supervised, Noise(), seeded(2), importance)
    assert float(even[0, 15] / even[0, 5]) == pytest.approx(0.05)
    assert float((weights * masked).sum()) == pytest.approx(1.0)


def test_what_lies_beyond_the_block_weighs_less() -> None:
    supervised = run_of(16, (0, 16))
    noise = Noise(blocks=1.0, block_lengths=(4,), beyond_weight=0.2)
    for seed in range(20):
        masked, weights = mask_rows(supervised, noise, seeded(seed))
        seen = {round(float(w / weights[masked].max()), 4) for w in weights[masked]}
        assert seen <= {1.0, 0.2}


# The loss


@pytest.fixture(scope="module")
def network() -> LLaDAModelLM:
    """A random network, whose guesses are near uniform."""
    torch.manual_seed(0)
    config = LLaDAConfig(
        d_model=32, n_layers=1, n_heads=2, mlp_hidden_size=64, vocab_size=VOCABULARY, mask_token_id=MASK
    )
    return LLaDAModelLM(config).eval()


@torch.no_grad()
def loss_of(network: Any, inputs: Tensor, labels: Tensor, masked: Tensor, weights: Tensor) -> tuple[float, float]:
    """The training loss, as the trainer computes it."""
    logits = network(inputs.masked_fill(masked, MASK)).logits[masked]
    loss, mean = masked_loss(logits, labels[masked], weights[masked])
    return float(loss), float(mean)


@pytest.mark.parametrize("weighting", ["uniform", "reference"])
def test_a_random_model_that_sees_only_masks_loses_log_vocabulary(network: LLaDAModelLM, weighting: str) -> None:
    ids = torch.randint(0, MASK, (16, 24), generator=seeded())
    everything = torch.ones_like(ids, dtype=torch.bool)
    count = everything.sum()
    weights = torch.full(ids.shape, 1 / float(count))  # t = 1: both weightings are the plain mean
    loss, mean = loss_of(network, ids, ids, everything, weights)
    assert loss == pytest.approx(log(VOCABULARY), abs=0.1)
    assert mean == pytest.approx(loss, rel=1e-4)


def test_the_reference_loss_estimates_log_vocabulary_at_any_t(network: LLaDAModelLM) -> None:
    """Weight 1/t makes up for what is not masked, so a model without a clue gets ln V on average."""
    ids = torch.randint(0, MASK, (64, 24), generator=seeded())
    supervised = run_of(24, *[(4, 24)] * 64)
    losses = []
    for seed in range(100):
        masked, weights = mask_rows(supervised, Noise("reference", "uniform"), seeded(seed))
        losses.append(loss_of(network, ids, ids, masked, weights)[0])
    error = float(torch.tensor(losses).std()) / 10
    assert error < 0.1
    assert sum(losses) / len(losses) == pytest.approx(log(VOCABULARY), abs=4 * error)


def test_a_row_in_which_chance_masked_nothing_weighs_nothing_in_the_reference_loss() -> None:
    supervised = run_of(3, *[(0, 3)] * 64)
    t = stratified_t(64, "uniform", seeded())
    masked, weights = mask_rows(supervised, Noise("reference", "uniform"), seeded())
    generator = seeded()
    stratified_t(64, "uniform", generator)
    lonely = ~(torch.rand(64, 3, generator=generator) < t[:, None]).any(1)
    assert lonely.any()
    assert (weights[lonely] == 0).all()
    assert (weights[~lonely] > 0).all()
    assert (masked[lonely].sum(1) == 1).all()


@pytest.mark.parametrize("weighting", ["uniform", "reference"])
def test_labels_of_prompt_and_unmasked_tokens_do_not_count(network: LLaDAModelLM, weighting: str) -> None:
    ids = torch.randint(0, MASK, (4, 24), generator=seeded())
    masked, weights = mask_rows(run_of(24, *[(8, 24)] * 4), Noise(weighting), seeded(5))
    assert not masked[:, :8].any()
    base = loss_of(network, ids, ids, masked, weights)
    changed = torch.where(masked, ids, (ids + 1) % MASK)
    assert loss_of(network, ids, changed, masked, weights) == base
    wrong = torch.where(masked, (ids + 1) % MASK, ids)
    assert loss_of(network, ids, wrong, masked, weights) != base


def test_a_masked_token_is_not_seen_by_the_model(network: LLaDAModelLM) -> None:
    ids = torch.randint(0, MASK, (4, 24), generator=seeded())
    masked, weights = mask_rows(run_of(24, *[(8, 24)] * 4), Noise(), seeded(5))
    other = torch.where(masked, (ids + 7) % MASK, ids)
    assert loss_of(network, other, ids, masked, weights) == loss_of(network, ids, ids, masked, weights)


def test_the_loss_is_the_weighted_sum_worked_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, log(3)]])
    loss, mean = masked_loss(logits, torch.tensor([0, 0]), torch.tensor([0.25, 2.0]))
    assert float(loss) == pytest.approx(0.25 * log(2) + 2 * log(4))
    assert float(mean) == pytest.approx((log(2) + log(4)) / 2)
