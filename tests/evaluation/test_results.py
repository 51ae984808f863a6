"""Result files: what is read back is what was written, and what is wrong is told; the published means agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llada_demo.core.errors import UserError
from llada_demo.evaluation.results import FORMAT, SCHEMA, published, read_results, recomputed, write_results


def document() -> dict[str, Any]:
    score = {"mean": 0.5, "std": 0.1, "low": 0.4, "high": 0.6, "values": [0.4, 0.6]}
    base: dict[str, Any] = {"name": "base", "adapter": None, "scores": {"rouge1": score}}
    against = {"rouge1": {"difference": 0.0, "percent": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "p_holm": 1.0}}
    verdict = {"believed": True, "reasons": []}
    adapter = {**base, "name": "a", "adapter": "a", "against_base": against, "verdict": verdict}
    settings = {"heldout": {"file": "x", "sha256": "0", "count": 2}}
    return {"format": FORMAT, "schema": SCHEMA, "settings": settings, "systems": [base, adapter]}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_results(tmp_path / "new" / "a.json", document())
    assert read_results(tmp_path / "new" / "a.json") == document()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(format="other"),
        lambda d: d.update(schema=2),
        lambda d: d.pop("systems"),
        lambda d: d.update(systems=[]),
        lambda d: d["systems"].reverse(),
        lambda d: d["settings"]["heldout"].update(count=3),
        lambda d: d["systems"][1].pop("verdict"),
        lambda d: d["systems"][1].update(against_base={}),
        lambda d: d["systems"][0]["scores"]["rouge1"].update(mean="high"),
        lambda d: d.update(systems=[None]),
    ],
)
def test_what_is_wrong_is_one_sentence(spoil: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    spoilt = document()
    spoil(spoilt)
    with pytest.raises(UserError):
        write_results(tmp_path / "a.json", spoilt)
    assert not list(tmp_path.iterdir())
    (tmp_path / "b.json").write_text(json.dumps(spoilt), encoding="utf-8")
    with pytest.raises(UserError, match=r"b\.json") as error:
        read_results(tmp_path / "b.json")
    assert "\n" not in error.value.in_language("id")


@pytest.mark.parametrize("text", ["", "{", "[1]", "\udcff"])
def test_what_is_no_result_at_all_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"c\.json"):
        read_results(tmp_path / "c.json")
    with pytest.raises(UserError, match=r"d\.json"):
        read_results(tmp_path / "d.json")


def test_every_published_improvement_follows_from_its_means() -> None:
    rows = recomputed(published())
    assert len(rows) == 90
    assert [(row["metric"], row["adapter"]) for row in rows if not row["agrees"]] == []


def test_a_number_that_does_not_follow_is_found() -> None:
    row = {"metric": "m", "adapter": 1, "base_mean": 0.1, "adapted_mean": 0.2}
    stated = [(0.1, 100.0, True), (0.1001, 100.0, True), (0.1, 100.2, False), (0.2, 100.0, False), (-0.1, 50.0, False)]
    for improvement, percent, agrees in stated:
        (found,) = recomputed({"results": [{**row, "improvement": improvement, "improvement_pct": percent}]})
        assert found["agrees"] is agrees
        assert (found["again"], found["again_pct"]) == (pytest.approx(0.1), pytest.approx(100))
