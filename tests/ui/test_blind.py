"""The blind vote: nobody learns a name before he has voted, no vote counts twice, and a bad file costs a sentence."""

from __future__ import annotations

import base64
import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gradio as gr
import pytest
from random_adapter import write_adapter

from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from llada_demo.server.votes import CHOICES, LONGEST, Votes, digest
from llada_demo.ui import blind
from llada_demo.ui.blind import BASE, Ballot, BlindTab

NAMES = ("uji-rahasia", "uji-tertutup")
QUESTION = "Apa itu hujan?"


@pytest.fixture(scope="module")
def folders(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("adapters")
    return [write_adapter(place / name, engine.model, seed=seed) for seed, name in enumerate(NAMES, 1)]


@pytest.fixture(scope="module")
def adapted(folders: list[Path]) -> Engine:
    """With these two alone, without the adapters that come with the model."""
    loaded = Engine.load(Settings(adapters=tuple(map(str, folders)), device="cpu", dtype="float32"))
    for row in loaded.shelf.listed():
        if row["name"] not in NAMES:
            loaded.shelf.remove(row["name"])
    return loaded


@pytest.fixture
def tab(adapted: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlindTab:
    """With answers of eight tokens, and votes that no other test sees."""
    short = blind.preset_options("fast").from_dict({"gen_length": 8, "steps": 4, "block_length": 8, "temperature": 0.5})
    monkeypatch.setattr(blind, "preset_options", lambda name: short)
    return BlindTab(adapted, Votes(tmp_path / "votes.sqlite", wait=0.1))


def played(tab: BlindTab, among: tuple[str, ...] = (), question: str = QUESTION) -> tuple[Ballot, list[str]]:
    """A ballot whose answers are whole, and everything that the browser was told of it."""
    ballot, told = None, []
    for frame in tab.ask(question, among, "fast", "id"):
        told += [frame[2]] if isinstance(frame[2], str) else []
        ballot = ballot or (frame[3] if isinstance(frame[3], Ballot) else None)
    assert ballot is not None
    return ballot, told


def known(adapted: Engine) -> Iterator[str]:
    for row in adapted.shelf.listed():
        yield from (row["name"], row["sha256"], row["sha256"][:8])


def test_nothing_that_is_told_before_the_vote_says_who_wrote_which(
    tab: BlindTab, adapted: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blind, "watched", lambda run, language: (i == 0 for i, _ in enumerate(run)))  # a frame a step
    ballot, told = played(tab, NAMES)
    assert len(told) == 5
    for text in told:
        assert not any(word in text for word in (*known(adapted), ballot.ballot, "adapter"))
    assert [json.loads(text)["state"] for text in told] == ["writing"] * 4 + ["whole"]
    assert "░" in json.loads(told[0])["texts"][0]
    assert json.loads(told[-1])["texts"] == [run.text for run in ballot.runs]


def test_the_draw_is_fair_and_keeps_to_what_was_chosen(tab: BlindTab) -> None:
    pairs = {tab.start(QUESTION, (), "fast").systems for _ in range(60)}
    everybody = (None, *NAMES)
    assert pairs == {(a, b) for a in everybody for b in everybody if a != b}  # missed once in 10^8
    pairs = {tab.start(QUESTION, (BASE, NAMES[1]), "fast").systems for _ in range(40)}
    assert pairs == {(None, NAMES[1]), (NAMES[1], None)}
    ballots = [tab.start(QUESTION, (), "fast") for _ in range(4)]
    assert len({ballot.runs[0].options.seed for ballot in ballots}) == 4
    assert all(ballot.runs[0].options == ballot.runs[1].options for ballot in ballots)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_vote_is_kept_with_what_it_was_about_and_then_names_are_told(
    tab: BlindTab, adapted: Engine, warnings: list[str], choice: str
) -> None:
    ballot, _ = played(tab)
    told, *buttons = tab.choose(choice)(ballot, "id")
    (vote,) = tab.votes.all()
    left, right = ballot.runs
    assert (vote.left, vote.right) == ballot.systems
    assert (vote.choice, vote.question, vote.seed) == (choice, QUESTION, left.options.seed)
    assert vote.options == left.options.to_dict()
    assert (vote.left_sha256, vote.right_sha256) == (digest(left.text), digest(right.text))
    there = {row["name"]: row["sha256"] for row in adapted.shelf.listed()}
    assert vote.adapters == {name: there[name] for name in ballot.systems if name}
    assert vote.sha256 == adapted.loaded.sha256
    data = json.loads(told)
    assert (data["state"], data["names"], data["kept"]) == ("revealed", list(ballot.systems), True)
    assert {row["adapter"] for row in data["standings"]["systems"]} == set(ballot.systems)
    assert [row["votes"] for row in data["standings"]["pairs"]] == [1]
    assert not any(button["interactive"] for button in buttons)
    assert warnings == []


def test_nobody_votes_twice_or_before_both_are_whole(tab: BlindTab, warnings: list[str]) -> None:
    running = tab.ask(QUESTION, (), "fast", "id")
    ballot = next(running)[3]
    tab.choose("left")(ballot, "id")
    tab.choose("left")(None, "id")
    running.close()
    tab.choose("left")(ballot, "id")
    assert tab.votes.all() == []
    assert len(warnings) == 3
    assert all("Belum ada dua jawaban" in told for told in warnings)
    ballot, _ = played(tab)
    tab.choose("left")(ballot, "id")
    assert tab.choose("right")(ballot, "id")[0]["__type__"] == "update"
    assert "sudah dinilai" in warnings[-1]
    assert [vote.choice for vote in tab.votes.all()] == ["left"]


def test_two_pages_of_one_visitor_vote_each_for_their_own(tab: BlindTab, warnings: list[str]) -> None:
    one, other = played(tab)[0], played(tab, question="Siapa kamu?")[0]
    tab.choose("tie")(other, "id")
    tab.choose("left")(one, "id")
    assert [(vote.question, vote.choice) for vote in tab.votes.all()] == [("Siapa kamu?", "tie"), (QUESTION, "left")]
    assert warnings == []


def test_a_stopped_pair_is_no_pair(tab: BlindTab, warnings: list[str]) -> None:
    running = tab.ask(QUESTION, (), "fast", "id")
    ballot = next(running)[3]
    running.close()
    _, surprise, told, state, *buttons = tab.stop(ballot, "id")
    assert (json.loads(told)["state"], state, surprise["interactive"]) == ("stopped", None, True)
    assert not any(button["interactive"] for button in buttons)


def test_a_file_that_cannot_be_used_costs_a_sentence_and_no_reveal(
    tab: BlindTab, warnings: list[str], tmp_path: Path
) -> None:
    ballot, _ = played(tab)
    tab.votes = Votes(tmp_path / "tidak-ada" / "votes.sqlite")
    data = json.loads(tab.choose("left")(ballot, "id")[0])
    assert (data["names"], data["kept"], data["standings"]) == (list(ballot.systems), False, None)
    assert len(warnings) == 1
    assert "folder yang tidak ada" in warnings[0]

    tab.votes = Votes(tmp_path / "votes.sqlite", wait=0.1)
    tab.choose("left")(played(tab)[0], "id")
    ballot, _ = played(tab)
    with closing(sqlite3.connect(tmp_path / "votes.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        data = json.loads(tab.choose("right")(ballot, "id")[0])
    assert (data["names"], data["kept"]) == (list(ballot.systems), False)
    assert len(warnings) == 2
    assert "sedang dipakai proses lain" in warnings[1]
    assert len(tab.votes.all()) == 1


@pytest.mark.parametrize(
    ("question", "among", "says"),
    [
        ("", (), "Pesan masih kosong"),
        ("x" * (LONGEST + 1), (), f"hanya dicatat sampai {LONGEST}"),
        (QUESTION, (BASE,), "paling sedikit dua"),
        (QUESTION, (BASE, "pergi"), "paling sedikit dua"),
    ],
)
def test_a_question_that_cannot_be_put_is_told_and_stays(
    tab: BlindTab, warnings: list[str], question: str, among: tuple[str, ...], says: str
) -> None:
    for box, _, told, *_ in tab.ask(question, among, "fast", "id"):
        assert "value" not in box
        assert not isinstance(told, str)
    assert len(warnings) == 1
    assert says in warnings[0]


def test_an_adapter_that_goes_in_mid_answer_ends_it_without_a_name(
    tab: BlindTab, adapted: Engine, warnings: list[str], tmp_path: Path
) -> None:
    adapted.shelf.add(write_adapter(tmp_path / "uji-pergi", adapted.model, seed=9))
    running = tab.ask(QUESTION, (BASE, "uji-pergi"), "fast", "id")
    next(running)
    adapted.shelf.remove("uji-pergi")
    *_, last, _ = running
    assert json.loads(last[2])["state"] == "stopped"
    assert not any(button["interactive"] for button in last[4:])
    assert len(warnings) == 1
    assert "uji-pergi" not in warnings[0]


def test_a_surprise_is_an_everyday_prompt(tab: BlindTab) -> None:
    box = next(tab.surprise((), "fast", "id"))[0]
    assert box["value"] in tab.everyday
    assert len(tab.everyday) > 20


def exported(tab: BlindTab, kind: str) -> bytes:
    return base64.b64decode(json.loads(tab.file(kind)("id"))["data"])


def test_votes_are_exported_whole_and_on_a_public_page_without_questions(
    tab: BlindTab, folders: list[Path], warnings: list[str]
) -> None:
    with pytest.raises(gr.Error, match="Belum ada suara"):
        tab.file("csv")("id")
    tab.choose("left")(played(tab, question="=1+1")[0], "id")
    (row,) = csv.DictReader(io.StringIO(exported(tab, "csv").decode("utf-8-sig")))
    assert row["question"] == "'=1+1"
    assert json.loads(exported(tab, "json"))["votes"][0]["question"] == "=1+1"

    public = BlindTab(Engine(tab.engine.loaded, tab.engine.placement, Settings(public=True)), tab.votes)
    (shown,) = csv.DictReader(io.StringIO(exported(public, "csv").decode("utf-8-sig")))
    assert set(row) - set(shown) == {"question", "system_prompt"}
    assert {**row, **shown} == row
    (vote,) = json.loads(exported(public, "json"))["votes"]
    assert set(vote) == set(shown)
    assert "1+1" not in exported(public, "json").decode() + exported(public, "csv").decode("utf-8-sig")


def test_the_page_says_where_votes_are_kept_and_a_public_one_not_on_which_path(tab: BlindTab) -> None:
    public = BlindTab(Engine(tab.engine.loaded, tab.engine.placement, Settings(public=True)), tab.votes)
    for own, told in zip(tab.kept(), public.kept(), strict=True):
        assert f"`{tab.engine.settings.votes}`" in own
        assert "sqlite" not in told
    assert "tanpa teks pertanyaan" in public.kept()[0]
    assert "without the text of questions" in public.kept()[1]


def test_adapters_of_one_name_and_other_weights_are_told_apart(tab: BlindTab, warnings: list[str]) -> None:
    for sha in ("ab" * 32, "cd" * 32):
        ballot, _ = played(tab, (BASE, NAMES[0]))
        ballot.adapters = {NAMES[0]: sha}
        data = json.loads(tab.choose("left")(ballot, "id")[0])
    marks = {(row["adapter"], row["mark"]) for row in data["standings"]["systems"]}
    assert marks == {(None, ""), (NAMES[0], "ababab"), (NAMES[0], "cdcdcd")}


def test_a_choice_among_who_answers_follows_the_shelf(tab: BlindTab) -> None:
    update = tab.refresh([NAMES[0], "pergi", BASE], "en")
    assert update["value"] == [NAMES[0], BASE]
    assert [name for _, name in update["choices"]] == [BASE, *NAMES]
    assert update["choices"][0][0] == "Base"
