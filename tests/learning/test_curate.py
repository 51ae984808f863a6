"""Curation: what is read and dropped, the stratified sample, and the choice from every cluster."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_cendol import TEMPLATES, cendol, cendol_rows, write

from llada_demo.core.errors import UserError
from llada_demo.learning.curate import (
    SUBSETS,
    Curation,
    Sampler,
    curate,
    draw_sample,
    select,
)
from llada_demo.learning.embedding import Encoder
from llada_demo.learning.sources import Example


def letters(texts: Sequence[str]) -> np.ndarray:
    """An embedding that needs no network: how often each letter stands in a text."""
    return np.array([[text.lower().count(chr(97 + i)) / len(text) for i in range(26)] for text in texts], np.float32)


# The sample


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 300), min_size=1),
    st.floats(0.001, 1.0).map(lambda share: round(share, 3)),
    st.integers(0, 99),
)
def test_every_template_gives_its_share_and_at_least_one(sizes: dict[str, int], share: float, seed: int) -> None:
    rows = [Example((str(i),), "s", name) for name, count in sizes.items() for i in range(count)]
    random.Random(seed).shuffle(rows)
    sampler = Sampler(share, seed)
    for number, row in enumerate(rows, 1):
        sampler.add(row)
        assert len(sampler) <= number * share + 1e-9  # no more is held than the sample
    found = sampler.finish()
    milli = round(share * 1000)
    assert Counter(row.template for row in found) == {
        name: max(1, (2 * count * milli + 1000) // 2000) for name, count in sizes.items()
    }
    assert [rows.index(row) for row in found] == sorted(rows.index(row) for row in found)
    assert len(set(found)) == len(found)


def test_a_share_of_one_is_everything_in_order() -> None:
    rows = [Example((str(i),), "s", "ab"[i % 2]) for i in range(50)]
    sampler = Sampler(1.0, 0)
    for row in rows:
        sampler.add(row)
    assert sampler.finish() == rows


def test_every_row_is_drawn_alike() -> None:
    drawn: Counter[str] = Counter()
    for seed in range(2000):
        sampler = Sampler(0.1, seed)
        for i in range(40):
            sampler.add(Example((str(i),), "s", "t"))
        drawn.update(row.turns[0] for row in sampler.finish())
    assert drawn.total() == 2000 * 4
    assert min(drawn[str(i)] for i in range(40)) > 150  # 200 on average, a deviation of 14
    assert max(drawn[str(i)] for i in range(40)) < 250


def test_what_is_read_wanted_and_dropped_is_counted(collection: str) -> None:
    told: list[str] = []
    sample, counts = draw_sample([collection], Curation(share=0.1), told.append)
    wanted = {name: count for name, (subset, count) in TEMPLATES.items() if subset != "nusax_senti"}
    assert counts.read.total() == len(cendol_rows())
    assert counts.dropped == {"no output": 3, "not text": 1, "no input": 1}
    assert counts.templates == wanted
    assert counts.subsets["wikipedia_id"] == 47
    taken = Counter(example.template for example in sample)
    assert taken == {name: max(1, (2 * count + 10) // 20) for name, count in wanted.items()}
    assert counts.absent == ()
    assert told == []


# What is wanted


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((), {"indo_puisi", "wikihow", "wikipedia_id", "safety_prompt", "identity_prompt", "dolly_id"}),
        (("puisi",), {"indo_puisi"}),
        (("WIKI",), {"wikihow", "wikipedia_id"}),
        (("dolly", "nusax"), {"dolly_id", "nusax_senti"}),
        (("all",), {subset for subset, _ in TEMPLATES.values()}),
    ],
)
def test_subsets_are_named_by_a_part(collection: str, asked: tuple[str, ...], found: set[str]) -> None:
    _, counts = draw_sample([collection], Curation(asked, share=1.0), lambda line: None)
    assert set(counts.subsets) == found


def test_an_unknown_subset_is_refused_and_those_there_are_named(collection: str) -> None:
    with pytest.raises(UserError, match=r"no subset puisii; there are: dolly_id, identity_prompt, indo_puisi"):
        draw_sample([collection], Curation(("puisii", "dolly")), lambda line: None)


def test_a_default_subset_that_is_not_there_is_told_but_no_error(tmp_path: Path) -> None:
    told: list[str] = []
    path = write(tmp_path / "a.jsonl", [cendol("dolly", "t", f"Apa {i}?", "Itu.") for i in range(5)])
    _, counts = draw_sample([str(path)], Curation(share=1.0), told.append)
    assert counts.absent == SUBSETS[:-1]
    assert told == [f"no rows of: {', '.join(SUBSETS[:-1])}"]


# The choice


def test_small_clusters_are_topped_up_from_the_others() -> None:
    labels = np.array([0] * 10 + [1] * 3 + [2] * 6)
    taken, filled = select(labels, Curation(clusters=3, per_cluster=5))
    assert len(taken) == 15
    assert taken == sorted(set(taken))
    kept = Counter(labels[taken].tolist())
    assert kept[1] == 3
    assert kept[0] >= 5 <= kept[2]
    assert len(filled) == 2
    assert filled <= set(taken)
    assert set(labels[list(filled)].tolist()) <= {0, 2}


def test_where_the_data_end_all_is_taken() -> None:
    taken, filled = select(np.array([0, 0, 0, 1]), Curation(clusters=2, per_cluster=5))
    assert taken == [0, 1, 2, 3]
    assert not filled


def test_every_cluster_is_there_and_the_report_adds_up(collection: str) -> None:
    found = curate([collection], Curation(share=0.5, clusters=6, per_cluster=12), letters)
    report = found.report()
    rows = list(found.rows())
    assert len(rows) == report["rows"]["taken"] == 72
    assert {row["cluster"] for row in rows} == set(range(6))
    assert report["rows"]["sampled"] == len(found.sample) == 111
    assert report["rows"]["read"] == report["rows"]["wanted"] + 25
    for part, name in (("subsets", "subset"), ("templates", "template")):
        assert {k: v["taken"] for k, v in report[part].items() if v["taken"]} == Counter(row[name] for row in rows)
        assert sum(v["sampled"] for v in report[part].values()) == 111
        assert sum(v["before"] for v in report[part].values()) == 220
    for number, cluster in report["clusters"].items():
        assert cluster["taken"] == sum(row["cluster"] == int(number) for row in rows)
        assert cluster["taken"] - cluster["topped_up"] == min(12, cluster["sampled"])
    sizes = [cluster["sampled"] for cluster in report["clusters"].values()]
    assert sizes == sorted(sizes, reverse=True)
    assert json.loads(json.dumps(report))["settings"]["share"] == 0.5


def test_the_same_seed_gives_the_same_bytes_and_another_other_rows(collection: str) -> None:
    first, again, other = (
        curate([collection], Curation(share=0.5, clusters=4, per_cluster=15, seed=seed), letters).jsonl()
        for seed in (3, 3, 4)
    )
    assert first == again
    assert set(first.splitlines()) != set(other.splitlines())


def test_equal_inputs_are_embedded_once(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        asked.append(list(texts))
        return letters(texts)

    rows = [cendol("dolly", "t", f"Apa itu {'xyz'[i % 3]}?", f"Jawaban {i}") for i in range(9)]
    found = curate([str(write(tmp_path / "a.jsonl", rows))], Curation(share=1.0, clusters=3), embed)
    assert asked == [["Apa itu x?", "Apa itu y?", "Apa itu z?"]]
    assert found.labels.tolist() == [*found.labels[:3].tolist()] * 3
    assert len(set(found.labels.tolist())) == 3
    with pytest.raises(UserError, match=r"more than the 3 distinct inputs"):
        curate([str(tmp_path / "a.jsonl")], Curation(share=1.0, clusters=4), embed)


def test_more_clusters_than_rows_are_refused(collection: str) -> None:
    with pytest.raises(UserError, match=r"--clusters 50 is more than the \d+ rows of the sample; raise --share"):
        curate([collection], Curation(clusters=50), letters)


@pytest.mark.parametrize(
    "wrong", [{"share": 0}, {"share": 1.01}, {"share": float("nan")}, {"clusters": 0}, {"per_cluster": 0}, {"seed": -1}]
)
def test_settings_refuse_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"--{next(iter(wrong)).replace('_', '-')} must be"):
        Curation(**wrong)


def test_the_encoder_decides_the_clusters_and_tells_how_far_it_is(collection: str, encoder: Encoder) -> None:
    told: list[str] = []
    encoder.tell = told.append
    found = curate([collection], Curation(share=0.4, clusters=4, per_cluster=10), encoder)
    assert len(found.taken) == 40
    assert {row["cluster"] for row in found.rows()} == set(range(4))
    assert found.points.shape == (len(found.sample), 384)
    assert told[-1].split()[-1] == "/".join([str(len({e.turns[0] for e in found.sample}))] * 2)
    inner = found.points @ found.points.T
    same = found.labels[:, None] == found.labels[None]
    assert inner[same].mean() > inner[~same].mean() + 0.1
    assert found.jsonl() == curate([collection], found.settings, encoder).jsonl()


def test_text_that_utf8_cannot_hold_is_written_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [cendol("dolly\ud800", "t", " Apa \ud800? ", "Itu\u2028ini.")])
    found = curate([str(path)], Curation(share=1.0, clusters=1), letters)
    row = json.loads(found.jsonl().decode("utf-8"))
    assert [turn["content"] for turn in row["conversations"]] == ["Apa ??", "Itu\u2028ini."]
