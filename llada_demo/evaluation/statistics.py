"""How sure a difference is: means, intervals and tests over the same examples, with a fixed seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

DRAWS = 2000  # of the bootstrap
FLIPS = 10000  # of the permutation test; p cannot be smaller than 1 / (FLIPS + 1)
EXACT = 13  # up to so many examples every flip of signs is tried
LEVEL = 0.95

Key = TypeVar("Key")


@dataclass(frozen=True)
class Summary:
    """mean, std (of the sample, n - 1) and the bootstrap interval of the mean, low to high."""

    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A system less the base on the same examples: mean difference, in percent of the base (None where that is
    0), the bootstrap interval of the difference, and p of the paired permutation test."""

    difference: float
    percent: float | None
    low: float
    high: float
    p: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


def summary(values: Sequence[float], seed: int = 0) -> Summary:
    """Of at least one value. Raises ValueError for none."""
    array = _array(values)
    low, high = bootstrap(array, seed)
    return Summary(float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else 0.0, low, high)


def bootstrap(values: Sequence[float] | np.ndarray, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """The 95 % percentile interval of the mean, over examples drawn with replacement."""
    array = _array(values)
    picks = np.random.default_rng(seed).integers(0, len(array), (draws, len(array)))
    low, high = np.quantile(array[picks].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def paired(values: Sequence[float], base: Sequence[float], seed: int = 0) -> Difference:
    """values[i] and base[i] belong to the same example. Raises ValueError for none, or for unequal numbers."""
    a, b = _array(values), _array(base)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} values against {len(b)} of the base")
    differences = a - b
    low, high = bootstrap(differences, seed)
    mean = float(differences.mean())
    percent = 100 * mean / float(b.mean()) if b.mean() else None
    return Difference(mean, percent, low, high, permutation(differences, seed))


def permutation(differences: Sequence[float] | np.ndarray, seed: int = 0, flips: int = FLIPS) -> float:
    """Two-sided p of a paired permutation test: how often differences with signs by chance have a mean that is
    as far from 0. All flips for few examples, else `flips` by chance, of which the observed one is one more."""
    array = _array(differences)
    if len(array) <= EXACT:
        signs = 1 - 2 * (np.arange(2 ** len(array))[:, None] >> np.arange(len(array)) & 1)
    else:
        signs = np.random.default_rng(seed).choice(np.array([-1, 1], dtype=np.int8), (flips, len(array)))
    seen = np.abs(array.sum()) * (1 - 1e-12) - 1e-12  # sums in another order differ in the last digits
    reached = int((np.abs(signs @ array) >= seen).sum())
    return reached / len(signs) if len(array) <= EXACT else (reached + 1) / (flips + 1)


def holm(chances: Mapping[Key, float]) -> dict[Key, float]:
    """p-values corrected for their number (Holm): the chance of even one false alarm stays what it says."""
    corrected: dict[Key, float] = {}
    largest = 0.0
    for rank, key in enumerate(sorted(chances, key=lambda k: chances[k])):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[key]))
        corrected[key] = largest
    return {key: corrected[key] for key in chances}


def _array(values: Sequence[float] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError("at least one value is needed")
    return array
