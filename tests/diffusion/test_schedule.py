"""How many tokens each step commits."""

from __future__ import annotations

import pytest

from llada_demo.diffusion.schedule import commits_per_step


@pytest.mark.parametrize(
    ("masks", "steps", "expected"),
    [(10, 4, [3, 3, 2, 2]), (8, 8, [1] * 8), (8, 1, [8]), (3, 5, [1, 1, 1]), (0, 4, [])],
)
def test_worked_examples(masks: int, steps: int, expected: list[int]) -> None:
    assert commits_per_step(masks, steps) == expected


def test_commits_add_up_and_never_exceed_the_steps() -> None:
    for masks in range(40):
        for steps in range(1, 40):
            commits = commits_per_step(masks, steps)
            assert sum(commits) == masks
            assert len(commits) == min(steps, masks)
            assert all(commits)


def test_equals_the_reference_rule() -> None:
    """masks // steps at each step, and the remainder one each to the first steps."""
    for masks in range(1, 40):
        for steps in range(1, masks + 1):
            reference = [masks // steps] * steps
            for i in range(masks % steps):
                reference[i] += 1
            assert commits_per_step(masks, steps) == reference
