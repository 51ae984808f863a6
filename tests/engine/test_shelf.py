"""Adapters by name: whoever asks for one gets it, at its scale, and nobody else notices."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from llada_demo.adapters import AdapterError
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.core.trace import Trace
from llada_demo.engine import Engine

SHORT = SamplingOptions(gen_length=16, steps=8, block_length=8, stop_at_end=False)
ASKED = [{"role": "user", "content": "Apa itu hujan?"}]


def make_adapter(folder: Path, rank: int, seed: int) -> Path:
    """A LoRA of the embedded model with random weights, as PEFT saves it."""
    torch.manual_seed(seed)
    base = Engine.load(Settings(dtype="float32", device="cpu")).model
    adapted = get_peft_model(base, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=["q_proj", "v_proj"]))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("adapters")
    return {name: make_adapter(place / name, rank, rank) for name, rank in (("kecil", 2), ("besar", 8))}


@pytest.fixture(scope="module")
def engine(folders: dict[str, Path]) -> Engine:
    settings = Settings(dtype="float32", device="cpu", adapters=tuple(map(str, folders.values())))
    return Engine.load(settings)


def answer(engine: Engine, adapter: str | None) -> list[int | None]:
    run = engine.start(ASKED, SHORT, adapter)
    for _ in run:
        pass
    return run.answer


def test_an_adapter_changes_the_answer_and_scale_0_does_not(engine: Engine) -> None:
    base = answer(engine, None)
    assert answer(engine, "kecil") != base
    assert answer(engine, "kecil:0") == base
    assert answer(engine, "kecil:0+besar:0") == base
    assert answer(engine, "") == base
    assert [row["name"] for row in engine.shelf.listed()][-2:] == ["kecil", "besar"]


def test_visitors_with_different_adapters_get_what_each_gets_alone(engine: Engine) -> None:
    asked = [None, "kecil", "besar", "kecil:0.5+besar"]
    alone = {name: answer(engine, name) for name in asked}
    wrong: list[str | None] = []

    def visit(name: str | None) -> None:
        wrong.extend(name for _ in range(10) if answer(engine, name) != alone[name])

    threads = [threading.Thread(target=visit, args=(name,)) for name in asked for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len({str(tokens) for tokens in alone.values()}) == 4


def test_a_trace_names_its_adapter_and_goes_on_with_it(engine: Engine) -> None:
    trace = engine.trace(ASKED, SHORT, "kecil:0.5")
    assert trace.about["adapter"] == "kecil:0.5"
    again = engine.resume(Trace.from_dict(trace.to_dict()), 3)
    for _ in again:
        pass
    assert again.answer == trace.answer_at(len(trace.steps))
    assert again.about["adapter"] == "kecil:0.5"


@pytest.mark.parametrize("asked", ["pantun", "kecil:3", "kecil:-1", "kecil:nan", "kecil:x", "+", "kecil+", ":1", 5])
def test_what_is_not_there_or_out_of_range_is_refused(engine: Engine, asked: str) -> None:
    with pytest.raises(UserError, match=r"adapter"):
        engine.start(ASKED, SHORT, asked)


def test_an_adapter_comes_and_goes(engine: Engine, folders: dict[str, Path]) -> None:
    base = answer(engine, None)
    card = engine.shelf.add(folders["kecil"], "a:b+c")
    assert card.name == "a-b-c"
    assert card.weights == {}
    assert answer(engine, "a-b-c") == answer(engine, "kecil")
    engine.shelf.remove("a-b-c")
    assert answer(engine, None) == base
    with pytest.raises(UserError, match="a-b-c"):
        engine.start(ASKED, SHORT, "a-b-c")
    with pytest.raises(UserError):
        engine.shelf.add(folders["kecil"])  # there is one of that name


def test_what_is_asked_for_is_found_by_name_or_put_on_the_shelf_once(root: Path, tmp_path: Path) -> None:
    engine = Engine.load(Settings(device="cpu", dtype="float32"))
    shipped = [row["name"] for row in engine.shelf.listed()]
    first = shipped[0]
    assert engine.shelf.find(f"{first}:0.5") == f"{first}:0.5"
    assert engine.shelf.find(str(root / "assets" / "adapters" / first)) == first  # it is there already
    copied = shutil.copytree(root / "assets" / "adapters" / first, tmp_path / "lain" / first)
    assert engine.shelf.find(f"{copied}:0.3+{first}") == f"lain-{first}:0.3+{first}"
    assert engine.shelf.find(str(copied)) == f"lain-{first}"
    assert [row["name"] for row in engine.shelf.listed()] == [*shipped, f"lain-{first}"]
    engine.shelf.remove(f"lain-{first}")
    assert engine.shelf.find(str(copied)) == f"lain-{first}"  # read again after it was taken off
    with pytest.raises(AdapterError, match="there is no pantun"):
        engine.shelf.find("pantun")
