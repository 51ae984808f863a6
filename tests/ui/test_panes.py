"""Panes in step behind the page: /compare is the engine's comparison, and what a link or a file says is checked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from page_of import page_of
from random_adapter import write_adapter

from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.comparison import ComparisonRecord, read_comparison
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from llada_demo.ui.compare import build_compare
from llada_demo.ui.compare_actions import link_of, ordered, save, score
from llada_demo.ui.compare_board import Opened, Written
from llada_demo.ui.compare_link import EXAMPLES, LONGEST_LINK, Wish, read_wish, slots_of
from llada_demo.ui.controls import Controls
from llada_demo.ui.panes import PANES, PanesTab
from llada_demo.ui.words import Words

OPTIONS = {"gen_length": 16, "steps": 16, "block_length": 8, "seed": 4, "temperature": 0.5}
QUESTION = "Apa itu hujan?"
ADAPTERS = ["uji-a", "uji-b:0.5"]
WISH = Wish(QUESTION, tuple(ADAPTERS), SamplingOptions(**OPTIONS))


@pytest.fixture(scope="module")
def adapted(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    place = tmp_path_factory.mktemp("adapters")
    names = ("uji-a", "uji-b", "pergi")
    folders = [write_adapter(place / name, engine.model, seed=seed) for seed, name in enumerate(names, 1)]
    return Engine.load(Settings(adapters=tuple(map(str, folders)), device="cpu", dtype="float32"))


@pytest.fixture(scope="module")
def client(adapted: Engine) -> Iterator[Client]:
    with page_of(adapted) as address:
        yield Client(address, verbose=False, analytics_enabled=False)


@pytest.fixture
def tab(adapted: Engine) -> PanesTab:
    return tab_of(adapted)


@pytest.fixture(scope="module")
def done(adapted: Engine) -> Written:
    board = tab_of(adapted).start(WISH, (1, 2))
    for _ in board:
        pass
    return board


def tab_of(engine: Engine) -> PanesTab:
    built = PanesTab(engine)
    with gr.Blocks():
        built.controls = Controls(Words(), engine.max_length, tab="compare-")
    return built


def lasting(data: dict[str, Any]) -> dict[str, Any]:
    """A comparison without what differs from one time to the next."""
    copy = json.loads(json.dumps(data))
    for pane in copy["panes"]:
        del pane["figures"]["seconds"], pane["trace"]["about"]["date"]
    return copy


def lines(text: str) -> list[dict[str, Any]]:
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


# The endpoint


def test_the_endpoint_gives_what_the_engine_gives(client: Client, done: Written) -> None:
    got = client.predict(QUESTION, ADAPTERS, json.dumps(OPTIONS), api_name="/compare")
    assert lasting(got) == lasting(done.record().to_dict())
    record = ComparisonRecord.from_dict(got)
    assert [pane.adapter for pane in record.panes] == [None, *ADAPTERS]
    assert len({pane.text for pane in record.panes}) == 3


def test_every_pane_is_its_single_run_with_this_seed(client: Client, adapted: Engine) -> None:
    got = client.predict(QUESTION, " uji-a , uji-b:0.5", json.dumps(OPTIONS), "Kamu singkat.", api_name="/compare")
    for pane in got["panes"]:
        asked = [{"role": "system", "content": "Kamu singkat."}, {"role": "user", "content": QUESTION}]
        run = adapted.start(asked, SamplingOptions(**OPTIONS), pane["adapter"])
        for _ in run:
            pass
        assert pane["text"] == run.text
        assert [step["tokens"] for step in pane["trace"]["steps"]] == [list(step.tokens) for step in run.steps]


@pytest.mark.parametrize(
    ("prompt", "adapters", "options", "says"),
    [
        (QUESTION, [], "{}", "Pilih 1 sampai 3 adapter"),
        (QUESTION, "", "{}", "Pilih 1 sampai 3 adapter"),
        (QUESTION, "uji-a,uji-b,pergi,uji-a:0.5", "{}", "bukan 4"),
        (QUESTION, ["uji-a", "uji-a:1.0"], "{}", "sudah ada di perbandingan"),
        (QUESTION, ["tidak-ada"], "{}", "tidak ada"),
        (QUESTION, ["uji-a:3"], "{}", "0 sampai 2"),
        (QUESTION, {"uji-a": 1}, "{}", "daftar nama"),
        (QUESTION, [1], "{}", "daftar nama"),
        (QUESTION, None, "{}", "daftar nama"),
        ("", ["uji-a"], "{}", "kosong"),
        ("x" * 10_000, ["uji-a"], "{}", "10000 karakter"),
        ("kata " * 1000, ["uji-a"], "{}", "terlalu panjang"),
        (QUESTION, ["uji-a"], "{", "bukan JSON"),
        (QUESTION, ["uji-a"], '{"steps": 7}', "kelipatan"),
    ],
)
def test_bad_input_gets_one_clear_sentence(client: Client, prompt: str, adapters: Any, options: str, says: str) -> None:
    with pytest.raises(AppError, match=says) as caught:
        client.predict(prompt, adapters, options, api_name="/compare")
    assert "Traceback" not in str(caught.value)


# Links


def test_a_link_carries_the_whole_comparison() -> None:
    wish = Wish(
        'Ibu kota <b>Jawa</b> & "Barat" [mask:2] 😀',
        ("uji-a:0.35", "uji-b"),
        SamplingOptions(gen_length=32, steps=16, block_length=16, threshold=0.8, constraints={0: "Tentu"}, seed=9),
        "",
    )
    assert read_wish(wish.to_json()) == wish
    assert slots_of(wish.adapters) == [("uji-a", 0.35), ("uji-b", 1.0)]


def spoilt(**changes: Any) -> str:
    data = json.loads(WISH.to_json()) | changes
    return json.dumps({name: value for name, value in data.items() if value is not ...})


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "7", '"kata"', "{}", "{", "[" * 100_000, "\x00", "1" * 5000, "x" * (LONGEST_LINK + 1),
        spoilt(prompt=...), spoilt(prompt=None), spoilt(prompt=["x"]), spoilt(prompt="\ud800"),
        spoilt(prompt="x" * 8001),
        spoilt(system_prompt=7), spoilt(system_prompt="x" * 8001), spoilt(more=1),
        spoilt(adapters=...), spoilt(adapters="uji-a"), spoilt(adapters={"uji-a": 1}), spoilt(adapters=[1]),
        spoilt(adapters=["a", "b", "c", "d"]), spoilt(adapters=[["a"]]),
        spoilt(options=...), spoilt(options=None), spoilt(options=[]), spoilt(options={"steps": 7}),
        spoilt(options={"warna": 1}), spoilt(options={"seed": -1}), spoilt(options={"temperature": "panas"}),
        spoilt(options={"gen_length": 10**9}), spoilt(options={"constraints": {"0": 1}}),
        WISH.to_json().replace('"seed":4', '"seed":1e999'), WISH.to_json().replace('"seed":4', '"seed":NaN'),
    ],
)  # fmt: skip
def test_any_other_link_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_wish(text)
    assert len(caught.value.in_language("en")) < 1000


@pytest.mark.parametrize("adapter", ["uji-a+uji-b", "uji-a:kuat", "uji-a:3", "uji-a:-1", "uji-a:nan", "uji-a:1:2"])
def test_what_no_slot_can_hold_is_refused(adapter: str) -> None:
    with pytest.raises(UserError):
        slots_of([adapter])


def test_the_link_is_that_of_the_panes_on_the_screen(done: Written) -> None:
    assert read_wish(link_of(done, "[0,1,2]", "id")) == WISH
    assert read_wish(link_of(done, "[0,2,1]", "id")) == replace(WISH, adapters=tuple(ADAPTERS[::-1]))
    opened = link_of(Opened(done.record()), "", "id")
    assert read_wish(opened) == WISH


def test_a_link_is_shown_in_the_form_and_run(tab: PanesTab, warnings: list[str]) -> None:
    frames = list(tab.follow(replace(WISH, system_prompt="Kamu singkat.").to_json(), "en"))
    system, *choice = frames[0][: 3 + 2 * len(PANES)]
    assert system["value"] == "Kamu singkat."
    assert [one["value"] for one in choice] == ["uji-a", "uji-b", "", 1, 0.5, 1, False, None]
    box, reel, board = frames[0][-3:]
    assert (box["value"], box["submit_btn"]) == (QUESTION, False)
    assert lines(reel)[0]["slots"] == [0, 1, 2]
    assert isinstance(board, Written)
    assert "below" in lines(frames[-2][-2])[-1]
    assert warnings == []


@pytest.mark.parametrize(
    ("text", "says"),
    [("{}", "cannot be read"), (spoilt(adapters=["tidak-ada"]), "no adapter 'tidak-ada'"), ("bukan-contoh", "read")],
)
def test_a_link_that_cannot_be_followed_changes_nothing(
    tab: PanesTab, warnings: list[str], text: str, says: str
) -> None:
    for *rest, box, reel, board in tab.follow(text, "en"):
        assert {json.dumps(one) for one in (*rest, reel, board)} == {json.dumps(gr.skip())}
        assert box.get("stop_btn", False) is False
    assert len(warnings) == 1
    assert says in warnings[0]


# The board


def test_the_lines_only_grow_and_hold_every_step(adapted: Engine, done: Written) -> None:
    board = tab_of(adapted).start(WISH, (1, 3))
    seen = board.lines()
    for _ in board:
        now = board.lines()
        assert now.startswith(seen)
        seen = now
    assert board.end().startswith(seen)
    assert board.finish().startswith(board.end())
    assert board.finish() == board.finish()
    said = lines(board.finish())
    assert said[0]["slots"] == [0, 1, 3]
    assert [head.get("title") for head in said[0]["heads"]] == [None, *ADAPTERS]
    record = done.record()
    for i, pane in enumerate(record.panes):
        shots = [shot for line in said if "frames" in line for shot in line["frames"][i]]
        assert [shot["p"] for shot in shots] == [list(step.positions) for step in pane.trace.steps]
        parted = pane.divergence and {"step": pane.divergence.step, "at": pane.divergence.position}
        assert [line["diverges"][i] for line in said if "diverges" in line][-1] == parted
    assert said[-1]["below"][1]["pieces"] == [list(piece) for piece in record.panes[1].pieces]


def test_a_stop_keeps_what_is_written(adapted: Engine) -> None:
    board = tab_of(adapted).start(WISH, (1, 2))
    steps = iter(board)
    for _ in range(5):
        next(steps)
    steps.close()
    said = lines(tab_of(adapted).keep(board))
    assert len([shot for line in said if "frames" in line for shot in line["frames"][0]]) == 5
    assert [one["figures"]["nats_under_base"] for one in said[-1]["below"]] == [None] * 3
    assert read_comparison(board.record().to_json()) == board.record()


def test_an_adapter_that_goes_in_mid_run_is_one_warning(adapted: Engine, warnings: list[str]) -> None:
    tab = tab_of(adapted)
    form = ["pergi", "uji-a", "", 1, 1, 1]
    sampling = [component.value for component in tab.controls.components]
    written = ""
    for i, (_, reel, _) in enumerate(tab.write(QUESTION, "id", SYSTEM_PROMPT, *form, *sampling)):
        if i == 1:
            adapted.shelf.remove("pergi")
        written = reel if isinstance(reel, str) else written
    assert len(warnings) == 1
    assert "pergi" in warnings[0]
    assert "below" in lines(written)[-1]


@pytest.mark.parametrize(
    ("slots", "says"),
    [
        (["", "", "", 1, 1, 1], "Choose 1 to 3"),
        (["uji-a", "uji-a", "", 1, 1, 1], "in this comparison already"),
        (["uji-a", "", "sudah-dilepas", 1, 1, 1], "no adapter 'sudah-dilepas'"),
        (["uji-a", "", "", None, 1, 1], "from 0 to 2"),
    ],
)
def test_what_cannot_be_compared_leaves_the_text_and_the_board(
    tab: PanesTab, warnings: list[str], slots: list[Any], says: str
) -> None:
    sampling = [component.value for component in tab.controls.components]
    for box, reel, board in tab.write(QUESTION, "en", "", *slots, *sampling):
        assert "value" not in box
        assert (reel, board) == (gr.skip(), gr.skip())
    assert len(warnings) == 1
    assert says in warnings[0]


def test_a_saved_comparison_is_opened_and_a_damaged_one_is_refused(
    tab: PanesTab, done: Written, warnings: list[str]
) -> None:
    text = done.record().to_json()
    _, reel, board = tab.open(text, "id")
    assert board.record() == done.record()
    (line,) = lines(reel)
    assert line["slots"] == [0, 1, 2]
    assert [film["head"].get("title") for film in line["films"]] == [None, *ADAPTERS]
    assert all(film["head"]["recorded"] for film in line["films"])
    assert tab.open("", "id")[1:] == (gr.skip(), gr.skip())
    assert warnings == []
    for hostile in (text[:-30], "[]", "{}", text.replace('"uji-a"', '"<img src=x>"', 1), "x" * 10):
        assert tab.open(hostile, "id")[1:] == (gr.skip(), gr.skip())
    assert len(warnings) == 5
    assert not any("<img" in told for told in warnings)


def test_a_file_has_the_panes_in_the_order_of_the_screen(done: Written) -> None:
    swapped = ordered(done.record(), "[0,2,1]")
    assert [pane.adapter for pane in swapped.panes] == [None, *ADAPTERS[::-1]]
    assert read_comparison(swapped.to_json()) == swapped
    for nonsense in ("", "null", "[1,0,2]", "[0,1]", "[0,1,1]", "[0,true,2]", "[0,1,2,3]", "{", '["0",1,2]'):
        assert ordered(done.record(), nonsense) == done.record()
    assert json.loads(save("json")(done, "[0,2,1]", "id"))["ending"] == "json"


def test_without_a_comparison_there_is_nothing_to_take_home(warnings: list[str]) -> None:
    assert [save("html")(None, "[]", "en"), save("json")(None, "[]", "en"), link_of(None, "[]", "en")] == [""] * 3
    assert score(None, "[]", "en", "Acuan.") == gr.skip()
    assert len(warnings) == 4
    assert all("no comparison on the board" in told for told in warnings)


# Examples and the shelf


def test_only_examples_whose_adapters_are_there_are_offered(adapted: Engine, tmp_path: Path) -> None:
    bare = Engine(adapted.loaded, adapted.placement)
    assert PanesTab(bare).examples("id") == []
    for name in ("kecil-surat", "kecil-rusak"):
        bare.shelf.add(write_adapter(tmp_path / name, bare.model))
    assert [key for _, key in PanesTab(bare).examples("en")] == ["gaya", "skala"]
    for name in ("kecil-surat", "kecil-rusak"):
        bare.shelf.remove(name)


def test_every_example_can_be_read_from_a_link() -> None:
    for _, wish in EXAMPLES.values():
        assert read_wish(wish.to_json()) == wish


def test_an_empty_shelf_shows_how_to_fill_it(adapted: Engine) -> None:
    bare = Engine(adapted.loaded, adapted.placement)
    seen = {}
    for engine in (bare, adapted):
        words = Words()
        with gr.Blocks() as demo:
            build_compare(engine, words, gr.Textbox("id"), {"adapters": gr.State([])})
        found = {block.elem_id: block for block in demo.blocks.values() if block.elem_id}
        seen[engine is bare] = (found["compare-form"].visible, found["compare-empty"].visible)
        assert "LLADA_ADAPTERS" in found["compare-empty"].value
    assert seen == {True: (False, True), False: (True, False)}


def test_a_slot_that_was_unloaded_by_others_is_empty(tab: PanesTab) -> None:
    *slots, examples, form, empty = tab.refresh("en", "uji-a", "dilepas", "")
    assert [slot["value"] for slot in slots] == ["uji-a", "", ""]
    assert slots[0]["choices"][0] == ("Not used", "")
    assert (len(examples["choices"]), form["visible"], empty["visible"]) == (len(EXAMPLES), True, False)


# The reference text


def test_a_table_of_scores_names_its_panes(done: Written, warnings: list[str]) -> None:
    table = json.loads(score(done, "[0,2,1]", "id", "Hujan adalah air."))
    assert [row[0] for row in table["rows"]] == [None, *ADAPTERS[::-1]]
    assert all(len(row) == 1 + len(table["columns"]) for row in table["rows"])
    assert score(done, "[]", "id", "  ") == gr.skip()
    assert "acuan" in warnings[0]


def test_missing_packages_are_named(done: Written, warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llada_demo.evaluation.scores", None)
    assert score(done, "[]", "id", "Hujan.") == gr.skip()
    assert "pip install rouge-score" in warnings[0]
