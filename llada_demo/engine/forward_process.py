"""The forward process (arXiv 2502.09992, section 2): at t each token of an answer is masked with probability t.

Every token has one number u; it is masked while u < t. So, as t moves, a mask comes and goes once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from llada_demo.core.chat import opened
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion import noise
from llada_demo.diffusion.loop import Ask
from llada_demo.engine.engine import Engine
from llada_demo.engine.run import Run

LONGEST = 128  # tokens of an answer


@dataclass(frozen=True)
class Example:
    """A question and its answer as the model is trained on them: ids with the end token, and u of each, (0, 1)."""

    question: str
    ids: tuple[int, ...]
    cells: tuple[str, ...]
    thresholds: tuple[float, ...]

    def masked(self, t: float) -> list[int]:
        """The positions that are masked at t, 0 to 1."""
        return [at for at, u in enumerate(self.thresholds) if u < t]


def example(engine: Engine, question: str, answer: str, seed: int = 0) -> Example:
    """Raises UserError for an answer that is empty or too long, or a question that leaves it no room."""
    ids = engine.tokenizer.encode(answer.strip())
    if not ids or len(ids) >= LONGEST:
        raise UserError(
            f"Jawabannya harus 1 sampai {LONGEST - 1} token; ini {len(ids)}.",
            f"The answer must have 1 to {LONGEST - 1} tokens; this one has {len(ids)}.",
        )
    ids.append(engine.tokenizer.special.eot)
    thresholds = noise.uniform(seed, 0, torch.arange(len(ids)), 1, noise.MASK)[:, 0].tolist()
    cells = [engine.tokenizer.name(i) or text for i, text in zip(ids, engine.tokenizer.cells(ids), strict=True)]
    made = Example(question, tuple(ids), tuple(cells), tuple(thresholds))
    engine.prepare(opened(question), _options(made, 1.0))
    return made


def losses(engine: Engine, made: Example, t: float) -> list[float]:
    """Cross-entropy in nats at every position that is masked at t, in order."""
    masked = made.masked(t)
    if not masked:
        return []
    prompt = engine.prepare(opened(made.question), _options(made, t)).prompt
    ids = torch.tensor([*prompt, *made.ids])
    positions = len(prompt) + torch.tensor(masked)
    targets, canvas = ids[positions], ids.clone()
    canvas[positions] = engine.tokens.mask
    logits = engine.predict(Ask(0, canvas.to(engine.model.device), positions.to(engine.model.device)))
    return F.cross_entropy(logits.float().cpu(), targets, reduction="none").tolist()


def fill(engine: Engine, made: Example, t: float) -> Run:
    """A run that writes what is masked at t. Raises UserError where nothing is."""
    if not made.masked(t):
        raise UserError("Pada t ini tidak ada yang bertopeng. Naikkan t.", "Nothing is masked at this t. Raise it.")
    return engine.start(opened(made.question), _options(made, t), candidates=5)


def _options(made: Example, t: float) -> SamplingOptions:
    masked = set(made.masked(t))
    known: dict[int, tuple[int, ...]] = {}
    start = None
    for at, token in enumerate(made.ids):
        if at in masked:
            start = None
        elif start is None:
            start, known[at] = at, (token,)
        else:
            known[start] += (token,)
    length = len(made.ids)
    options = SamplingOptions(gen_length=length, steps=max(1, len(masked)), block_length=length, stop_at_end=False)
    return replace(options, constraints=known)
