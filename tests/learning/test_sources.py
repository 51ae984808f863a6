"""Sources of curation: what is read from where, what is wrong with a row, and what cannot be read at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up_cendol import cendol, cendol_rows, write

from llada_demo.core.errors import UserError
from llada_demo.learning.corpus import read_rows
from llada_demo.learning.curate import Curation, draw_sample
from llada_demo.learning.sources import Example, flaw, parse, read_source


def test_our_own_text_is_read_too_and_held_out_files_never(tmp_path: Path) -> None:
    (tmp_path / "dalam").mkdir()
    write(tmp_path / "sapaan.jsonl", [{"q": ["Halo", "Hai"], "a": "Ya?"}, {"turns": ["a", "b", "c", "d", "e"]}])
    luar = {"messages": ["x", "y"], "source": "tatoeba", "licence": "CC-BY-4.0"}
    write(tmp_path / "dalam" / "luar.jsonl", [luar, {"text": "Hanya teks.", "source": "cerita"}, {"turns": ["a"]}])
    write(tmp_path / "heldout.jsonl", [{"q": ["rahasia"], "a": "rahasia"}])
    sample, counts = draw_sample([str(tmp_path)], Curation(share=1.0), lambda line: None)
    one, two, three = sample
    assert one == Example(("x", "y"), "luar", "tatoeba", "CC-BY-4.0")
    assert two.turns in {("Halo", "Ya?"), ("Hai", "Ya?")}
    assert (two.subset, two.template, two.licence) == ("sapaan", "sapaan", "CC0-1.0")
    assert three.turns == ("a", "b", "c", "d")  # a question without an answer is left out
    assert counts.dropped == {"no conversation": 2}
    with pytest.raises(UserError, match="never read"):
        draw_sample([str(tmp_path / "heldout.jsonl")], Curation(), lambda line: None)


def test_a_wording_is_drawn_by_the_seed() -> None:
    row = {"q": ["a", "b", "c"], "a": "d"}
    drawn = [parse(row, "uji", str(seed))[0].turns[0] for seed in range(50)]
    assert set(drawn) == {"a", "b", "c"}
    assert drawn == [parse(row, "uji", str(seed))[0].turns[0] for seed in range(50)]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"q": ["a"], "a": "b"}, ""),
        ({"q": ["a"]}, "no output"),
        ({"q": ["a"], "a": None}, "no output"),
        ({"q": ["a"], "a": 5}, "not text"),
        ({"q": [" "], "a": "b"}, "no input"),
        ({"q": [], "a": "b"}, "no conversation"),
        ({"q": "abc", "a": "b"}, "no conversation"),
        ({"turns": ["a", "b", "", "d"]}, "no output"),
        ({"turns": {"a": "b", "c": "d"}}, "no conversation"),
        ({"messages": [{"role": "user"}, {"role": "assistant"}]}, "not text"),
        ({"messages": None}, "no conversation"),
        (cendol("s", "t", "a", "b"), ""),
        (cendol("s", "t", ["a"], "b"), "not text"),
        (cendol("s", "t", "\n", None), "no input"),
        (cendol("s", "t", "a", "\u2003"), "no output"),
    ],
)
def test_what_is_wrong_with_a_row_has_a_name(row: dict[str, Any], why: str) -> None:
    assert flaw(parse(row, "uji", "0")[0].turns) == why


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"subset_name": "dolly", "input": "x", "prompt": "y"}])
    with pytest.raises(UserError, match=r"a: the columns template_name, output are missing; there are: subset_name"):
        draw_sample([str(path)], Curation(), lambda line: None)


def test_parquet_gives_the_rows_of_jsonl(tmp_path: Path, collection: str) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [row for row in read_rows(Path(collection)) if not isinstance(row["output"], int)]
    (tmp_path / "data").mkdir()
    for number, part in enumerate((rows[:100], rows[100:])):
        parquet.write_table(pa.Table.from_pylist(part), tmp_path / "data" / f"train-0000{number}.parquet")
    write(tmp_path / "lines.jsonl", rows)
    of_parquet, of_lines = (
        draw_sample([str(tmp_path / name)], Curation(share=0.3), lambda line: None) for name in ("data", "lines.jsonl")
    )
    assert of_parquet == of_lines


def test_the_hub_is_read_as_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load(name: str, **how: Any) -> Iterator[dict[str, Any]]:
        asked.append((name, how))
        return iter(cendol_rows())

    monkeypatch.setattr("datasets.load_dataset", load)
    _, counts = draw_sample(["indonlp/cendol_collection_v2@v1"], Curation(share=0.1), lambda line: None)
    assert asked == [("indonlp/cendol_collection_v2", {"split": "train", "streaming": True, "revision": "v1"})]
    assert counts.read.total() == len(cendol_rows())


@pytest.mark.parametrize("error", [ConnectionError("no network"), ValueError('Bad split: "train"')])
def test_a_hub_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def load(*_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        yield cendol("dolly", "t", "a", "b")
        raise error  # in the middle of the stream

    monkeypatch.setattr("datasets.load_dataset", load)
    with pytest.raises(UserError, match=rf"some/where cannot be read: {error}"):
        list(read_source("some/where"))


def test_without_datasets_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(UserError, match="pip install datasets"):
        list(read_source("some/where"))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.jsonl", b'{"q": ["a"], "a": "b"}\n{oops\n', "line 2: no JSON"),
        ("a.jsonl", b'{"q": ["\xff"], "a": "b"}\n', "cannot be read"),
        ("a.parquet", b"PAR1 and nothing else", "cannot be read"),
        ("a.csv", b"input,output\n", "no .jsonl or .parquet file"),
        ("a.jsonl", b"", "no row to use"),
        ("a.jsonl", b'{"text": "a"}\n', "no row to use.*no conversation: 1"),
    ],
)
def test_damaged_and_empty_files_are_refused(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=why):
        draw_sample([str(tmp_path / name)], Curation(share=1.0), lambda line: None)


@pytest.mark.parametrize("source", ["/no/such/folder", "no such thing"])
def test_a_source_that_is_not_there_is_named(source: str) -> None:
    with pytest.raises(UserError, match=source):
        list(read_source(source))
