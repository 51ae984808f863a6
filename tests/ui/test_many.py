"""Many prompts: what the page is sent only grows, what is downloaded says how it was made, and no error costs a row."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from random_adapter import write_adapter

from llada_demo.core.chat import opened
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.core.sheet import MAX_ROWS, Row, read_sheet
from llada_demo.engine import Engine
from llada_demo.ui.controls import FIELDS, Controls, preset_options
from llada_demo.ui.many import EXAMPLE, ManyTab, Slots
from llada_demo.ui.many_batch import MOST_SENT, Batch
from llada_demo.ui.reference import scorer
from llada_demo.ui.words import Words

SHORT = {"gen_length": 8, "steps": 8, "block_length": 8, "temperature": 0.5, "seed": "40"}
PROMPTS = "Apa itu hujan?\n=1+1\nSiapa kamu?\nHalo!\nApa itu awan?\n"
USED = ["uji-a", 0.5, "uji-b", 1, "", 1]


def with_only(engine: Engine, names: Sequence[str]) -> Engine:
    """The engine without the adapters that come with the model."""
    for row in engine.shelf.listed():
        if row["name"] not in names:
            engine.shelf.remove(row["name"])
    return engine


@pytest.fixture(scope="module")
def folders(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("adapters")
    return [write_adapter(place / name, engine.model, seed=seed) for seed, name in enumerate(("uji-a", "uji-b"), 1)]


@pytest.fixture(scope="module")
def adapted(folders: list[Path]) -> Engine:
    loaded = Engine.load(Settings(adapters=tuple(map(str, folders)), device="cpu", dtype="float32"))
    return with_only(loaded, ("uji-a", "uji-b"))


@pytest.fixture(scope="module")
def tab(adapted: Engine) -> ManyTab:
    with gr.Blocks():
        words = Words()
        return ManyTab(adapted, Slots(adapted, words, gr.Textbox("id")), Controls(words, adapted.max_length))


def settings(slots: list[Any] = USED, **change: Any) -> list[Any]:
    values = {**preset_options("fast").to_dict(), "constraints": "", "threshold": 0.0, **SHORT, **change}
    return [*slots, *(values[name] for name in FIELDS)]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def sent(data: bytes, name: str = "uji.csv") -> str:
    return json.dumps({"name": name, "data": base64.b64encode(data).decode()})


def saved(tab: ManyTab, batch: Any, kind: str) -> bytes:
    told = json.loads(tab.file(kind)(batch, "id"))
    assert told["kind"] == kind
    return base64.b64decode(told["data"])


def frames(tab: ManyTab, text: str, values: list[Any] | None = None, chosen: Any = None) -> Iterator[Any]:
    return tab.run(text, chosen, "id", *(values or settings()))


def finished(tab: ManyTab, text: str, values: list[Any] | None = None) -> Batch:
    """The record of a run that has come to its end."""
    first, *_ = frames(tab, text, values)
    return first[3]


def test_what_the_browser_reads_only_grows_and_holds_every_row_once(tab: ManyTab) -> None:
    grown, batch = [], None
    for _, _, reel, record in frames(tab, PROMPTS):
        grown += [reel] if isinstance(reel, str) else []
        batch = batch or record
    assert all(later.startswith(earlier) for earlier, later in pairwise(grown))
    head, *rows, end = lines(grown[-1])
    assert head["head"]["systems"] == [None, "uji-a:0.5", "uji-b"]
    assert sorted(row["row"]["at"] for row in rows) == list(range(5))
    assert end == {"end": True}
    for row in (line["row"] for line in rows):
        texts = ["".join(parts) for parts in row["answers"]]
        assert texts == list(batch.rows[row["at"]].texts)
        assert len(row["answers"][0]) == 1  # the base does not differ from itself


def test_every_answer_is_the_one_that_the_engine_gives_with_the_seed_of_its_row(tab: ManyTab, adapted: Engine) -> None:
    batch = finished(tab, PROMPTS)
    data = json.loads(saved(tab, batch, "json"))
    for row in data["rows"]:
        options = SamplingOptions.from_dict({**data["options"], "seed": row["seed"]})
        assert row["seed"] == 40 + row["number"] - 1
        for answer in row["answers"]:
            run = adapted.start(opened(row["prompt"]), options, answer["system"])
            assert len(list(run)) > 0
            assert answer["text"] == run.text


def test_the_json_says_how_it_was_made(tab: ManyTab, adapted: Engine) -> None:
    batch = finished(tab, "Halo!")
    data = json.loads(saved(tab, batch, "json"))
    there = {row["name"]: row["sha256"] for row in adapted.shelf.listed()}
    assert data["adapters"] == there
    assert data["about"]["sha256"] == adapted.loaded.sha256
    asked = SamplingOptions.from_dict({**preset_options("fast").to_dict(), **SHORT, "seed": 40})
    assert data["options"] == asked.to_dict()
    assert (data["systems"], data["prompts"]) == ([None, "uji-a:0.5", "uji-b"], 1)


def test_the_csv_keeps_a_formula_as_text_and_is_read_again(tab: ManyTab) -> None:
    batch = finished(tab, PROMPTS)
    table = saved(tab, batch, "csv")
    head, *rows = csv.reader(io.StringIO(table.decode("utf-8-sig"), newline=""))
    assert head == ["number", "prompt", "reference", "seed", "base", "adapter uji-a:0.5", "adapter uji-b", "error"]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"]  # in the order of the prompts
    assert rows[1][1] == "'=1+1"
    assert [row.prompt for row in read_sheet(table)] == PROMPTS.splitlines()


def test_stop_keeps_the_rows_that_are_whole(tab: ManyTab) -> None:
    running = frames(tab, "\n".join(["Apa itu hujan?"] * 12))
    batch = next(running)[3]
    for _ in running:
        if batch.rows:
            break
    running.close()
    kept = len(batch.rows)
    assert 0 < kept < 12
    run, stop, reel = tab.stop(batch)
    assert (run["interactive"], stop["interactive"]) == (True, False)
    assert [*lines(reel)[0], len(lines(reel)) - 2, *lines(reel)[-1]] == ["run", "head", kept, "end"]
    assert len(json.loads(saved(tab, batch, "json"))["rows"]) == kept


def test_a_prompt_that_cannot_be_answered_costs_its_own_row(tab: ManyTab) -> None:
    long = "kata " * 1500
    batch = finished(tab, f"Halo!\n{long}\nSiapa kamu?")
    assert sorted(batch.rows) == [0, 1, 2]
    row = next(line["row"] for line in lines(batch.lines())[1:] if line["row"]["at"] == 1)
    assert row["answers"] == [None, None, None]
    assert "terlalu panjang" in row["error"][0]
    assert "too long" in row["error"][1]
    data = json.loads(saved(tab, batch, "json"))["rows"]
    assert "too long" in data[1]["error"]["en"]
    assert data[0]["error"] is data[2]["error"] is None


def test_answers_are_scored_where_there_is_a_reference(tab: ManyTab) -> None:
    text = "prompt,jawaban\nHalo!,Halo juga\nSiapa kamu?,\n"
    batch = finished(tab, text)
    head, *rows = lines(batch.lines())
    assert head["head"]["measures"] == ["ROUGE-L", "chrF++"]
    by_place = {line["row"]["at"]: line["row"] for line in rows}
    assert by_place[1]["scores"] == [None, None, None]
    score = scorer()
    assert score is not None
    for text, told in zip(batch.rows[0].texts, by_place[0]["scores"], strict=True):
        assert told == pytest.approx(score(text, "Halo juga"), abs=1e-4)
    assert score("Halo juga", "Halo juga") == (1.0, pytest.approx(1.0))
    head, *_ = csv.reader(io.StringIO(saved(tab, batch, "csv").decode("utf-8-sig")))
    assert "adapter uji-b chrF++" in head


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Belum ada prompt"),
        ("a,b\nc,d\ne,f\n", "Tidak ada kolom prompt"),
        ("prompt\n" + "Halo!\n" * 10_000, f"Ada 10000 prompt; paling banyak {MAX_ROWS}"),
        ("x" * (MOST_SENT + 1), "lebih dari 700 KB"),
    ],
    ids=["nothing", "other columns", "10,000 rows", "too long"],
)
def test_what_cannot_be_read_is_told_in_one_sentence(tab: ManyTab, warnings: list[str], text: str, says: str) -> None:
    assert all(not isinstance(frame[2], str) for frame in frames(tab, text))
    assert len(warnings) == 1
    assert says in warnings[0]
    assert tab.open(sent(text.encode()), "id")[0]["__type__"] == "update"  # a file is told the same
    assert warnings[1] == warnings[0]


def test_a_file_comes_byte_by_byte_whatever_its_encoding(tab: ManyTab, warnings: list[str]) -> None:
    for encoding, note in (("utf-8-sig", ""), ("utf-16", ""), ("cp1252", "Windows-1252")):
        chosen, box, told, drop = tab.open(sent("prompt;jawaban\nApa itu café?;Kedai\n".encode(encoding)), "id")
        assert chosen.sheet == [Row("Apa itu café?", "Kedai")]
        assert (box["value"], box["interactive"], drop["visible"]) == ("Apa itu café?", False, True)
        assert "`uji.csv`: 1 prompt, 1 dengan rujukan." in told
        assert note in told
        assert "references" in tab.told(chosen, "en")
    assert warnings == []


def test_the_chosen_file_counts_until_it_is_put_away(tab: ManyTab) -> None:
    chosen, *_ = tab.open(sent(b"prompt\nHalo!\n"), "id")
    assert tab.start("Lain", chosen, settings()).sheet == [Row("Halo!")]
    chosen, box, told, drop = tab.reading(EXAMPLE)
    assert (chosen, told, box["interactive"], drop["visible"]) == (None, "", True, False)
    assert len(tab.start(box["value"], chosen, settings()).sheet) == 4


@pytest.mark.parametrize(
    ("slots", "says"),
    [
        (["uji-a", 1, "uji-a", 1, "", 1], "sudah ada di perbandingan"),
        (["pergi", 1, "", 1, "", 1], "tidak ada"),
        (["uji-a", 3, "", 1, "", 1], "0 sampai 2"),
        (["uji-a", None, "", 1, "", 1], "0 sampai 2"),
    ],
)
def test_adapters_that_cannot_be_had_are_refused_in_a_sentence(
    tab: ManyTab, warnings: list[str], slots: list[Any], says: str
) -> None:
    assert all(not isinstance(frame[2], str) for frame in frames(tab, PROMPTS, settings(slots)))
    assert len(warnings) == 1
    assert says in warnings[0]


def test_one_adapter_may_stand_beside_itself_with_another_scale(tab: ManyTab) -> None:
    assert tab.slots.read(["uji-a", 1, "uji-a", 0.25, "", 1]) == [None, "uji-a", "uji-a:0.25"]


def test_the_base_answers_alone_where_no_adapter_is_chosen_or_there(engine: Engine, tab: ManyTab) -> None:
    batch = finished(tab, "Halo!", settings(["", 1, "", 1, "", 1]))
    assert batch.systems == [None]
    with gr.Blocks():
        bare = Slots(Engine(engine.loaded, engine.placement), Words(), gr.Textbox("id"))
    row, none, *names = bare.refresh("id", "uji-a", "", "")
    assert (row["visible"], none["visible"], names[0]["value"]) == (False, True, "")
    row, none, *names = tab.slots.refresh("en", "uji-b", "pergi", "")
    assert (row["visible"], none["visible"], [name["value"] for name in names]) == (True, False, ["uji-b", "", ""])


def test_an_empty_download_is_told(tab: ManyTab) -> None:
    with pytest.raises(gr.Error, match="Belum ada"):
        tab.file("csv")(None, "id")
