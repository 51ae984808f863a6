"""Base and adapters on the same questions: the answers are the engine's own, and a cut run goes on where it was."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from llada_demo.evaluation import contest
from llada_demo.evaluation.bits import diffusion_nats
from llada_demo.evaluation.contest import BASE, measure_likelihoods, outcome, systems_of, write_answers
from llada_demo.evaluation.examples import Example, read_heldout
from llada_demo.evaluation.heldout import Item
from llada_demo.evaluation.notebook import Notebook

OPTIONS = SamplingOptions(gen_length=16, steps=4, block_length=16, temperature=0.7, seed=5)
DRAWS = 2


def make_adapter(model: Any, folder: Path, seed: int) -> Path:
    """A LoRA with random weights, strong enough to change every answer, as PEFT saves it."""
    torch.manual_seed(seed)
    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    adapted.save_pretrained(folder)
    (folder / "README.md").write_text("---\ntags: []\n---\n\n# Ngawur\n\nA LoRA of chance.\n\n| a |\n|---|\n")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = Engine.load(Settings(dtype="float32", device="cpu")).model
    return make_adapter(model, tmp_path_factory.mktemp("adapters") / "ngawur", 1)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return Engine.load(Settings(dtype="float32", device="cpu", adapters=(str(folder),)))


@pytest.fixture(scope="module")
def examples(engine: Engine, root: Path) -> tuple[Example, ...]:
    return read_heldout(
        str(root / "assets/data/percakapan/heldout.jsonl"), engine.tokenizer, engine.max_length, 16, 4
    ).examples


def quiet(line: str) -> None:
    """Tells nobody."""


def test_systems_are_the_base_and_what_is_asked_for(engine: Engine, folder: Path) -> None:
    base, half = systems_of(engine, ["ngawur:0.5", " "])
    assert (base.name, base.adapter, base.sha256) == (BASE, None, None)
    assert (half.name, half.mix, half.card) == ("ngawur:0.5", {"ngawur": 0.5}, "A LoRA of chance.")
    assert half.sha256 == next(card["sha256"] for card in engine.shelf.listed() if card["name"] == "ngawur")
    assert [s.name for s in systems_of(engine, ["all"])][1:] == [card["name"] for card in engine.shelf.listed()]
    assert len(systems_of(engine, ["ngawur", "ngawur:1"])) == 2


def test_a_folder_is_put_on_the_shelf_with_its_scale(folder: Path) -> None:
    engine = Engine.load(Settings(dtype="float32", device="cpu"))
    assert [system.name for system in systems_of(engine, [f"{folder}:0.5", "ngawur"])] == [BASE, "ngawur:0.5", "ngawur"]


@pytest.mark.parametrize("asked", [["pantun"], ["ngawur:3"], ["/no/such"], [""], []])
def test_what_is_not_there_is_refused(engine: Engine, asked: list[str]) -> None:
    with pytest.raises(UserError):
        systems_of(engine, asked)


def test_answers_are_those_of_the_engine_with_the_example_s_seed(
    engine: Engine, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    systems, book = systems_of(engine, ["ngawur"]), Notebook(tmp_path / "a.jsonl", {})
    write_answers(engine, systems, examples, OPTIONS, book, quiet, at_once=3)
    for system in systems:
        for i, example in enumerate(examples):
            run = engine.start(example.messages(), replace(OPTIONS, seed=OPTIONS.seed + i), system.adapter)
            for _ in run:
                pass
            row = book["answer", system.name, i]
            assert (row["text"], row["ids"], row["ended"]) == (run.text, run.written, run.ended)
            assert row["forwards"] == run.stats()["forwards"]
    assert book["answer", BASE, 0]["text"] != book["answer", "ngawur", 0]["text"]


def test_both_likelihoods_are_measured_with_the_same_masks(
    engine: Engine, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    systems, book = systems_of(engine, ["ngawur"]), Notebook(tmp_path / "a.jsonl", {})
    for i in range(len(examples)):
        for system in systems:
            text = " laut asin" if i else ""
            row = {"text": text.strip(), "ids": engine.tokenizer.encode(text), "ended": i == 1}
            book.add(("answer", system.name, i), {**row, "forwards": 1, "seconds": 0.1})
    measure_likelihoods(engine, systems, examples, DRAWS, book, quiet)
    base, other = (outcome(system, len(examples), book) for system in systems)
    for i, example in enumerate(examples):
        alone = diffusion_nats(engine.model, example.item, DRAWS, seed=i)
        assert base.reference_nats[i] == [alone, len(example.item.ids) - example.item.start]
        assert other.reference_nats[i][0] != base.reference_nats[i][0]  # the adapter was active
        assert other.own_nats[i] == base.own_nats[i]  # the base judges both texts, which are the same here
    assert base.own_nats[0] is None
    prompt = examples[1].item.ids[: examples[1].item.start]
    ids = (*prompt, *engine.tokenizer.encode(" laut asin"), engine.tokenizer.special.eot)
    own = diffusion_nats(engine.model, Item(ids, len(prompt), ""), DRAWS, seed=1)
    assert base.own_nats[1] == [own, len(ids) - len(prompt)]


def test_an_interrupted_run_keeps_what_is_finished_and_goes_on_to_the_same_answers(
    engine: Engine, examples: tuple[Example, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems = systems_of(engine, ["ngawur"])
    monkeypatch.setattr(contest, "NEWS", 0.0)
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            raise KeyboardInterrupt

    whole, cut = (Notebook(tmp_path / name, {}) for name in ("whole.jsonl", "cut.jsonl"))
    write_answers(engine, systems, examples, OPTIONS, whole, quiet, at_once=2)
    with pytest.raises(KeyboardInterrupt):
        write_answers(engine, systems, examples, OPTIONS, cut, tell, at_once=2)
    assert 3 <= len(cut) < len(whole) == 8
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]
    again = Notebook(tmp_path / "cut.jsonl", {})
    assert len(again) == len(cut)
    write_answers(engine, systems, examples, OPTIONS, again, lines.append, at_once=2)
    assert any("were finished before" in line for line in lines)
    assert lines[-1].startswith("answers 8/8")
    for system in systems:
        for i in range(len(examples)):
            assert again["answer", system.name, i]["ids"] == whole["answer", system.name, i]["ids"]


def test_an_error_of_one_answer_ends_the_run(engine: Engine, examples: tuple[Example, ...], tmp_path: Path) -> None:
    (base, other) = systems_of(engine, ["ngawur"])
    with pytest.raises(UserError, match="gone"):
        write_answers(
            engine, [base, replace(other, adapter="gone")], examples, OPTIONS, Notebook(tmp_path / "a", {}), quiet
        )


# The notebook


def test_a_notebook_is_read_again_without_its_broken_last_line(tmp_path: Path) -> None:
    path = tmp_path / "a.partial.jsonl"
    book = Notebook(path, {"seed": 1})
    book.add(("answer", "base", 0), {"text": "Halo\n"})
    with path.open("a") as file:
        file.write('["answer", "base", 1, {"te')
    again = Notebook(path, {"seed": 1})
    assert len(again) == 1
    assert again["answer", "base", 0] == {"text": "Halo\n"}
    assert ("answer", "base", 1) not in again
    again.add(("answer", "base", 1), None)
    assert [json.loads(line)[2:] for line in path.read_text().splitlines()[1:]] == [[0, {"text": "Halo\n"}], [1, None]]


@pytest.mark.parametrize(
    "begin",
    [
        lambda path: Notebook(path, {"seed": 2}),
        lambda path: path.write_text("notes of mine\n"),
        lambda path: path.write_text(""),
        lambda path: path.write_bytes(b"\xff\n"),
    ],
)
def test_a_notebook_of_other_settings_is_refused_and_fresh_begins_anew(
    begin: Callable[[Path], Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.partial.jsonl"
    begin(path)
    before = path.read_bytes()
    with pytest.raises(UserError, match="--fresh"):
        Notebook(path, {"seed": 1})
    assert path.read_bytes() == before
    assert len(Notebook(path, {"seed": 1}, fresh=True)) == 0
    assert len(Notebook(path, {"seed": 1})) == 0
