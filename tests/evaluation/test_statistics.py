"""Statistics against sums by hand, SciPy, and what they must do under chance."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llada_demo.evaluation.statistics import bootstrap, holm, paired, permutation, summary


def test_a_summary_by_hand() -> None:
    found = summary([1.0, 2.0, 3.0, 6.0])
    assert found.mean == 3
    assert found.std == pytest.approx((14 / 3) ** 0.5)
    assert 1 <= found.low < 3 < found.high <= 6
    assert (summary([0.5]).std, summary([0.5]).low, summary([0.5]).high) == (0.0, 0.5, 0.5)


def test_the_bootstrap_interval_is_the_normal_one_for_many_values() -> None:
    values = np.random.default_rng(1).normal(5, 2, 2000)
    low, high = bootstrap(values)
    error = values.std(ddof=1) / len(values) ** 0.5
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values, seed=1) != bootstrap(values, seed=2)


def test_a_paired_difference_sees_what_the_means_hide() -> None:
    base = [0.1, 0.5, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4]
    found = paired([value + 0.01 for value in base], base)
    assert found.difference == pytest.approx(0.01)
    assert found.percent == pytest.approx(100 * 0.01 / np.mean(base))
    assert found.low == pytest.approx(found.high) == pytest.approx(0.01)
    assert found.p == 2 / 2**8  # of all flips of signs only two are as far off


def test_no_difference_has_p_1_and_an_empty_base_no_percent() -> None:
    found = paired([0.0, 0.2], [0.0, 0.2])
    assert (found.difference, found.p) == (0, 1)
    assert paired([0.5], [0.0]).percent is None
    assert paired([0.1 + 0.2] * 30, [0.3] * 30).p <= 1


def test_the_exact_test_by_hand() -> None:
    assert permutation([1.0, 2.0, 3.0]) == 2 / 8
    assert permutation([3.0, -1.0, 1.0]) == 6 / 8  # sums of 5, 3, 3, 1 and their negatives
    assert permutation([1.0] * 20) == pytest.approx(1 / 10001, rel=3)


def test_chance_is_called_significant_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    found = [permutation(random.normal(size=30), seed=i, flips=400) for i in range(200)]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.04)


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({}) == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_never_helps(chances: list[float]) -> None:
    found = holm(dict(enumerate(chances)))
    assert all(chances[i] <= found[i] <= 1 for i in found)
    ranked = sorted(found, key=lambda i: chances[i])
    assert all(found[a] <= found[b] for a, b in pairwise(ranked))


@pytest.mark.parametrize("values", [([], []), ([1.0], [1.0, 2.0])])
def test_what_cannot_be_compared_is_refused(values: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match=r"at least one|against"):
        paired(*values)
