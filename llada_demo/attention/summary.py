"""What is made of recorded attention: words instead of tokens, all layers in one, sinks, the share ahead."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

JOINERS = ("-", "'", "’")
SINK_FACTOR = 5.0  # a sink gets at least so many times what an even spread would give it


def word_groups(cells: Sequence[str], alone: Sequence[bool]) -> list[slice]:
    """Token positions that make up the words of a text: slices that cover all L positions in order.

    cells: the text of every token; alone: tokens that are a word of their own whatever they read (special ones,
    masks). A word ends before a blank and at punctuation; a hyphen or apostrophe between letters does not end it.
    An empty cell (its character stands in an earlier one) stays with the token before it.
    """
    starts: list[int] = []
    word = ""  # what the word that is being read says so far
    for at, cell in enumerate(cells):
        after = cells[at + 1][:1] if at + 1 < len(cells) else ""
        apart = at == 0 or alone[at] or alone[at - 1]
        if apart or (cell and not _goes_on(word, cell, after)):
            starts.append(at)
            word = ""
        word += cell
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], len(cells)], strict=True)]


def _goes_on(word: str, cell: str, after: str) -> bool:
    """Whether a cell belongs to the word before it; after: the first character behind it."""
    if not word:
        return True
    last, first = word[-1], cell[0]
    if cell in JOINERS:  # between letters only
        return last.isalnum() and after.isalnum()
    return (last.isalnum() or (last in JOINERS and len(word) > 1)) and first.isalnum()


def merge(attention: Tensor, groups: Sequence[slice]) -> Tensor:
    """Attention (..., L, L) between tokens -> (..., W, W) between words: the sum over the pieces of what is looked
    at, the mean over the pieces of who looks. Rows that summed to 1 still do."""
    sizes = torch.tensor([group.stop - group.start for group in groups])
    member = torch.zeros(len(groups), attention.shape[-1]).index_put_(
        (torch.repeat_interleave(torch.arange(len(groups)), sizes), torch.arange(attention.shape[-1])),
        torch.tensor(1.0),
    )
    return (member / sizes[:, None]) @ attention @ member.T


def rollout(layers: Tensor) -> Tensor:
    """Attention rollout (arXiv 2005.00928, section 3): (N, L, L), means over heads -> (L, L) from the top to the
    input. Every layer is averaged with the identity, for the residual stream, and they are multiplied."""
    identity = torch.eye(layers.shape[-1])
    joint = identity
    for layer in layers:
        joint = ((layer + identity) / 2) @ joint
    return joint


def sinks(attention: Tensor, allowed: Tensor | None = None, factor: float = SINK_FACTOR) -> list[int]:
    """Positions that draw attention from everywhere: on the mean of attention (L, L) over the rows that may see a
    column, at least `factor` times what an even spread over the allowed cells would give it.

    allowed: bool (L, L), or None for all. A position's look at itself does not count.
    """
    length = attention.shape[-1]
    allowed = torch.ones(length, length, dtype=torch.bool) if allowed is None else allowed
    others = allowed & ~torch.eye(length, dtype=torch.bool)
    even = others / allowed.sum(1, keepdim=True)
    count = others.sum(0)
    got, expected = (attention * others).sum(0), even.sum(0)
    return [at for at in range(length) if count[at] >= 2 and got[at] >= factor * expected[at]]


def share_ahead(attention: Tensor) -> float:
    """The mean over the rows of (L, L) of what goes to later positions, 0 to 1; the last row has none to look at."""
    length = attention.shape[-1]
    return float(attention.triu(1).sum(-1)[: length - 1].mean()) if length > 1 else 0.0
