"""How many tokens each step of a block commits."""

from __future__ import annotations


def commits_per_step(masks: int, steps: int) -> list[int]:
    """`masks` spread over `steps`, the remainder one each to the first steps; zeros at the end left out.

    >>> commits_per_step(10, 4)
    [3, 3, 2, 2]
    """
    each, rest = divmod(masks, steps)
    return [each + (i < rest) for i in range(steps) if each or i < rest]
