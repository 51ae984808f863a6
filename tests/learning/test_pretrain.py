"""Training from nothing: it learns, it can be interrupted, and it ends fully decayed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from llada_demo.learning import pretrain
from llada_demo.learning.corpus import Corpus
from llada_demo.learning.objective import Noise
from llada_demo.learning.pretrain import CHECKPOINT, Progress, Trainer, describe, human_time, schedule
from llada_demo.learning.recipe import Phase, Recipe
from llada_demo.learning.rows import RowSettings
from llada_demo.model.tokenizer import LLaDATokenizer

ROWS = RowSettings(max_length=96, canvas_share=0.3, canvas=(16, 32))
STEPS = 40
RECIPE = Recipe(
    model={"d_model": 32, "n_layers": 2, "n_heads": 2, "mlp_hidden_size": 64, "max_sequence_length": 96},
    vocab_size=400,
    phases=(
        Phase("causal", 0.4, rows=ROWS),
        Phase("masked", 0.6, Noise(blocks=0.5, block_lengths=(4, 8)), ROWS),
    ),
    minutes=STEPS / 60,  # by the clock below a step takes a second
    batch_tokens=768,
    other_lr=1e-2,
    matrix_lr=1e-2,
    warmup=0.1,
)
MASKED = replace(RECIPE, phases=(Phase("masked", 1.0, rows=ROWS),))
CAUSAL = replace(RECIPE, phases=(Phase("causal", 1.0, rows=ROWS),))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by one second whenever it is read, so that the schedule is the same everywhere."""
    ticks = itertools.count()
    monkeypatch.setattr(pretrain, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))


@pytest.fixture
def trainer(tokenizer: LLaDATokenizer, corpus: Corpus, tmp_path: Path) -> Callable[..., Trainer]:
    def build(recipe: Recipe = RECIPE, folder: str = "run", heldout: Corpus | None = None) -> Trainer:
        return Trainer(recipe, tokenizer, corpus, heldout, tmp_path / folder, bf16=False, compiled=False)

    return build


def silent(progress: Progress) -> None:
    pass


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# It learns


@pytest.mark.parametrize("recipe", [RECIPE, MASKED, CAUSAL], ids=["causal, then masked", "masked", "causal"])
def test_the_loss_falls_from_log_vocabulary(trainer: Callable[..., Trainer], corpus: Corpus, recipe: Recipe) -> None:
    some = Corpus(corpus.conversations[:6])
    run = trainer(recipe, heldout=some)
    before = run.heldout_loss()
    assert before == pytest.approx(log(400), abs=0.2)
    run.run(silent)
    assert run.step == STEPS
    assert run.heldout_loss() < before - 0.8


def test_held_out_loss_is_the_same_at_every_call_and_changes_nothing(
    trainer: Callable[..., Trainer], corpus: Corpus
) -> None:
    run = trainer(heldout=Corpus(corpus.conversations[:6]))
    before, state = weights(run), run.generator.get_state()
    assert run.heldout_loss() == run.heldout_loss()
    assert same(weights(run), before)
    assert torch.equal(run.generator.get_state(), state)
    assert run.model.training


def test_without_held_out_text_the_loss_is_zero(trainer: Callable[..., Trainer]) -> None:
    assert trainer().heldout_loss() == 0.0


def test_the_causal_phase_cannot_see_what_it_has_to_say(trainer: Callable[..., Trainer]) -> None:
    run = trainer()
    batch = next(run.makers[0].batches(768, 0, 0))
    ids = batch.ids
    causal = torch.ones(1, 1, ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    changed = ids.clone()
    changed[:, 20:] = 5
    seen = []
    with torch.no_grad():
        for given in (ids, changed):
            seen.append(run.model(given, causal).logits[:, :20])
    torch.testing.assert_close(seen[0], seen[1])


def test_the_masked_phase_hides_its_targets(trainer: Callable[..., Trainer]) -> None:
    run = trainer(MASKED)
    batch = next(run.makers[0].batches(768, 0, 0))
    seen: list[torch.Tensor] = []
    logits = run._logits
    run._logits = lambda ids, mask, asked: seen.append(ids) or logits(ids, mask, asked)  # type: ignore[method-assign]
    masked = batch.supervised & (torch.arange(batch.ids.shape[1]) % 2 == 0)
    run._masked_loss(batch, masked, batch.weights)
    assert (seen[0][masked] == run.tokenizer.special.mask).all()
    assert torch.equal(seen[0][~masked], batch.ids[~masked])


# The schedule


def test_the_schedule_rises_over_the_warm_up_and_ends_at_zero() -> None:
    assert schedule(0.0, 0.1) == 0.0
    assert schedule(1.0, 0.1) == 0.0
    assert schedule(1.0, 0.0) == 0.0
    assert schedule(0.0, 0.0) == 1.0
    assert schedule(0.1, 0.1) == pytest.approx(0.9)
    assert schedule(0.5, 0.1) == pytest.approx(0.5)
    rates = [schedule(i / 100, 0.1) for i in range(101)]
    peak = rates.index(max(rates))
    assert peak == 10
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_a_schedule_may_jump_and_start_anew() -> None:
    rates = ((0.0, 1.0), (0.5, 0.0), (0.5, 0.6), (1.0, 0.0))
    expected = {0.0: 1.0, 0.25: 0.5, 0.499: 0.002, 0.5: 0.6, 0.75: 0.3, 1.0: 0.0}
    assert {share: schedule(share, 0.0, rates) for share in expected} == pytest.approx(expected)


@pytest.mark.parametrize("rates", [(), ((0.0, 1.0),), ((0.1, 1.0), (1.0, 0.0)), ((0.0, 1.0), (2.0, 0.5), (1.0, 0.0))])
def test_rates_that_do_not_lead_through_the_whole_run_are_refused(rates: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="rates"):
        replace(RECIPE, rates=rates)


def test_every_optimizer_follows_the_schedule_from_its_own_rate(trainer: Callable[..., Trainer]) -> None:
    run = trainer(replace(RECIPE, matrix_lr=0.02, other_lr=0.01))
    seen = []
    run.run(lambda progress: seen.append([o.param_groups[0]["lr"] for o in run.optimizers]), every=10)
    # the rate of a step is the one of the share before it
    expected = [schedule((step - 1) / STEPS, 0.1) for step in (10, 20, 30, 40)]
    assert [rates[0] for rates in seen] == pytest.approx([0.02 * rate for rate in expected])
    assert [rates[1] for rates in seen] == pytest.approx([0.01 * rate for rate in expected])


def test_every_weight_belongs_to_one_optimizer(trainer: Callable[..., Trainer]) -> None:
    run = trainer()
    muon, adam = ([p for group in o.param_groups for p in group["params"]] for o in run.optimizers)
    assert sorted(map(id, [*muon, *adam])) == sorted(map(id, run.model.parameters()))
    names = {id(p): name for name, p in run.model.named_parameters()}
    assert all(p.ndim == 2 and ".blocks." in names[id(p)] for p in muon)
    assert {names[id(p)] for p in adam if p.ndim == 2} == {
        "model.transformer.wte.weight",
        "model.transformer.ff_out.weight",
    }


def test_phases_follow_each_other_by_their_shares(trainer: Callable[..., Trainer]) -> None:
    run, kinds = trainer(), []
    step = run._step
    run._step = lambda phase, batch: kinds.append(phase.kind) or step(phase, batch)  # type: ignore[method-assign]
    run.run(silent)
    assert kinds == ["causal"] * 16 + ["masked"] * 24


def test_shares_that_do_not_add_up_to_one_are_proportions(trainer: Callable[..., Trainer]) -> None:
    doubled = replace(RECIPE, phases=tuple(replace(phase, share=2 * phase.share) for phase in RECIPE.phases))
    run, plain = trainer(doubled), trainer()
    for seconds in range(STEPS + 1):
        run.seconds = plain.seconds = float(seconds)
        assert run.phase() == plain.phase() == (seconds >= 16)


# Interruptions


@pytest.mark.parametrize("at", [7, 23])
def test_a_run_that_is_stopped_and_continued_gives_the_weights_of_an_unbroken_one(
    trainer: Callable[..., Trainer], at: int
) -> None:
    unbroken = trainer(folder="unbroken")
    unbroken.run(silent)

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    first = trainer(folder="broken")
    with pytest.raises(KeyboardInterrupt):
        first.run(stop, every=at)
    assert first.step == at
    second = trainer(folder="broken")
    assert second.resume()
    assert second.step == at
    assert same(weights(second), weights(first))
    second.run(silent)
    for name in pretrain.COUNTERS:
        assert getattr(second, name) == getattr(unbroken, name), name
    assert same(weights(second), weights(unbroken))


def test_the_same_recipe_gives_the_same_weights_another_seed_others(trainer: Callable[..., Trainer]) -> None:
    short = replace(RECIPE, minutes=5 / 60)
    runs = [trainer(replace(short, seed=seed), f"run{i}") for i, seed in enumerate((0, 0, 1))]
    for run in runs:
        run.run(silent)
    one, again, other = map(weights, runs)
    assert same(one, again)
    assert not same(one, other)


def test_a_finished_run_has_nothing_left_to_do(trainer: Callable[..., Trainer]) -> None:
    trainer(replace(RECIPE, minutes=5 / 60)).run(silent)
    again = trainer(replace(RECIPE, minutes=5 / 60))
    assert again.resume()
    before = weights(again)
    again.run(silent)
    assert again.step == 5
    assert same(weights(again), before)


def test_without_a_checkpoint_there_is_nothing_to_continue(trainer: Callable[..., Trainer]) -> None:
    run = trainer()
    assert not run.resume()
    assert run.step == 0


def test_an_error_in_mid_training_saves_first(trainer: Callable[..., Trainer]) -> None:
    run = trainer()

    def fail(progress: Progress) -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        run.run(fail, every=3)
    assert [path.name for path in run.folder.iterdir()] == [CHECKPOINT]
    again = trainer()
    assert again.resume()
    assert again.step == 3


def test_a_long_run_is_saved_on_the_way(trainer: Callable[..., Trainer]) -> None:
    run, saves = trainer(), []
    save = run.save
    run.save = lambda: saves.append(run.step) or save()  # type: ignore[method-assign]
    run.run(silent, save_every=30.0)  # a step reads the clock three times
    assert len(saves) >= 4
    assert saves[-1] == STEPS


# What is reported


def test_progress_counts_steps_tokens_and_time(trainer: Callable[..., Trainer], corpus: Corpus) -> None:
    seen: list[Progress] = []
    run = trainer(heldout=Corpus(corpus.conversations[:2]))
    run.run(seen.append, every=4)
    assert [progress.step for progress in seen] == list(range(4, STEPS + 1, 4))
    assert [progress.share for progress in seen] == pytest.approx([p.step / STEPS for p in seen])
    assert [progress.seconds_left for progress in seen] == pytest.approx([STEPS - p.step for p in seen])
    assert seen[-1].tokens == run.tokens
    assert 0 < run.tokens <= STEPS * 768
    assert [p.step for p in seen if p.heldout is not None] == [40]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (0.2, "0:01"), (61, "1:01"), (3723, "1:02:03"), (-5, "0:00")]
)
def test_time_is_shown_as_people_read_it(seconds: float, shown: str) -> None:
    assert human_time(seconds) == shown


def test_a_log_line_is_plain_json() -> None:
    line: dict[str, Any] = describe(Progress(50, 0.25, "masked", 4.56789, 1000, 123.4, 61.0))
    assert line == {
        "step": 50, "done": "25.0%", "phase": "masked", "loss": 4.568, "heldout": None,
        "tokens": 1000, "tokens/s": 123, "left": "1:01",
    }  # fmt: skip


def test_a_budget_of_passes_ends_with_them_whatever_the_time(trainer: Callable[..., Trainer]) -> None:
    counted = replace(RECIPE, minutes=1e-6, passes=6000)
    short = trainer(counted)
    lines: list[Progress] = []
    short.run(lines.append, every=1)
    last = short.recipe.batch_tokens
    assert 6000 <= short.tokens < 6000 + last
    assert short.share == 1
    assert {line.phase for line in lines} == {"causal", "masked"}
    assert lines[-1].seconds_left <= 0 < lines[0].seconds_left
