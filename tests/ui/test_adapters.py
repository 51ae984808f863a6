"""Adapters behind the page: each visitor gets the one that he asks for, and only a private page has a door."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from page_of import page_of
from random_adapter import write_adapter

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.core.trace import Step
from llada_demo.engine import Engine
from llada_demo.ui.adapters import (
    BASE,
    AdapterControl,
    as_code,
    card,
    choices,
    label,
    named,
    shelf_state,
    split,
    without_front_matter,
)  # fmt: skip
from llada_demo.ui.page import build_page
from llada_demo.ui.running import watched
from llada_demo.ui.words import Words

OPTIONS = {"gen_length": 16, "steps": 16, "block_length": 8, "seed": 4, "temperature": 0.5}
QUESTION = "Apa itu hujan?"
DOOR = {"add", "receive", "remove"}


@pytest.fixture(scope="module")
def folders(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("adapters")
    return [write_adapter(place / name, engine.model, seed=seed) for seed, name in enumerate(("uji-a", "uji-b"), 1)]


@pytest.fixture(scope="module")
def adapted(folders: list[Path]) -> Engine:
    return Engine.load(Settings(adapters=tuple(map(str, folders)), device="cpu", dtype="float32"))


@pytest.fixture(scope="module")
def public(folders: list[Path]) -> Engine:
    return Engine.load(Settings(adapters=(str(folders[0]),), device="cpu", dtype="float32", public=True))


@pytest.fixture(scope="module")
def served(adapted: Engine) -> Iterator[str]:
    with page_of(adapted) as address:
        yield address


@pytest.fixture
def control(adapted: Engine) -> Iterator[AdapterControl]:
    """The control of a tab; what a test adds to the shelf goes again."""
    before = names(adapted)
    yield control_of(adapted)
    for name in names(adapted) - before:
        adapted.shelf.remove(name)


def control_of(engine: Engine) -> AdapterControl:
    with gr.Blocks() as demo:
        built = AdapterControl(engine, Words(), gr.Textbox("id"), shelf_state(engine, demo))
        built.build_below()
    return built


def names(engine: Engine) -> set[str]:
    return {row["name"] for row in engine.shelf.listed()}


def client(address: str) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def ask(address: str, adapter: str) -> str:
    return client(address).predict(QUESTION, [], "", adapter, json.dumps(OPTIONS), api_name="/chat")


def alone(engine: Engine, adapter: str) -> str:
    run = engine.start([{"role": "user", "content": QUESTION}], SamplingOptions(**OPTIONS), adapter)
    for _ in run:
        pass
    return run.text


def test_visitors_with_different_adapters_get_what_each_would_get_alone(served: str, adapted: Engine) -> None:
    asked = ["", "uji-a", "uji-b:0.5", "uji-a:0"]
    got: dict[str, str] = {}

    def visit(adapter: str) -> None:
        got[adapter] = ask(served, adapter)

    threads = [threading.Thread(target=visit, args=(adapter,)) for adapter in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == {adapter: alone(adapted, adapter) for adapter in asked}
    assert got["uji-a:0"] == got[""]
    assert len(set(got.values())) == 3


@pytest.mark.parametrize(("adapter", "says"), [("tidak-ada", "tidak ada"), ("uji-a:3", "0 sampai 2")])
def test_an_adapter_that_cannot_be_had_is_refused_in_a_sentence(served: str, adapter: str, says: str) -> None:
    with pytest.raises(AppError, match=says):
        ask(served, adapter)


def test_a_trace_names_its_adapter(served: str) -> None:
    trace = client(served).predict(QUESTION, "uji-b:0.5", json.dumps(OPTIONS), api_name="/unmask")
    assert trace["about"]["adapter"] == "uji-b:0.5"


def test_only_a_private_page_has_a_door(adapted: Engine, public: Engine) -> None:
    for engine, door in ((adapted, DOOR), (public, set())):
        demo, _ = build_page(engine)
        events = {event.fn.__name__ for event in demo.fns.values() if event.fn}
        assert events & DOOR == door
        ids = {block.elem_id for block in demo.blocks.values() if block.elem_id}
        assert {"adapter", "film-adapter"} <= ids
        assert ("adapter-source" in ids) is ("film-adapter-upload" in ids) is bool(door)


def test_where_nothing_is_on_the_shelf_there_is_nothing_to_choose(engine: Engine, adapted: Engine) -> None:
    bare = Engine(engine.loaded, engine.placement)
    assert names(bare) == set()
    assert control_of(bare).row.visible is False
    assert control_of(adapted).row.visible is True
    assert control_of(bare).refresh("uji-a", "id")[0]["visible"] is False


def test_a_public_page_takes_no_file_and_its_shelf_does_not_change(
    public: Engine, folders: list[Path], warnings: list[str]
) -> None:
    closed = control_of(public)
    before = names(public)
    closed.add(str(folders[1]), "id")
    closed.receive(None, "id")
    closed.remove("uji-a", "en")
    assert names(public) == before
    assert [("terbuka untuk umum" in told, "is public" in told) for told in warnings] == [
        (True, False), (True, False), (False, True),
    ]  # fmt: skip
    with page_of(public) as address:
        assert httpx.post(f"{address}/gradio_api/upload", files={"files": b"PK"}).status_code == 403


def test_a_private_page_takes_a_file(served: str) -> None:
    answer = httpx.post(f"{served}/gradio_api/upload", files={"files": ("uji.zip", b"PK")})
    assert answer.status_code == 200
    (path,) = map(Path, answer.json())
    path.unlink()


def test_an_adapter_is_added_chosen_and_unloaded(control: AdapterControl, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "baru", control.engine.model, rank=3)
    box, report, shelf, row, name, scale, told, unload = control.add(f" {folder} ", "id")
    assert (box, name["value"], row["visible"], scale["visible"], unload["interactive"]) == (
        "",
        "baru",
        True,
        True,
        True,
    )
    assert ("baru" in dict(shelf), "peringkat 3" in report, "0 diabaikan" in report) == (True, True, True)
    assert "baru" in json.loads(told)["summary"]
    _, report, shelf, _, name, scale, told, unload = control.remove("baru", "en")
    assert (name["value"], scale["visible"], unload["interactive"]) == (BASE, False, False)
    assert "baru" not in dict(shelf)
    assert "unloaded" in report
    assert json.loads(told) == {"place": "adapter-card"}


def test_a_zip_that_was_sent_does_not_stay(control: AdapterControl, tmp_path: Path, warnings: list[str]) -> None:
    folder = write_adapter(tmp_path / "kiriman", control.engine.model)
    packed = Path(shutil.make_archive(str(folder), "zip", folder))
    control.receive(str(packed), "id")
    assert "kiriman" in names(control.engine)
    assert not packed.exists()
    assert warnings == []
    packed.write_bytes(b"PK")
    control.receive(str(packed), "id")
    assert not packed.exists()
    assert len(warnings) == 1


@pytest.mark.parametrize("source", ["", "  ", "x" * 501, "/tidak/ada", "uji-a.zip", "<img src=x>"])
def test_a_refusal_leaves_everything_as_it_is(control: AdapterControl, source: str, warnings: list[str]) -> None:
    before = names(control.engine)
    assert {json.dumps(one) for one in control.add(source, "id")} == {json.dumps(gr.skip())}
    assert names(control.engine) == before
    assert len(warnings) == 1
    assert "<img" not in warnings[0]


def test_what_comes_with_the_model_stays(control: AdapterControl, warnings: list[str]) -> None:
    control.remove("kecil-lora", "en")
    assert "kecil-lora" in names(control.engine)
    assert "cannot be unloaded" in warnings[0]
    assert control.choose("kecil-lora", "id")[-1]["interactive"] is False
    assert control.choose("uji-a", "id")[-1]["interactive"] is True


def test_a_choice_that_is_there_survives_the_switch_of_language(control: AdapterControl) -> None:
    for chosen, kept in (("uji-b", "uji-b"), (BASE, BASE), ("dilepas-orang-lain", BASE)):
        _, name, *_ = control.refresh(chosen, "en")
        assert name["value"] == kept
        assert name["choices"] == choices(control.engine, "en")
        assert name["choices"][0] == ("No adapter (base model)", BASE)


def test_an_adapter_that_goes_in_mid_answer_ends_it_with_a_sentence(
    control: AdapterControl, tmp_path: Path, warnings: list[str]
) -> None:
    engine = control.engine
    engine.shelf.add(write_adapter(tmp_path / "pergi", engine.model))
    run = engine.start([{"role": "user", "content": QUESTION}], SamplingOptions(**OPTIONS), "pergi")

    def until_it_goes() -> Iterator[Step]:
        for step in run:
            yield step
            if step.index == 2:
                engine.shelf.remove("pergi")

    for _ in watched(until_it_goes(), "id"):
        pass
    assert "pergi" in warnings[0]
    assert len(run.steps) == 3


def test_the_engine_is_asked_as_the_controls_say(adapted: Engine) -> None:
    assert split([BASE, 1, "rest"]) == (None, ["rest"])
    assert split(["uji-a", 0.35, 1, 2]) == ("uji-a:0.35", [1, 2])
    with pytest.raises(UserError, match="0 to 2"):
        adapted.shelf.mix(split(["uji-a", None])[0])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "uji"),
        ("# UJI\n\nIsi.", "uji"),
        ("---\nlicense: mit\n---\n\n# Surat  resmi\n", "uji · Surat resmi"),
        ("pengantar\n# " + "a" * 60, "uji · " + "a" * 40 + "…"),
        ("# \u202emasap\u202c\x07 kopi", "uji · masap kopi"),
        ("## bukan judul", "uji"),
    ],
)
def test_an_adapter_is_offered_by_name_and_short_title(text: str, shown: str) -> None:
    assert label("uji", text) == shown


def test_a_card_is_shown_whole_but_for_its_front_matter(adapted: Engine) -> None:
    row = {"name": "a<b>", "rank": 4, "parameters": 20480, "sha256": "0123456789abcdef", "base": None,
           "card": "---\nx: 1\n---\n\n<script>1</script>\n"}  # fmt: skip
    told = card(row, "id")
    assert told["text"] == "<script>1</script>"
    assert told["summary"] == "Kartu adapter a<b>"
    assert [value for _, value in told["facts"]] == ["4", "20.480", "0123456789ab", "–"]
    assert "brings no card" in card({**row, "card": ""}, "en")["text"]
    assert without_front_matter("---\nno end") == "---\nno end"


def test_a_name_in_a_line_of_markdown_is_code() -> None:
    assert as_code("a`*b*`") == "`a'*b*'`"
    assert named({"adapter": "uji:0.5"}) == " · adapter `uji:0.5`"
    assert named({"adapter": None}) == named({}) == ""
