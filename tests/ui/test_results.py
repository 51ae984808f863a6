"""The results page says what the file says: a score that deceives stands beside what gives it away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llada_demo.evaluation import results as evaluation
from llada_demo.ui.metric_words import GROUPS, METRICS, SEES
from llada_demo.ui.results import ResultsView, read_all
from llada_demo.ui.results_charts import ADAPTERS, INK, comparison, overlap, published_chart, score
from llada_demo.ui.results_tables import board, published_board, published_notes
from tests.ui.results_page import HOSTILE, SYSTEMS, made_up

BAD = list(SYSTEMS).index("kecil-rusak")


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return made_up()


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return evaluation.published()


def row(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in data["rows"] if row["name"] == name)


def test_a_file_of_the_evaluation_is_read_as_it_was_written(tmp_path: Path, results: dict[str, Any]) -> None:
    for name, date in (("lama", "2026-01-01T10:00:00+00:00"), ("baru", "2026-02-01T09:00:00+00:00")):
        evaluation.write_results(tmp_path / f"{name}.json", {**results, "date": date})
    (tmp_path / evaluation.PUBLISHED.name).write_text("{}", encoding="utf-8")
    assert list(read_all(tmp_path)) == ["baru", "lama"]  # the newest first, and nothing of others among them
    assert read_all(tmp_path)["lama"] == evaluation.read_results(tmp_path / "lama.json")


def test_the_bad_adapter_wins_on_overlap_and_is_not_believed(results: dict[str, Any]) -> None:
    data = board(results, "en")
    good, _, bad = data["verdicts"]
    assert (good["believed"], bad["believed"]) == (True, False)
    assert bad["reasons"][0].startswith("Written answers became harder")
    kinds = {figure["name"]: figure["kind"] for figure in bad["figures"]}
    assert kinds == {"ROUGE-L": "better", "Bits per character": "worse", "Repeated 3-grams": "worse"}
    assert max(row(data, "ROUGE-L")["cells"][:-1], key=lambda cell: cell["mean"])["mean"] == pytest.approx(
        results["systems"][BAD]["scores"]["rougeL"]["mean"]
    )
    assert board(results, "id")["verdicts"][2]["reasons"][0].startswith("Jawaban rujukan")


def test_a_difference_that_may_be_chance_is_not_called_better(results: dict[str, Any]) -> None:
    for name, entry in results["systems"][1]["against_base"].items():
        kind = row(board(results, "id"), METRICS[name].name[0])["cells"][1]["kind"]
        assert (kind == "chance") == (entry["p_holm"] >= 0.05)
    assert row(board(results, "id"), "Bit per huruf")["cells"][1]["kind"] == ""  # nothing tested it


@pytest.mark.parametrize(("reason", "nats", "kind"), [("unlikely", 9.0, "worse"), ("unlikely", 1.0, ""),
                                                      ("degenerate", 1.0, "worse"), ("few", 9.0, "")])  # fmt: skip
def test_what_a_verdict_speaks_of_is_marked(reason: str, nats: float, kind: str) -> None:
    results = made_up()
    for system, value in ((results["systems"][0], 3.0), (results["systems"][1], nats)):
        system["facts"]["nats_under_base"] = value
    results["systems"][1]["verdict"] = {"believed": False, "reasons": [{"id": reason, "id_text": "", "en_text": ""}]}
    assert row(board(results, "en"), "Nats under the base")["cells"][1]["kind"] == kind


def test_the_table_has_a_cell_for_every_system_and_the_references(results: dict[str, Any]) -> None:
    data = board(results, "id")
    assert [column["name"] for column in data["columns"]] == ["dasar", *list(SYSTEMS)[1:], "rujukan"]
    assert all(len(line["cells"]) == len(data["columns"]) for line in data["rows"])
    assert "difference" not in row(data, "ROUGE-L")["cells"][0]
    assert row(data, "ROUGE-L")["cells"][-1] == {}
    assert row(data, "Kata Indonesia")["cells"][-1] == {"mean": 0.95}
    assert row(data, "BLEU-4")["cells"][0]["corpus"] == pytest.approx(0.02)
    assert len(json.dumps(data)) < 100_000  # one value of the page


def test_answers_are_sent_as_they_are(results: dict[str, Any]) -> None:
    bad = board(results, "id")["worst"][BAD]
    assert [example["text"] for example in bad["worst"]] == [HOSTILE, ""]
    assert len(bad["even"]) == 1


def test_every_metric_of_the_evaluation_has_words() -> None:
    from llada_demo.evaluation import scores

    assert set(scores.METRICS) <= set(METRICS)
    assert {metric.group for metric in METRICS.values()} == set(GROUPS)
    pairs = [pair for metric in METRICS.values() for pair in (metric.name, metric.what)]
    assert all(all(pair) for pair in (*pairs, *GROUPS.values(), *(pair for line in SEES for pair in line)))


def test_the_chart_of_both_shows_the_trade(results: dict[str, Any]) -> None:
    base, *adapters = overlap(results, "en").data
    assert (base.x[0], base.y[0]) == (0, 0)
    fooled = next(point for point in adapters if point.text[0] == "kecil-rusak")
    others = [point for point in adapters if point is not fooled]
    assert all(fooled.x[0] > point.x[0] and fooled.y[0] > 0 > point.y[0] for point in others)
    assert fooled.marker.symbol == "x"
    assert {point.marker.symbol for point in others} == {"circle"}
    assert overlap(results, "en").layout.yaxis.range[0] > overlap(results, "en").layout.yaxis.range[1]  # better is up


def test_bars_boxes_and_violins_show_the_values(results: dict[str, Any]) -> None:
    bars = comparison(results, "rouge1", "bar", "id").data
    found = [score(system, "rouge1") for system in results["systems"]]
    assert [bar.x[0] for bar in bars] == [one["mean"] for one in found if one]
    assert [bar.x[0] + bar.error_x.array[0] for bar in bars] == pytest.approx([one["high"] for one in found if one])
    assert [bar.marker.color for bar in bars] == [INK, *ADAPTERS[:3]]
    for kind in ("box", "violin"):
        drawn = comparison(results, "rouge1", kind, "id").data
        assert [part.type for part in drawn] == [kind] * len(SYSTEMS)
        assert list(drawn[BAD].x) == results["systems"][BAD]["scores"]["rouge1"]["values"]


def test_what_has_no_values_stays_a_bar(results: dict[str, Any]) -> None:
    for metric in ("f1", "bits_per_character"):
        bars = comparison(results, metric, "violin", "en")
        assert {part.type for part in bars.data} == {"bar"}
        assert "only the mean" in bars.layout.title.text


def test_the_cosine_stands_beside_that_of_a_random_pair(results: dict[str, Any]) -> None:
    shapes = comparison(results, "cosine_sim", "bar", "id").layout.shapes
    assert [line.x0 for line in shapes] == [results["random_pair_cosine"]]
    assert not comparison(results, "rouge1", "bar", "id").layout.shapes


def test_published_runs_have_deviations_and_their_own_table(published: dict[str, Any]) -> None:
    base, adapted = published_chart(published, "meteor", "id").data
    assert list(base.x) == [str(number) for number in range(1, 10)]
    assert adapted.y[3] == max(adapted.y)  # the fourth
    assert all(below <= mean for below, mean in zip(adapted.error_y.arrayminus, adapted.y, strict=True))
    data = published_board(published, "en")
    assert len(data["columns"]) == 9
    assert all(len(line["cells"]) == 9 for line in data["rows"])
    worse = [(line["name"], at + 1) for line in data["rows"] for at, c in enumerate(line["cells"]) if c["kind"]]
    assert worse == [("ROUGE-2", 4)]


def test_the_note_names_the_published_run_that_wins_and_falls(published: dict[str, Any]) -> None:
    note = published_notes(published, "en")
    assert "**Look at adapter 4**: the best score in 5 of 10 metrics, yet its ROUGE-2 fell by 82 %" in note
    assert "0.0073 to 0.0149" in note
    assert "suhu 0,7, 32 langkah" in published_notes(published, "id")


def test_before_it_is_seen_nothing_is_drawn_and_without_a_file_a_command_is_told() -> None:
    view = ResultsView({})
    assert all(part["__type__"] == "update" for part in view.show(None, "rougeL", "bar", "id", False))
    told, fooled, chart = view.show(None, "rougeL", "bar", "en", True)
    assert json.loads(told)["command"].startswith("python -m llada_demo evaluate")
    assert fooled is chart is None


def test_a_name_that_is_not_there_draws_nothing(results: dict[str, Any]) -> None:
    view = ResultsView({"ada": results})
    assert view.chart("ada", "tidak ada", "bar", "id") is None
    assert view.chart("../ada", "rougeL", "bar", "id") is None
    assert view.chart("ada", "rougeL", "bar", "id") is not None
