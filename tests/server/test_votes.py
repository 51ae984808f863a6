"""No vote is lost, none counts twice, and a file that cannot be used costs a sentence."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from llada_demo.core.errors import UserError
from llada_demo.core.settings import VOTES
from llada_demo.core.sheet import unguarded
from llada_demo.server.votes import COLUMNS, LONGEST, Vote, Votes, digest, wilson

NOBODY = 65534


def vote(left: str | None = None, right: str | None = "kecil-lora:0.8", choice: str = "left", **change) -> Vote:
    made = Vote(
        left=left,
        right=right,
        choice=choice,
        question="Apa itu hujan?",
        system_prompt="Jawab singkat.",
        left_sha256=digest("Air."),
        right_sha256=digest("Air dari awan."),
        options={"steps": 64, "constraints": {"0": "Tentu"}},
        seed=7,
        model="llada-kecil",
        sha256="ab" * 32,
        adapters={"kecil-lora": "cd" * 32},
    )
    return replace(made, **change)


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user who owns nothing: for root no file is read-only."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user reaches; those of pytest are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def refused(votes: Votes, one: Vote | None = None) -> str:
    with pytest.raises(UserError) as caught:
        votes.add(one or vote())
    assert caught.value.in_language("id") != caught.value.in_language("en")
    assert str(votes.path.parent) not in caught.value.in_language("en")  # a visitor need not know the machine's folders
    return caught.value.in_language("en")


def test_a_vote_comes_back_as_it_was_given(tmp_path: Path):
    votes = Votes(tmp_path / "votes.sqlite")
    given = [vote(), vote("kecil-lora", None, "both_bad", question="'; DROP TABLE votes; --\n\0 é 🌧")]
    for one in given:
        votes.add(one)
    assert Votes(tmp_path / "votes.sqlite").all() == given
    assert stat.S_IMODE(votes.path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(votes.path)) as base:
        assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_fifty_votes_of_two_processes_are_fifty_rows(tmp_path: Path):
    code = (
        "import json, sys; from llada_demo.server.votes import Vote, Votes; votes = Votes(sys.argv[1], wait=60)\n"
        "for vote in json.loads(sys.stdin.read()): votes.add(Vote(**vote))"
    )
    path = tmp_path / "votes.sqlite"
    given = [vote(seed=i) for i in range(50)]
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for half, process in enumerate(processes):
        process.stdin.write(json.dumps([vars(one) for one in given[half::2]]))
        process.stdin.close()
    assert [process.wait(120) for process in processes] == [0, 0]
    assert sorted(one.seed for one in Votes(path).all()) == list(range(50))


def test_two_tabs_with_one_ballot_are_one_vote(tmp_path: Path):
    path, told = tmp_path / "votes.sqlite", []
    ballot = vote().ballot

    def tab(choice: str) -> None:
        try:
            Votes(path, wait=60).add(vote(choice=choice, ballot=ballot))
            told.append("kept")
        except UserError as error:
            told.append(str(error))

    threads = [threading.Thread(target=tab, args=(choice,)) for choice in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted("already voted" in one for one in told) == [False, True]
    (kept,) = Votes(path).all()
    assert kept.ballot == ballot
    assert vote().ballot != vote().ballot


@pytest.mark.parametrize(
    ("change", "message"),
    [({"choice": "middle"}, "'middle'"), ({"right": None}, "same system"), ({"question": "a" * (LONGEST + 1)}, "2001"),
     ({"system_prompt": "a" * (LONGEST + 1)}, "system prompt")],
)  # fmt: skip
def test_what_is_no_vote_is_refused(change: dict, message: str):
    assert len(vote(question="a" * LONGEST).question) == LONGEST
    with pytest.raises(UserError, match=message):
        vote(**change)


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_locked_file_is_told_and_takes_the_same_vote_later(tmp_path: Path, lock: str):
    votes, late = Votes(tmp_path / "votes.sqlite", wait=0.05), vote()
    votes.add(vote())
    with closing(sqlite3.connect(votes.path, isolation_level=None)) as other:
        other.execute(lock)
        assert "in use by another process" in refused(votes, late)
        other.execute("ROLLBACK")
    votes.add(late)
    assert len(votes.all()) == 2
    assert votes.all()[1] == late


def test_a_read_only_file_or_folder_is_told_and_stays_as_it_is(open_folder: Path):
    votes = Votes(open_folder / "votes.sqlite")
    votes.add(vote())
    before = votes.path.read_bytes()
    votes.path.chmod(0o444)
    open_folder.chmod(0o555)
    with without_rights():
        assert "may not be read or written" in refused(votes)
        assert "may not be read or written" in refused(Votes(open_folder / "new.sqlite"))
    assert votes.path.read_bytes() == before
    assert os.listdir(open_folder) == ["votes.sqlite"]


@pytest.mark.parametrize("path", ["none/votes.sqlite", "file/votes.sqlite"])
def test_a_folder_that_is_not_there_is_told_and_not_made(tmp_path: Path, path: str):
    (tmp_path / "file").write_text("")
    votes = Votes(tmp_path / path)
    assert "folder that does not exist" in refused(votes)
    with pytest.raises(UserError, match="folder that does not exist"):
        Votes(tmp_path / "none" / "votes.sqlite").tally()
    assert os.listdir(tmp_path) == ["file"]


def test_the_folder_of_the_default_file_is_made_with_the_first_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    votes = Votes(VOTES)
    assert votes.all() == []
    assert os.listdir(tmp_path) == []
    votes.add(vote())
    assert votes.path.is_relative_to(tmp_path)
    assert len(votes.all()) == 1


def test_a_file_that_is_no_database_is_told_and_stays_as_it_is(tmp_path: Path):
    path = tmp_path / "votes.sqlite"
    path.write_bytes(b"catatan lama " * 100)
    assert "no SQLite database" in refused(Votes(path))
    with pytest.raises(UserError, match="no SQLite database"):
        Votes(path).tally()
    assert path.read_bytes() == b"catatan lama " * 100
    assert "cannot be opened" in refused(Votes(tmp_path))


@pytest.mark.parametrize("change", ["PRAGMA user_version = 2", "PRAGMA application_id = 1"])
def test_another_schema_is_told_and_stays_as_it_is(tmp_path: Path, change: str):
    votes = Votes(tmp_path / "votes.sqlite")
    votes.add(vote())
    with closing(sqlite3.connect(votes.path, isolation_level=None)) as other:
        other.execute(change)
    before = votes.path.read_bytes()
    assert "another version or program" in refused(votes)
    with pytest.raises(UserError, match="another version"):
        votes.export("json")
    assert votes.path.read_bytes() == before


def test_somebody_elses_database_is_left_alone(tmp_path: Path):
    path = tmp_path / "votes.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE votes (a)")
    before = path.read_bytes()
    assert "another version or program" in refused(Votes(path))
    assert path.read_bytes() == before


def test_without_a_vote_there_is_nothing_to_tell_and_no_file(tmp_path: Path):
    votes = Votes(tmp_path / "votes.sqlite")
    assert votes.tally() == votes.scores() == votes.all() == []
    assert json.loads(votes.export("json"))["votes"] == []
    assert not votes.path.exists()
    votes.path.touch()  # another process is about to make its table
    assert votes.tally() == []
    assert votes.path.read_bytes() == b""


@pytest.mark.parametrize(
    ("wins", "decided", "low", "high"),
    [(5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0),
     (81, 263, 0.2553, 0.3662), (0, 0, 0.0, 1.0)],
)  # fmt: skip
def test_the_interval_is_wilsons(wins: int, decided: int, low: float, high: float):
    """0 of 10: 3.8415 / 13.8415 = 0.2775; 1 of 1: 1 / 4.8415 = 0.2065; 81 of 263: Newcombe (1998), table I."""
    assert wilson(wins, decided) == pytest.approx((low, high), abs=5e-5)


def test_a_pair_is_counted_whichever_side_each_stood_on(tmp_path: Path):
    votes = Votes(tmp_path / "votes.sqlite")
    for left, right, choice in [
        (None, "a", "right"), ("a", None, "left"), (None, "a", "left"), ("a", None, "tie"), (None, "a", "both_bad"),
        ("a", "b:0.5", "left"), ("b:0.5", "a", "tie"),
    ]:  # fmt: skip
        votes.add(vote(left, right, choice))
    base_a, a_b = votes.tally()
    assert (base_a.first.system.adapter, base_a.second.system.adapter) == (None, "a")
    assert (base_a.votes, base_a.first.wins, base_a.second.wins, base_a.ties, base_a.both_bad) == (5, 1, 2, 1, 1)
    assert base_a.second.rate == pytest.approx(2 / 3)
    assert base_a.second.interval == wilson(2, 3)
    assert (a_b.votes, a_b.first.wins, a_b.second.wins, a_b.ties, a_b.both_bad) == (2, 1, 0, 1, 0)
    scores = {score.system.adapter: (score.votes, score.wins, score.losses) for score in votes.scores()}
    assert scores == {"a": (7, 3, 1), None: (5, 1, 2), "b:0.5": (2, 0, 1)}
    assert next(iter(scores)) == "a"


def test_undecided_votes_have_no_rate(tmp_path: Path):
    votes = Votes(tmp_path / "votes.sqlite")
    votes.add(vote(choice="tie"))
    (standing,) = votes.tally()
    assert standing.first.rate is None
    assert standing.first.interval == (0.0, 1.0)


def test_other_weights_under_the_same_name_are_another_system(tmp_path: Path):
    votes = Votes(tmp_path / "votes.sqlite")
    votes.add(vote())
    votes.add(vote(adapters={"kecil-lora": "ef" * 32}))
    votes.add(vote(sha256="12" * 32))
    votes.add(vote(model="nama lain"))
    assert [standing.votes for standing in votes.tally()] == [2, 1, 1]
    assert votes.tally()[0].first.system.model == "nama lain"


def test_an_export_holds_every_vote_and_runs_nowhere(tmp_path: Path):
    votes = Votes(tmp_path / "votes.sqlite")
    given = [vote(), vote("kecil-lora", None, "tie", question='=HYPERLINK("http://contoh.id"), "ya"\n', seed=0)]
    for one in given:
        votes.add(one)
    data = json.loads(votes.export("json"))
    assert data["schema"] == 1
    assert [Vote(**row) for row in data["votes"]] == given

    table = csv.DictReader(io.StringIO(votes.export("csv").decode("utf-8-sig"), newline=""))
    rows = list(table)
    assert tuple(table.fieldnames) == COLUMNS
    assert rows[1]["question"].startswith("'=HYPERLINK")
    read = [
        Vote(**{
            name: json.loads(cell) if name in ("options", "adapters", "seed")
            else cell or None if name in ("left", "right")
            else unguarded(cell)
            for name, cell in row.items()
        })
        for row in rows
    ]  # fmt: skip
    assert read == given
    with pytest.raises(ValueError, match="pdf"):
        votes.export("pdf")


def test_what_is_broken_off_leaves_no_half_vote(tmp_path: Path):
    votes = Votes(tmp_path / "votes.sqlite")
    votes.add(vote())

    def broken_off() -> None:
        with votes._opened(writing=True) as base:
            base.execute("DELETE FROM votes")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert len(votes.all()) == 1
