"""What is read for training, and what never is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from llada_demo.core.errors import UserError
from llada_demo.learning.corpus import Conversation, conversation, read_corpus, read_rows


def write(folder: Path, name: str, *rows: Any) -> None:
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "sapaan.jsonl", {"q": ["Halo", "Hai"], "a": "Halo juga."}, {"turns": ["a", "b", "c", "d"]})
    write(
        tmp_path,
        "campuran.jsonl",
        {"messages": ["x", "y"], "source": "luar", "licence": "CC-BY-4.0"},
        {"text": "  Sebuah cerita.  ", "source": "cerita"},
    )
    write(tmp_path, "heldout.jsonl", {"q": ["rahasia"], "a": "rahasia"})
    write(tmp_path, "heldout-2.jsonl", {"q": ["rahasia"], "a": "rahasia"})
    return tmp_path


def test_each_kind_of_row_is_read(folder: Path) -> None:
    corpus = read_corpus([folder])
    assert Conversation(("Halo", "Hai"), ("Halo juga.",), "sapaan") in corpus.conversations
    assert Conversation(("a",), ("b", "c", "d"), "sapaan") in corpus.conversations
    assert Conversation(("x",), ("y",), "luar") in corpus.conversations
    assert corpus.texts == [("Sebuah cerita.", "cerita")]
    assert corpus.counts() == {"sapaan": 2, "luar": 1, "cerita": 1}
    assert corpus.licences == {"sapaan": "CC0-1.0", "luar": "CC-BY-4.0", "cerita": "CC0-1.0"}
    assert sorted(corpus.texts_of_all()) == sorted(
        ["Halo", "Hai", "Halo juga.", "a", "b", "c", "d", "x", "y", "Sebuah cerita."]
    )


def test_held_out_files_are_never_read(folder: Path) -> None:
    (folder / "heldout-broken.jsonl").write_text("not even JSON")
    for only in ((), ("heldout",), ("luar",)):
        assert not [text for text in read_corpus([folder], only=only).texts_of_all() if "rahasia" in text]


def test_no_held_out_answer_stands_in_the_training_text() -> None:
    percakapan = Path(__file__).resolve().parents[2] / "assets" / "data" / "percakapan"
    trained = set(read_corpus([percakapan]).texts_of_all())
    held_out = [conversation(row, "heldout") for row in read_rows(percakapan / "heldout.jsonl")]
    assert held_out
    assert not {turn for talk in held_out if talk for turn in talk.turns} & trained


@pytest.mark.parametrize(
    ("leave_out", "left"),
    [
        ((), {"sapaan", "luar", "cerita"}),
        (("sapaan",), {"luar", "cerita"}),
        (("luar",), {"sapaan", "cerita"}),
    ],
)
def test_files_and_sources_can_be_left_out(folder: Path, leave_out: Sequence[str], left: set[str]) -> None:
    assert set(read_corpus([folder], leave_out).counts()) == left
    assert set(read_corpus([folder], leave_out).licences) == left


def test_only_keeps_the_named_sources_and_every_row_without_one(folder: Path) -> None:
    assert set(read_corpus([folder], only=["cerita"]).counts()) == {"sapaan", "cerita"}


def test_several_folders_are_read_in_order(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    write(other, "lagi.jsonl", {"q": ["?"], "a": "!"})
    assert read_corpus([folder, other]).conversations[-1].source == "lagi"
    assert read_corpus([other, folder]).conversations[0].source == "lagi"


@pytest.mark.parametrize("line", ["{not JSON", '"only a string"', "[1, 2]", "3"])
def test_a_damaged_line_is_named(folder: Path, line: str) -> None:
    (folder / "rusak.jsonl").write_text('{"q": ["a"], "a": "b"}\n\n' + line + "\n")
    with pytest.raises(UserError, match=r"rusak.jsonl, line 3: no JSON") as caught:
        read_corpus([folder])
    assert "baris 3" in caught.value.in_language("id")


def test_a_folder_without_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        read_corpus([tmp_path])


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"turns": ["a", "b", "c"]}, ("b",)),  # a question without an answer is left out
        ({"turns": ["a", "b", "c", "d", "e"]}, ("b", "c", "d")),
        ({"turns": ["a"]}, None),
        ({"turns": []}, None),
        ({"text": "a"}, None),
    ],
)
def test_a_conversation_ends_with_an_answer(row: dict[str, Any], turns: tuple[str, ...] | None) -> None:
    talk = conversation(row, "uji")
    assert (talk.turns if talk else None) == turns


def test_a_dialogue_is_cut_after_each_of_its_answers_alike(
    talk: Callable[[Sequence[str]], Conversation],
) -> None:
    turns, rng = ["u1", "a1", "u2", "a2", "u3", "a3"], random.Random(0)
    cuts = [tuple(talk(turns).cut(rng)) for _ in range(600)]
    assert set(cuts) == {tuple(turns[:n]) for n in (2, 4, 6)}
    assert min(cuts.count(tuple(turns[:n])) for n in (2, 4, 6)) > 150


def test_every_wording_is_used() -> None:
    rng = random.Random(0)
    assert {Conversation(("a", "b"), ("c",), "uji").cut(rng)[0] for _ in range(50)} == {"a", "b"}
