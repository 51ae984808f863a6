"""The forward process: masks come and go once, and the loss is the model's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from llada_demo.core.errors import UserError
from llada_demo.engine import Engine
from llada_demo.engine.forward_process import Example, example, fill, losses

ANSWER = "Hujan adalah air yang jatuh dari awan ke bumi."


@pytest.fixture(scope="module")
def made(engine: Engine) -> Example:
    return example(engine, "Apa itu hujan?", ANSWER)


def test_a_mask_comes_and_goes_once_as_t_moves(made: Example) -> None:
    before: set[int] = set()
    for t in torch.linspace(0, 1, 50).tolist():
        now = set(made.masked(t))
        assert before <= now
        before = now
    assert made.masked(0.0) == []
    assert made.masked(1.0) == list(range(len(made.ids)))


def test_about_t_of_the_tokens_are_masked(engine: Engine) -> None:
    long = example(engine, "Apa itu?", ANSWER * 9)
    assert len(long.masked(0.3)) / len(long.ids) == pytest.approx(0.3, abs=0.12)


def test_the_loss_is_the_cross_entropy_at_the_masks(engine: Engine, made: Example) -> None:
    found = losses(engine, made, 0.6)
    masked = made.masked(0.6)
    assert len(found) == len(masked)
    run = fill(engine, made, 0.6)
    canvas = [*run.prepared.prompt, *(engine.tokens.mask if i in masked else t for i, t in enumerate(made.ids))]
    with torch.inference_mode():
        logits = engine.model(torch.tensor([canvas])).logits[0, len(run.prepared.prompt) :]
    wanted = F.cross_entropy(logits[masked].float(), torch.tensor(made.ids)[masked], reduction="none")
    assert found == pytest.approx(wanted.tolist(), abs=1e-3)
    assert losses(engine, made, 0.0) == []


def test_filling_in_writes_the_masks_and_nothing_else(engine: Engine, made: Example) -> None:
    run = fill(engine, made, 0.5)
    written = sorted(at for step in run for at in step.positions)
    assert written == made.masked(0.5)
    assert all(run.answer[at] == token for at, token in enumerate(made.ids) if at not in written)


@pytest.mark.parametrize(("question", "answer"), [("Apa?", ""), ("Apa?", "kata " * 200), ("apa " * 400, "Itu.")])
def test_what_does_not_fit_is_refused(engine: Engine, question: str, answer: str) -> None:
    with pytest.raises(UserError):
        example(engine, question, answer)


def test_nothing_masked_is_nothing_to_fill(engine: Engine, made: Example) -> None:
    with pytest.raises(UserError, match="Raise it"):
        fill(engine, made, 0.0)
