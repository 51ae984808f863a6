"""Many prompts at once: each answer is the one that it would be alone, and a failure costs nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from llada_demo.core.chat import opened
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.diffusion.loop import Ask
from llada_demo.engine import Engine
from llada_demo.engine.many import Answered, answer_many, stepwise

SHORT = SamplingOptions(gen_length=16, steps=8, block_length=8, temperature=0.7, seed=5)
PROMPTS = ["Apa itu hujan?", "Halo!", "Buatkan pantun tentang laut.", "Siapa kamu?", "Mengapa langit biru?"]
SYSTEMS = [None, "kecil", "kecil:0.5"]
TOO_LONG = "kata yang panjang " * 600


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of the embedded model with random weights, as PEFT saves it."""
    folder = tmp_path_factory.mktemp("adapters") / "kecil"
    torch.manual_seed(2)
    base = Engine.load(Settings(dtype="float32", device="cpu")).model
    adapted = get_peft_model(base, LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture
def engine(adapter: Path) -> Engine:
    return Engine.load(Settings(dtype="float32", device="cpu", adapters=(str(adapter),)))


@pytest.fixture
def forwards(engine: Engine) -> list[list[Ask]]:
    """The rows of every forward that the engine makes, as they are made."""
    made: list[list[Ask]] = []
    forward = engine._batcher._forward
    engine._batcher._forward = lambda asks: made.append(list(asks)) or forward(asks)
    return made


def alone(engine: Engine, index: int, system: str | None, options: SamplingOptions = SHORT) -> tuple:
    """(text, forwards, ended) of one prompt, asked by itself."""
    own = SamplingOptions.from_dict({**options.to_dict(), "seed": options.seed + index})
    run = engine.start(opened(PROMPTS[index]), own, system)
    for _ in run:
        pass
    return run.text, run.stats()["forwards"], run.ended


def told(answered: Answered) -> list[tuple]:
    return list(zip(answered.texts, answered.forwards, answered.ended, strict=True))


@pytest.mark.parametrize(
    "change",
    [{}, {"cfg_scale": 1.5}, {"threshold": 0.5, "temperature": 0.0}, {"constraints": {0: "Tentu"}, "steps": 16}],
    ids=str,
)
def test_every_answer_is_the_one_that_it_would_be_alone(engine: Engine, change: dict):
    options = SamplingOptions.from_dict({**SHORT.to_dict(), **change})
    answered = {row.index: row for row in answer_many(engine, PROMPTS, SYSTEMS, options, rows_at_once=3)}
    assert sorted(answered) == list(range(len(PROMPTS)))
    for i, row in answered.items():
        assert told(row) == [alone(engine, i, system, options) for system in SYSTEMS]
        assert row.error is None
        assert row.seconds > 0


def test_rows_of_one_length_share_their_forwards(engine: Engine, forwards: list[list[Ask]]):
    list(answer_many(engine, ["Halo!"] * 4, SYSTEMS, SHORT))
    assert len(forwards[0]) == 12
    together = len(forwards)
    for i in range(4):
        for system in SYSTEMS:
            for _ in engine.start(
                opened("Halo!"), SamplingOptions.from_dict({**SHORT.to_dict(), "seed": 5 + i}), system
            ):
                pass
    assert len(forwards) - together > 6 * together


def test_a_row_is_there_before_the_rows_of_its_batch_that_take_longer(engine: Engine):
    options = SamplingOptions(gen_length=64, steps=64, block_length=8)
    order = [(row.index, row.forwards[0]) for row in answer_many(engine, PROMPTS, [None], options, rows_at_once=5)]
    assert sorted(index for index, _ in order) == list(range(5))
    assert [made for _, made in order] == sorted(made for _, made in order)
    assert order[0][1] < order[-1][1]


def test_closing_stops_at_once_and_what_is_whole_stays(engine: Engine, forwards: list[list[Ask]]):
    rows = answer_many(engine, PROMPTS, SYSTEMS, SHORT, rows_at_once=1)
    kept = [next(rows), next(rows)]
    made = len(forwards)
    rows.close()
    assert len(forwards) == made
    assert [told(row) for row in kept] == [[alone(engine, i, system) for system in SYSTEMS] for i in (0, 1)]


def test_stepwise_hands_over_after_every_step(engine: Engine, forwards: list[list[Ask]]):
    steps = stepwise(engine, ["Halo!"], [None], SHORT)
    for made in (1, 2, 3):
        assert next(steps) is None
        assert len(forwards) == made
    steps.close()
    assert len(forwards) == 3


def test_a_prompt_that_does_not_fit_has_an_error_and_the_others_go_on(engine: Engine):
    prompts = [PROMPTS[0], TOO_LONG, " ", PROMPTS[3]]
    answered = {row.index: row for row in answer_many(engine, prompts, SYSTEMS, SHORT, rows_at_once=2)}
    assert [answered[i].error is None for i in range(4)] == [True, False, False, True]
    assert "terlalu panjang" in answered[1].error[0]
    assert "too long" in answered[1].error[1]
    assert answered[1].texts == (None, None, None)
    assert "empty" in answered[2].error[1]
    for i in (0, 3):
        assert told(answered[i]) == [alone(engine, i, system) for system in SYSTEMS]


@pytest.mark.parametrize("after", [1, 3, 9])
def test_an_adapter_that_is_taken_off_costs_its_own_answers_alone(engine: Engine, after: int):
    expected = [told_alone[0] for told_alone in (alone(engine, i, None) for i in range(3))]
    answered = {}
    for beat, row in enumerate(stepwise(engine, PROMPTS[:3], [None, "kecil"], SHORT, rows_at_once=2), 1):
        if row is not None:
            answered[row.index] = row
        if beat == after:
            engine.shelf.remove("kecil")
    assert [answered[i].texts[0] for i in range(3)] == expected
    assert answered[2].texts[1] is None
    assert "kecil" in answered[2].error[0]
    assert "kecil" in answered[2].error[1]
    for row in answered.values():
        assert (row.texts[1] is None) == (row.error is not None)


def test_an_answer_that_is_given_whole_takes_no_step(engine: Engine):
    words = SamplingOptions(gen_length=2, steps=2, block_length=2, constraints={0: (100, 101)})
    (row,) = answer_many(engine, ["Halo!"], [None], words)
    assert row.forwards == (0,)
    assert row.texts == (engine.tokenizer.decode([100, 101]).strip(),)


def test_what_cannot_be_begun_is_refused_before_any_work(engine: Engine, forwards: list[list[Ask]]):
    with pytest.raises(UserError, match="pantun"):
        next(answer_many(engine, PROMPTS, [None, "pantun"], SHORT))
    with pytest.raises(ValueError, match="rows_at_once"):
        next(answer_many(engine, PROMPTS, [None], SHORT, rows_at_once=0))
    assert list(answer_many(engine, [], [None], SHORT)) == []
    assert forwards == []
