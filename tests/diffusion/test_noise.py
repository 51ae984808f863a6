"""Noise is a function of (seed, step, position, stream), and it is noise."""

from __future__ import annotations

from math import e, sqrt

import pytest
import torch
from torch import Tensor

from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion import Request, Tokens, denoise
from llada_demo.diffusion.noise import GUMBEL, RANK, SharedGumbel, gumbel, uniform


def chi_square(observed: Tensor, probabilities: Tensor) -> float:
    expected = probabilities * observed.sum()
    return float(((observed - expected) ** 2 / expected).sum())


def limit(cells: int) -> float:
    """Five standard deviations above what chi-square gives by chance for so many cells."""
    return cells - 1 + 5 * sqrt(2 * (cells - 1))


def test_neighbours_change_nothing() -> None:
    positions = torch.tensor([5, 0, 17, 63])
    together = uniform(7, 3, positions, 50, GUMBEL)
    for row, position in zip(together, positions, strict=True):
        assert torch.equal(row, uniform(7, 3, position[None], 50, GUMBEL)[0])
    assert torch.equal(together[:, :20], uniform(7, 3, positions, 20, GUMBEL))


def test_the_global_random_state_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = uniform(1, 0, torch.arange(4), 8, GUMBEL)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(uniform(1, 0, torch.arange(4), 8, GUMBEL), first)


def test_values_stay_what_they_are() -> None:
    """Saved traces can be repeated only while these numbers hold."""
    values = uniform(42, 3, torch.tensor([0, 9]), 3, GUMBEL)
    assert (values.double() * 2**24).tolist() == [[3528837, 1404567, 8802121], [3731485, 5059945, 8478281]]


@pytest.mark.parametrize(
    "other",
    [(8, 3, 0, GUMBEL), (7 + 2**32, 3, 0, GUMBEL), (7, 4, 0, GUMBEL), (7, 3, 1, GUMBEL), (7, 3, 0, RANK)],
    ids=["seed", "high bits of the seed", "step", "position", "stream"],
)
def test_any_other_key_gives_uncorrelated_numbers(other: tuple[int, int, int, int]) -> None:
    n = 20_000
    seed, step, position, stream = other
    a = uniform(7, 3, torch.tensor([0]), n, GUMBEL)[0]
    b = uniform(seed, step, torch.tensor([position]), n, stream)[0]
    assert abs(float(torch.corrcoef(torch.stack((a, b)))[0, 1])) < 5 / sqrt(n)
    assert int((a == b).sum()) < 5


def test_numbers_along_each_axis_are_uncorrelated_with_their_neighbours() -> None:
    positions, n = torch.arange(128), 128
    square = uniform(3, 0, positions, n, RANK) - 0.5
    steps = torch.stack([uniform(3, s, positions[:1], n, RANK)[0] for s in range(128)]) - 0.5
    seeds = torch.stack([uniform(s, 0, positions[:1], n, RANK)[0] for s in range(128)]) - 0.5
    for numbers in (square, square.T, steps, seeds):
        product = (numbers[1:] * numbers[:-1]).mean() * 12
        assert abs(float(product)) < 5 / sqrt(127 * 128)


def test_numbers_are_uniform() -> None:
    values = uniform(11, 2, torch.arange(100), 1000, GUMBEL).flatten().double()
    n = len(values)
    assert abs(float(values.mean()) - 0.5) < 5 * sqrt(1 / 12 / n)
    assert abs(float(values.var()) - 1 / 12) < 5 * sqrt(1 / 180 / n)
    counts = torch.histc(values, 64, 0, 1)
    assert chi_square(counts, torch.full((64,), 1 / 64)) < limit(64)


def test_numbers_lie_strictly_between_zero_and_one() -> None:
    for seed in range(20):
        values = uniform(seed, 0, torch.arange(64), 4000, GUMBEL)
        assert values.dtype == torch.float32
        assert float(values.min()) > 0
        assert float(values.max()) < 1
        assert gumbel(seed, 0, torch.arange(64), 4000).isfinite().all()


def test_gumbel_noise_has_its_mean_and_variance() -> None:
    values = gumbel(5, 0, torch.arange(100), 1000).double()
    n = values.numel()
    assert abs(float(values.mean()) - 0.5772156649) < 5 * sqrt(1.6449 / n)
    assert abs(float(values.var()) - 1.6449) < 5 * sqrt(1.6449**2 * (5.4 - 1) / n)
    assert float((values < 1).double().mean()) == pytest.approx(e ** -(e**-1), abs=5 * 0.5 / sqrt(n))


def test_shared_noise_is_the_same_noise_whatever_was_asked_before() -> None:
    shared = SharedGumbel()
    both = torch.tensor([3, 1])
    for seed, step, positions, width in ((1, 0, both, 9), (1, 0, both, 9), (1, 1, both, 9), (1, 1, both[:1], 9),
                                         (2, 1, both[:1], 9), (2, 1, both[:1], 5), (2, 1, both[1:], 5)):  # fmt: skip
        assert torch.equal(shared(seed, step, positions, width), gumbel(seed, step, positions, width))
    assert shared(2, 1, both[1:], 5) is shared(2, 1, both[1:], 5)  # drawn once


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_loop_samples_the_softmax_at_its_temperature(temperature: float) -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 0.5])
    tokens = Tokens(mask=5, eos=6, ends=(6,))
    wide = torch.cat((logits, torch.full((2,), -1e9)))
    counts = torch.zeros(5)
    for seed in range(20):
        options = SamplingOptions(gen_length=512, steps=1, block_length=512, temperature=temperature, seed=seed)
        request = Request(torch.tensor([0]), options)
        (steps,) = denoise(lambda asks: [wide.expand(len(asks[0].positions), -1)], [request], tokens)
        counts += torch.bincount(torch.tensor(steps[0].tokens), minlength=5)
    assert counts.sum() == 20 * 512
    assert chi_square(counts, (logits / temperature).softmax(0)) < limit(5)
    assert chi_square(counts, (logits / (1.2 * temperature)).softmax(0)) > limit(5)
