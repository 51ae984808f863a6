"""The one loop that commits tokens (the sampler of arXiv 2502.09992, algorithms 4 and 5).

`denoise` is a generator of frozen `Step`s. It knows no model: it is given `predict`, a function from asked
positions to logits, so that a test can pass five lines and the engine can answer many visitors in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Candidate, Step
from llada_demo.diffusion import noise
from llada_demo.diffusion.remasking import NOISY, STRATEGIES
from llada_demo.diffusion.repetition import forbidden
from llada_demo.diffusion.schedule import commits_per_step


@dataclass(frozen=True)
class Tokens:
    """The ids that the loop must know: the mask, what fills a canvas after its end, what ends an answer, and what
    may stand beside itself under `no_repeat` (digits and signs)."""

    mask: int
    eos: int
    ends: tuple[int, ...]
    wordless: Collection[int] = frozenset()


@dataclass(frozen=True)
class Begun:
    """An answer that is taken up in the middle: what is written, and how far it was.

    committed: {position in the answer: id}; step, forwards: made so far; counts: how many tokens each step commits
    that is left of the first block with masks. Taken up unchanged, an answer goes on as it would have gone on.
    """

    committed: Mapping[int, int]
    step: int
    forwards: int
    counts: Sequence[int]


@dataclass(frozen=True)
class Request:
    """One row: prompt (L,) int64, its options, fixed tokens {position in the answer: id}.

    attention_mask: None, or (L,) with 0 where the prompt is padding (kept out of every forward). begun: None,
    or where to go on. mix: adapters and their scales; the loop only hands it on with every ask.
    """

    prompt: Tensor
    options: SamplingOptions
    fixed: Mapping[int, int] = field(default_factory=dict)
    attention_mask: Tensor | None = None
    begun: Begun | None = None
    mix: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """One row of a forward: ids (L,), the positions (P,) whose logits are wanted, whose row it is, and with which
    adapters."""

    row: int
    ids: Tensor
    positions: Tensor
    attention_mask: Tensor | None = None
    mix: Mapping[str, float] = field(default_factory=dict)


Predict = Callable[[Sequence[Ask]], Sequence[Tensor]]  # -> for every Ask its logits (P, V)


def denoise(
    predict: Predict, requests: Sequence[Request], tokens: Tokens, candidates: int = 0
) -> Iterator[tuple[Step | None, ...]]:
    """Fills the answers of all requests, a step of each at a time; yields one Step (None = done) per row.

    Rows may differ in length and in every option; each comes out as it would alone. The prompt is never
    changed, a fixed or committed token never changes, and at the end no mask is left. `candidates`: how many
    of the likeliest tokens a Step lists for every position that could be committed in it.
    Raises ValueError if a prompt contains the mask token.
    """
    gumbel = noise.SharedGumbel()
    rows = [_Row(i, request, tokens, candidates, gumbel) for i, request in enumerate(requests)]
    while active := [row for row in rows if not row.finished]:
        asks = {row.index: row.asks() for row in active}
        logits = iter(predict([ask for of_row in asks.values() for ask in of_row]))
        steps = {row.index: row.commit([next(logits) for _ in asks[row.index]]) for row in active}
        yield tuple(steps.get(row.index) for row in rows)


class _Row:
    """The state of one answer while it is written."""

    def __init__(
        self, index: int, request: Request, tokens: Tokens, candidates: int, gumbel: noise.SharedGumbel
    ) -> None:
        self.index, self.options, self.tokens, self.candidates = index, request.options, tokens, candidates
        self.mix, self.gumbel = request.mix, gumbel
        self.start = len(request.prompt)
        if bool((request.prompt == tokens.mask).any()):
            raise ValueError("the prompt contains the mask token: only the answer may hold masks")
        if tokens.mask in (*request.fixed.values(), *(request.begun.committed.values() if request.begun else ())):
            raise ValueError("the mask token is no word: it cannot be fixed in the answer")
        self.canvas = torch.cat((request.prompt, request.prompt.new_full((self.options.gen_length,), tokens.mask)))
        begun = request.begun or Begun({}, 0, 0, ())
        for position, token in (*begun.committed.items(), *request.fixed.items()):
            self.canvas[self.start + position] = token
        self.last_fixed = max(request.fixed, default=-1)  # the answer may not end before a fixed word
        self.attention_mask = request.attention_mask
        if self.attention_mask is not None:
            self.attention_mask = torch.cat(
                (self.attention_mask, self.attention_mask.new_ones(self.options.gen_length))
            )
        self.mask_index = self.canvas.new_tensor([tokens.mask])
        self.end_ids = self.canvas.new_tensor(tokens.ends)
        self.block, self.step, self.forwards = -1, begun.step, begun.forwards
        self.counts: Sequence[int] = ()
        self._enter_next_block(begun.counts)

    @property
    def finished(self) -> bool:
        return self.block >= self.options.blocks

    def asks(self) -> list[Ask]:
        """What must be predicted now: the masks of the block, and once more without the prompt for guidance."""
        self.open = self._masks_of_block()
        asks = [Ask(self.index, self.canvas.clone(), self.open, self.attention_mask, self.mix)]
        if self.options.cfg_scale > 0:
            blind = self.canvas.clone()
            blind[: self.start] = self.tokens.mask
            asks.append(Ask(self.index, blind, self.open, self.attention_mask, self.mix))
        return asks

    def commit(self, logits: Sequence[Tensor]) -> Step:
        """Chooses a token for every open position and commits the best of them."""
        scores = self._guided([part.float() for part in logits])
        log_probs = scores.log_softmax(-1, dtype=torch.float64)
        chosen = self._choose(scores)
        confidence = log_probs.gather(1, chosen[:, None])[:, 0].exp()
        taken = self._take(self._rank(log_probs, chosen), chosen, confidence)
        positions = self.open[taken]
        self.canvas[positions] = chosen[taken]
        self.forwards += len(logits)
        self.step += 1
        unasked = self._advance()
        return Step(
            index=self.step - 1,
            block=int((positions[0] - self.start) // self.options.block_length),
            positions=tuple((positions - self.start).tolist()),
            tokens=tuple(chosen[taken].tolist()),
            confidences=tuple(_rounded(confidence[taken].tolist())),
            candidates=self._candidates(log_probs),
            masks_left=0 if self.finished else int((self.canvas == self.tokens.mask).sum()),
            forwards=self.forwards,
            unasked=unasked,
        )

    def _guided(self, logits: list[Tensor]) -> Tensor:
        """One set of scores (P, V) without what may not be chosen now."""
        scores = logits[0]
        if len(logits) == 2:
            scores = logits[1] + (self.options.cfg_scale + 1) * (scores - logits[1])
        early = self.open - self.start < self.last_fixed
        if self.options.end_rule == "forbid":
            early = torch.ones_like(early)
        if early.any():
            scores = scores.clone()
            for end in self.tokens.ends:
                scores[early, end] = float("-inf")
        return self._without_repeats(scores) if self.options.no_repeat else scores

    def _without_repeats(self, scores: Tensor) -> Tensor:
        """The scores (P, V) without what would say something twice. An end may always come, and a position for
        which nothing would be left keeps its scores."""
        answer, open_ = self.canvas[self.start :].tolist(), (self.open - self.start).tolist()
        ruled_out = forbidden(answer, open_, self.options.no_repeat, self.tokens.mask, self.tokens.wordless)
        cells = [(row, token) for row, token in ruled_out if token not in self.tokens.ends]
        if not cells:
            return scores
        rows, tokens = (torch.tensor(part, device=scores.device) for part in zip(*cells, strict=True))
        strict = scores.index_put((rows, tokens), scores.new_tensor(float("-inf")))
        nothing_left = strict.index_fill(1, self.mask_index, float("-inf")).amax(1, keepdim=True).isneginf()
        return torch.where(nothing_left, scores, strict)

    def _choose(self, scores: Tensor) -> Tensor:
        """The token of every open position (P,): the likeliest, or a draw at temperature T (Gumbel-max)."""
        options = self.options
        if options.temperature > 0:
            noisy = self.gumbel(options.seed, self.step, self.open - self.start, scores.shape[1])
            scores = scores + options.temperature * noisy
        return scores.index_fill(1, self.mask_index, float("-inf")).argmax(1)

    def _rank(self, log_probs: Tensor, chosen: Tensor) -> Tensor:
        """Open positions (P,) in the order in which they would be committed, as indices into `open`."""
        draw = chosen.new_zeros(len(chosen), dtype=torch.float32)
        if self.options.remasking in NOISY:  # 60 small operations: as dear as the rest of the bookkeeping
            draw = noise.uniform(self.options.seed, self.step, self.open - self.start, 1, noise.RANK)[:, 0]
        scores = STRATEGIES[self.options.remasking](log_probs, chosen, draw)
        order = scores.argsort(descending=True, stable=True)
        if self.options.end_rule == "last":
            order = order[self._is_end(chosen[order]).int().argsort(stable=True)]
        if self.options.no_repeat:
            order = order[self._doubling(order, chosen)[order].int().argsort(stable=True)]
        return order

    def _doubling(self, order: Tensor, chosen: Tensor) -> Tensor:
        """(P,) bool: positions that chose the word of a neighbour which comes before them in `order`."""
        words: dict[int, int] = {}
        found = torch.zeros_like(chosen, dtype=torch.bool)
        for row in order.tolist():
            at, token = int(self.open[row]), int(chosen[row])
            single = token in self.tokens.wordless or token in self.tokens.ends
            found[row] = not single and token in (words.get(at - 1), words.get(at + 1))
            words[at] = token
        return found

    def _take(self, order: Tensor, chosen: Tensor, confidence: Tensor) -> Tensor:
        """The indices to commit, by position: as many as the schedule says, and all above the threshold."""
        count = self.counts[min(self.step - self.first_step, len(self.counts) - 1)]
        if self.options.threshold is None:
            return order[:count].sort().values
        taken = confidence >= self.options.threshold
        if self.options.no_repeat:
            taken &= ~self._doubling(order, chosen)
        taken[order[:count]] = True
        if self.options.end_rule == "last":
            end = self._is_end(chosen)
            if bool((~taken & ~end).any()):  # a word is left, so ends wait, however sure (none is in the count)
                taken &= ~end
        return taken.nonzero()[:, 0]

    def _candidates(self, log_probs: Tensor) -> tuple[tuple[int, tuple[Candidate, ...]], ...]:
        if not self.candidates:
            return ()
        possible = log_probs.index_fill(1, self.mask_index, float("-inf"))
        best = possible.topk(min(self.candidates, log_probs.shape[1] - 1), dim=1)
        rows = zip((self.open - self.start).tolist(), best.indices.tolist(), best.values.exp().tolist(), strict=True)
        return tuple((at, tuple(map(Candidate, ids, _rounded(probabilities)))) for at, ids, probabilities in rows)

    def _advance(self) -> tuple[int, ...]:
        """After a commit: on to the next block, or to the end. Returns what was left unasked at the end."""
        if self.options.stop_at_end and self._ended():
            unasked = (self.canvas == self.tokens.mask).nonzero()[:, 0]
            self.canvas[unasked] = self.tokens.eos
            self.block = self.options.blocks
            return tuple((unasked - self.start).tolist())
        if not len(self._masks_of_block()):
            self._enter_next_block()
        return ()

    def _ended(self) -> bool:
        """Whether the text is complete: an end token with nothing masked before it."""
        answer = self.canvas[self.start :]
        ends = self._is_end(answer).nonzero()[:, 0]
        ends = ends[ends >= self.last_fixed]
        return len(ends) > 0 and not bool((answer[: ends[0]] == self.tokens.mask).any())

    def _enter_next_block(self, counts: Sequence[int] = ()) -> None:
        """On to the next block that has masks; its steps commit `counts` tokens, by default the schedule's."""
        while not self.finished:
            self.block += 1
            if self.finished:
                return
            if masks := len(self._masks_of_block()):
                self.counts = counts or commits_per_step(masks, self.options.steps // self.options.blocks)
                self.first_step = self.step
                return

    def _masks_of_block(self) -> Tensor:
        """Positions (P,) in the canvas that are masked and in the current block."""
        first = self.start + self.block * self.options.block_length
        window = self.canvas[first : first + self.options.block_length]
        return first + (window == self.tokens.mask).nonzero()[:, 0]

    def _is_end(self, ids: Tensor) -> Tensor:
        return torch.isin(ids, self.end_ids)


def _rounded(probabilities: Sequence[float]) -> list[float]:
    """Six decimals are what a trace keeps; so the live run and the saved one are equal."""
    return [round(p, 6) for p in probabilities]
