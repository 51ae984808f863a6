"""LLaDA's loss; and a run that learns, can be stopped, and goes on as if it had not been."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from llada_demo.core.errors import UserError
from llada_demo.learning import checkpoint
from llada_demo.learning.checkpoint import CHECKPOINT, read_checkpoint
from llada_demo.learning.finetune import Tuner, TuningProgress, describe
from llada_demo.learning.lora import adapter_state
from llada_demo.learning.objective import Noise
from llada_demo.learning.sft import (
    Dataset,
    Dialogue,
    Example,
    Noised,
    noised,
)
from llada_demo.learning.tuning import FinetuneSettings
from llada_demo.model import LLaDAConfig, LLaDAModelLM
from llada_demo.model.loading import LoadedModel
from llada_demo.model.tokenizer import LLaDATokenizer

ALL = ("q_proj", "k_proj", "v_proj", "attn_out", "ff_proj", "up_proj", "ff_out", "head")
SETTINGS = FinetuneSettings(
    r=4, alpha=8, targets=ALL, learning_rate=1e-2, epochs=None, steps=12, batch_size=2, cutoff_len=96, dropout=0.1
)
Start = Callable[..., Tuner]


@pytest.fixture(scope="session")
def base(tokenizer: LLaDATokenizer) -> Callable[[], LoadedModel]:
    """A tiny untrained model with the conversations' vocabulary, the same at every call."""

    def build() -> LoadedModel:
        torch.manual_seed(0)
        ids = tokenizer.special
        config = LLaDAConfig(
            d_model=32, n_layers=2, n_heads=2, mlp_hidden_size=64, max_sequence_length=96, vocab_size=400,
            mask_token_id=ids.mask, eos_token_id=ids.eos, pad_token_id=ids.eos,
        )  # fmt: skip
        model = LLaDAModelLM(config).eval()
        return LoadedModel(model, tokenizer, "mungil", "0" * 64, 0, 0, Path())

    return build


@pytest.fixture
def start(
    base: Callable[[], LoadedModel], dialogues: list[Dialogue], tokenizer: LLaDATokenizer, tmp_path: Path
) -> Start:
    """A run over 24 dialogues, measured on six others."""

    def build(folder: str = "run", count: int = 24, **changes: Any) -> Tuner:
        settings = SETTINGS.changed(**changes)
        data, held = (Dataset(d, tokenizer, settings) for d in (dialogues[:count], dialogues[24:30]))
        return Tuner(settings, base(), data, held, tmp_path / folder)

    return build


def silent(progress: TuningProgress) -> None:
    pass


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# The objective


@pytest.fixture
def examples(start: Start) -> list[Example]:
    data = start(count=8).data
    return [data.example(i, 0) for i in range(8)]


def masks(examples: list[Example], **changes: Any) -> list[Noised]:
    given = {"size": 2, "noise": Noise("reference", "uniform"), "eos": 395, **changes}
    return noised(examples, generator=torch.Generator().manual_seed(4), **given)


def test_prompts_are_never_masked_and_padding_is_eos_that_counts(
    examples: list[Example], tokenizer: LLaDATokenizer
) -> None:
    eos = tokenizer.special.eos
    padded = 0
    for at, batch in enumerate(masks(examples, eos=eos)):
        pair = examples[2 * at : 2 * at + 2]
        assert batch.ids.shape[1] == max(len(e.ids) for e in pair)  # the longest of the mini-batch, no more
        for e, ids, masked, weights in zip(pair, batch.ids, batch.masked, batch.weights, strict=True):
            assert ids[: len(e.ids)].tolist() == list(e.ids)
            assert set(ids[len(e.ids) :].tolist()) <= {eos}
            assert not masked[: e.start].any()
            asked = len(ids) - e.start
            loss_weights = weights[masked & (weights > 0)]
            if len(loss_weights):  # 1 / (t x answer length x rows): one t a row, the padding with it
                assert loss_weights.unique().numel() == 1
                t = 1 / (float(loss_weights[0]) * asked * len(examples))
                assert 1e-3 <= t <= 1
            padded += int(masked[len(e.ids) :].sum())
    assert padded > 0


def test_one_t_for_a_row_spread_evenly_over_the_step(examples: list[Example]) -> None:
    """Each row of the step falls into another eighth of (0, 1], whatever mini-batch it is in."""
    ts = []
    for draw in range(20):
        batches = noised(examples, 2, Noise("reference", "uniform"), torch.Generator().manual_seed(draw), 395)
        spans = [batch.ids.shape[1] for batch in batches for _ in batch.ids]
        weights = [float(row.max()) for batch in batches for row in batch.weights]
        given = zip(weights, spans, examples, strict=True)
        ts.append(sorted(1 / (weight * (span - e.start) * 8) for weight, span, e in given if weight > 0))
    full = [row for row in ts if len(row) == 8]
    assert full
    for row in full:
        assert [int((t - 1e-3) / (1 - 1e-3) * 8 - 1e-6) for t in row] == list(range(8))


def test_a_random_model_pays_log_vocabulary_where_everything_is_masked(start: Start, examples: list[Example]) -> None:
    run = start()
    total = 0.0
    for at, batch in enumerate(masks(examples)):
        starts = torch.tensor([[e.start] for e in examples[2 * at : 2 * at + 2]])
        whole = torch.arange(batch.ids.shape[1])[None] >= starts
        weights = whole / whole.sum(1, keepdim=True) / len(examples)  # t = 1
        total += float(run.loss(run.adapted, Noised(batch.ids, whole, weights))[0].detach())
    assert total == pytest.approx(log(400), abs=0.1)


def test_the_expected_loss_is_that_of_the_definition(start: Start, examples: list[Example]) -> None:
    """Over many draws, a random model's loss is ln V: the 1/t and the lengths are right."""
    run = start()
    run.adapted.eval()
    with torch.no_grad():
        draws = []
        for i in range(60):
            batches = noised(examples, 2, run.noise, torch.Generator().manual_seed(i), 395)
            draws.append(sum(float(run.loss(run.adapted, batch)[0]) for batch in batches))
    assert sum(draws) / 60 == pytest.approx(log(400), rel=0.06)


@pytest.mark.parametrize("weighting", ["llada", "uniform"])
def test_only_masked_tokens_are_asked(start: Start, examples: list[Example], weighting: str) -> None:
    """Whatever else is in the row, as a target it does not matter."""
    run = start(weighting=weighting)
    run.adapted.eval()
    batch = masks(examples)[1]
    noisy = batch.ids.masked_fill(batch.masked, run.base.tokenizer.special.mask)

    def fixed(input_ids: Tensor, positions: Tensor) -> Any:  # sees what it would have seen
        return run.adapted(input_ids=noisy, positions=positions)

    with torch.no_grad():
        loss = float(run.loss(fixed, batch)[0])
        other = torch.where(batch.masked, batch.ids, 7)  # every label that is not asked, prompt and answer
        assert float(run.loss(fixed, replace(batch, ids=other))[0]) == loss
        asked = torch.where(batch.masked, 7, batch.ids)
        assert float(run.loss(fixed, replace(batch, ids=asked))[0]) != loss


def test_accumulated_mini_batches_give_the_gradient_of_the_whole(start: Start, examples: list[Example]) -> None:
    run = start(dropout=0.0)
    e = [examples[0]] * 4  # one length, so that both are padded alike
    found = []
    for size in (1, 4):
        for batch in masks(e, size=size):
            run.loss(run.adapted, batch)[0].backward()
        found.append({n: p.grad.clone() for n, p in run.adapted.named_parameters() if p.grad is not None})
        run.adapted.zero_grad()
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-6, rtol=1e-4)


# It learns


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "lora", "learning_rate": 2e-2},
        {"method": "rslora", "weighting": "uniform", "t": "bell"},
        {"method": "loraplus", "learning_rate": 4e-3, "loraplus_ratio": 4},
        {"init": "pissa_niter_4", "dropout": 0.0, "method": "loraplus", "learning_rate": 4e-3, "loraplus_ratio": 4},
    ],
    ids=["lora", "rslora", "loraplus", "loraplus and pissa"],
)
def test_the_loss_on_held_out_answers_falls(start: Start, changes: dict[str, Any]) -> None:
    run = start(steps=40, batch_size=4, **changes)
    before = run.heldout_loss()
    assert before == pytest.approx(log(400), abs=0.1)
    run.run(silent)
    after = run.heldout_loss()
    assert before is not None
    assert after is not None
    assert after < before - 0.4
    assert [line["heldout"] for line in (run.losses[0], run.losses[-1])] == [round(before, 4), round(after, 4)]
    assert run.figures()["heldout_after"] == round(after, 4)


def test_held_out_masks_are_fixed_and_measuring_changes_nothing(start: Start) -> None:
    run = start()
    before = adapter_state(run.adapted)
    assert run.heldout_loss() == run.heldout_loss()
    assert same(adapter_state(run.adapted), before)
    again = start("again")
    assert len(run.heldout) > 1
    for one, other in zip(run.heldout, again.heldout, strict=True):
        assert torch.equal(one.ids, other.ids)
        assert torch.equal(one.masked, other.masked)
        assert run.base.tokenizer.special.eos not in one.ids  # nothing is padded


def test_the_base_is_frozen(start: Start) -> None:
    run = start(steps=3)
    before = {n: p.clone() for n, p in run.adapted.named_parameters() if "lora_" not in n}
    run.run(silent)
    assert all(torch.equal(p, before[n]) for n, p in run.adapted.named_parameters() if n in before)
    assert len(before) == 2 * (7 + 2) + 3  # per block seven matrices and two norms; embedding, last norm, head


def test_a_rate_that_breaks_the_run_is_told_and_not_saved(start: Start) -> None:
    run = start(steps=200, learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(UserError, match=r"no number any more; the learning_rate 1e\+30 is too high"):
        run.run(silent)
    assert not (run.folder / CHECKPOINT).exists()


# Budget and position


def test_steps_epochs_and_time_are_the_budget(start: Start) -> None:
    assert start(epochs=2, batch_size=5).total_steps == 10  # 24 rows: five steps a pass
    assert start(epochs=0.5, batch_size=2, accumulation=3).total_steps == 2
    run = start(epochs=2, batch_size=5)
    run.run(silent)
    assert (run.step, run.figures()["epochs"]) == (10, 2.0)
    timed = start("timed", minutes=1)
    assert timed.total_steps is None
    timed.seconds = 30.0
    assert timed.share == 0.5


def test_an_epoch_takes_every_row_once_and_wraps_round(start: Start) -> None:
    run = start(epochs=1, batch_size=5)
    seen = []
    for step in range(run.epoch_steps):
        run.step = step
        seen += [e.ids for e in run._examples()]
    assert len(seen) == 25
    assert {run.data.example(i, 0).ids for i in range(24)} == set(seen)


def test_rates_follow_the_schedule_and_b_keeps_its_multiple(start: Start) -> None:
    run = start(steps=4, method="loraplus", learning_rate=1e-3, loraplus_ratio=16, warmup=0.5)
    seen = []
    run.run(lambda p: seen.append(sorted({g["lr"] for g in run.optimizer.param_groups if g["params"]})), every=1)
    assert [rates[0] for rates in seen] == pytest.approx([0.0, 0.5 * 0.75e-3, 0.5e-3, 0.25e-3])
    assert [rates[-1] for rates in seen[1:]] == pytest.approx([16 * rates[0] for rates in seen[1:]])


# Interruptions


def stop_after(run: Tuner, step: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.run(silent, stopping=lambda: run.step == step)


@pytest.mark.parametrize(
    "changes",
    [{}, {"method": "loraplus", "init": "pissa_niter_4", "dropout": 0.0, "learning_rate": 1e-3}, {"accumulation": 2}],
    ids=["lora with dropout", "loraplus and pissa", "accumulation"],
)
def test_a_run_that_is_stopped_goes_on_at_the_same_step_with_the_same_losses(
    start: Start, changes: dict[str, Any]
) -> None:
    unbroken, losses = start("unbroken", **changes), []
    for _ in range(12):
        losses.append(unbroken.train_step())
    first = start("broken", **changes)
    stop_after(first, 5)  # in mid-epoch: an epoch has 12 steps, or six
    torch.manual_seed(99)  # what else is random in the process does not matter
    second = start("broken", **changes)
    assert second.step == 5
    assert same(adapter_state(second.adapted), adapter_state(first.adapted))
    assert [second.train_step() for _ in range(7)] == losses[5:]
    assert same(adapter_state(second.adapted), adapter_state(unbroken.adapted))
    assert second.losses == first.losses


def test_pissa_goes_on_from_the_base_that_it_began_with(start: Start) -> None:
    """The decomposition is random: a new one would make the adapter that was saved mean something else."""
    changes: dict[str, Any] = {"init": "pissa_niter_4", "dropout": 0.0}
    first = start(**changes)
    stop_after(first, 3)
    second = start(**changes)
    assert second.start is not None
    assert first.start is not None
    assert same(dict(second.start), dict(first.start))
    assert second.heldout_loss() == first.heldout_loss()


def test_the_checkpoint_is_no_pickle_and_what_is_not_one_is_told(start: Start) -> None:
    run = start()
    stop_after(run, 2)
    path = run.folder / CHECKPOINT
    assert sorted(p.name for p in run.folder.iterdir()) == [CHECKPOINT]
    assert int.from_bytes(path.read_bytes()[:8], "little") < path.stat().st_size  # a safetensors header
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"damaged.*--fresh"):
        start()


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"r": 8}, "r: 4 -> 8"), ({"learning_rate": 1.0}, r"learning_rate: 0\.01 -> 1\.0"), ({"count": 20}, r"\(data\)")],
)
def test_another_run_does_not_go_on_from_it(start: Start, changes: dict[str, Any], said: str) -> None:
    stop_after(start(), 2)
    with pytest.raises(UserError, match=f"another run.*{said}"):
        start(**changes)


def test_a_disk_that_fills_up_leaves_the_older_checkpoint_whole(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start()
    stop_after(run, 2)
    before = (run.folder / CHECKPOINT).read_bytes()

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_beside", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        run.run(silent, save_every=0)
    assert "\n" not in caught.value.in_language("id")
    assert (run.folder / CHECKPOINT).read_bytes() == before
    saved = read_checkpoint(run.folder)
    assert saved is not None
    assert saved.about["numbers"]["step"] == 2


def test_a_long_run_is_saved_on_the_way(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run, steps = start(), []
    monkeypatch.setattr(run, "save", lambda: steps.append(run.step))
    run.run(silent, save_every=0)
    assert steps == [*range(1, 13), 12]


def test_a_finished_run_has_nothing_left_to_do(start: Start) -> None:
    first = start()
    first.run(silent)
    again = start()
    again.run(silent)
    assert again.step == 12
    assert same(adapter_state(again.adapted), adapter_state(first.adapted))
    assert again.figures() == first.figures()


def test_rows_that_all_are_too_long_are_told(start: Start) -> None:
    with pytest.raises(UserError, match="no row that fits a cutoff_len of 16"):
        start(cutoff_len=16)


# What is reported


def test_progress_has_step_share_losses_speed_and_time_left(start: Start) -> None:
    seen: list[TuningProgress] = []
    start(steps=20).run(seen.append, every=5)
    assert {p.step for p in seen} >= {5, 10, 15, 20}
    assert [p.share for p in seen] == pytest.approx([p.step / 20 for p in seen])
    assert [p.step for p in seen if p.heldout is not None] == list(range(2, 21, 2))
    assert seen[-1].seconds_left == pytest.approx(0)
    assert all(p.tokens_per_second > 0 for p in seen)


def test_a_log_line_is_plain_json() -> None:
    line = describe(TuningProgress(50, 0.25, 4.56789, 123.4, 61.0, 3.14159))
    assert json.loads(json.dumps(line)) == {
        "step": 50, "done": "25.0%", "loss": 4.568, "heldout": 3.142, "tokens/s": 123, "left": "1:01",
    }  # fmt: skip
