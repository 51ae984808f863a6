"""Keeping an answer from saying things twice: which tokens may not be chosen where.

The n-gram rule is that of arXiv 1705.04304, section 2.5, carried over to a canvas that is filled in any order: an open
position may complete an n-gram as its first, a middle or its last token.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence


def forbidden(
    answer: Sequence[int], open_: Sequence[int], length: int, mask: int, free: Collection[int]
) -> Iterator[tuple[int, int]]:
    """(row of open_, token) of every choice that would repeat.

    answer: its ids, masks included; open_: positions in it that are to be chosen, masked now. A token is ruled out
    where the same one stands directly before or behind, and where it would complete a run of `length` tokens that
    stands in the answer already. Tokens in `free` (digits, signs, ends) may stand beside themselves.
    """
    seen = _contexts(answer, length, mask)
    for row, at in enumerate(open_):
        beside = {answer[i] for i in (at - 1, at + 1) if 0 <= i < len(answer)}
        found = {token for token in beside if token != mask and token not in free}
        for first in range(max(0, at - length + 1), min(at, len(answer) - length) + 1):
            others = (*answer[first:at], *answer[at + 1 : first + length])
            if mask not in others:
                found |= seen[at - first, others]
        yield from ((row, token) for token in sorted(found))


def _contexts(answer: Sequence[int], length: int, mask: int) -> defaultdict[tuple[int, tuple[int, ...]], set[int]]:
    """{(place in the run, the other tokens of the run): tokens that stand there} of all complete runs."""
    seen: defaultdict[tuple[int, tuple[int, ...]], set[int]] = defaultdict(set)
    for first in range(len(answer) - length + 1):
        run = tuple(answer[first : first + length])
        if mask not in run:
            for place, token in enumerate(run):
                seen[place, (*run[:place], *run[place + 1 :])].add(token)
    return seen
