"""The results on the comparison tab: is an adapter to be believed, what was measured, and its worst answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from llada_demo.evaluation.results import PUBLISHED, RESULTS, published, read_results
from llada_demo.ui.metric_words import METRICS, Pair
from llada_demo.ui.results_charts import KINDS, OVERLAP, comparison, overlap, published_chart, score
from llada_demo.ui.results_tables import board, published_board, published_notes
from llada_demo.ui.running import PRIVATE
from llada_demo.ui.words import Words, pick

COMMAND = "python -m llada_demo evaluate --adapters all"  # makes a results file

TEXTS: Mapping[str, Pair] = {
    "results": (
        "### Hasil pengukuran\nSetiap adapter dibandingkan dengan model dasar, pada pertanyaan yang sama.",
        "### Results of measuring\nEvery adapter against the base, on the same questions.",
    ),
    "file": ("Pengukuran kami", "Our measurements"),
    "metric": ("Metrik", "Metric"),
    "kind": ("Grafik", "Chart"),
    "published": (
        "Diterbitkan untuk LLaDA-8B (bukan pengukuran kami)",
        "Published for LLaDA-8B (not measured by us)",
    ),
}

Results = Mapping[str, Any]


def read_all(folder: Path = RESULTS) -> dict[str, Results]:
    """{file's stem: results} of a folder, newest first."""
    found = {path.stem: read_results(path) for path in folder.glob("*.json") if path.name != PUBLISHED.name}
    return dict(sorted(found.items(), key=lambda pair: (pair[1]["date"], pair[0]), reverse=True))


def build_results(words: Words, language: gr.Textbox, folder: Path = RESULTS) -> None:
    """Builds the section into the open tab. It is drawn when it is first seen, and anew in another language."""
    files = read_all(folder)
    view = ResultsView(files)
    names = [(f"{results['name']} · {results['date'][:10]}", stem) for stem, results in files.items()]
    with gr.Column(elem_id="results"):
        words.make(gr.Markdown, words={"value": TEXTS["results"]}, container=False)
        file = words.make(
            gr.Dropdown, words={"label": TEXTS["file"]}, choices=names, value=next(iter(files), None),
            visible=bool(files), elem_id="results-file",
        )  # fmt: skip
        gr.HTML("", elem_id="results-verdicts")
        fooled = gr.Plot(show_label=False, elem_classes="results-plot", visible=bool(files), elem_id="results-overlap")
        gr.HTML("", elem_id="results-table")
        metric, kind = _choices(words, view.metrics, "results", bool(files))
        plot = gr.Plot(show_label=False, elem_classes="results-plot", visible=bool(files), elem_id="results-chart")
        gr.HTML("", elem_id="results-worst")
    told = gr.Textbox(visible="hidden", elem_id="results-told")
    seen = gr.Button(visible="hidden", elem_id="results-seen")
    is_seen = gr.State(False)

    everything = [file, metric, kind, language, is_seen]
    whole: dict[str, Any] = {"inputs": everything, "outputs": [told, fooled, plot], **PRIVATE}
    seen.click(lambda: True, None, is_seen, **PRIVATE).then(view.show, **whole)
    file.input(view.show, **whole)
    language.change(view.show, **whole)
    gr.on([metric.input, kind.input], view.chart, everything[:4], plot, trigger_mode="always_last", **PRIVATE)
    told.change(None, told, None, js="llada.results.take", **PRIVATE)
    _build_published(words, language, published())


def _build_published(words: Words, language: gr.Textbox, published: Results) -> None:
    """The scores that others published, in a fold of their own."""
    with words.make(gr.Accordion, words={"label": TEXTS["published"]}, open=False, elem_id="published") as part:
        notes = tuple(published_notes(published, spoken) for spoken in ("id", "en"))
        words.make(gr.Markdown, words={"value": notes}, container=False)
        metrics = [name for name in METRICS if any(row["metric"] == name for row in published["results"])]
        metric, _ = _choices(words, metrics, "published", True, kinds=False)
        plot = gr.Plot(show_label=False, elem_classes="results-plot", elem_id="published-chart")
        gr.HTML("", elem_id="published-table")
    told = gr.Textbox(visible="hidden", elem_id="published-told")
    is_open = gr.State(False)

    def show(metric: str, language: str, is_open: bool) -> tuple[Any, Any]:
        if not is_open:
            return gr.skip(), gr.skip()
        return _json(published_board(published, language)), published_chart(published, metric, language)

    inputs = [metric, language, is_open]
    part.expand(lambda: True, None, is_open, **PRIVATE).then(show, inputs, [told, plot], **PRIVATE)
    part.collapse(lambda: False, None, is_open, **PRIVATE)
    language.change(show, inputs, [told, plot], **PRIVATE)
    metric.input(
        lambda metric, language: published_chart(published, metric, language), [metric, language], plot,
        trigger_mode="always_last", **PRIVATE,
    )  # fmt: skip
    told.change(None, told, None, js="llada.results.takePublished", **PRIVATE)


def _choices(words: Words, metrics: list[str], stem: str, visible: bool, kinds: bool = True) -> tuple[Any, Any]:
    """The two choices above a chart: of which metric, and of which kind."""
    named = tuple([(pick(METRICS[name].name, spoken), name) for name in metrics] for spoken in ("id", "en"))
    drawn = tuple([(pick(pair, spoken), name) for name, pair in KINDS.items()] for spoken in ("id", "en"))
    with gr.Row(elem_id=f"{stem}-choices", visible=visible):
        metric = words.make(
            gr.Dropdown, words={"label": TEXTS["metric"], "choices": named}, elem_id=f"{stem}-metric",
            value=OVERLAP if OVERLAP in metrics else next(iter(metrics), None), min_width=160,
        )  # fmt: skip
        kind = words.make(
            gr.Radio, words={"label": TEXTS["kind"], "choices": drawn}, value="bar", visible=kinds,
            elem_id=f"{stem}-kind", min_width=160,
        )  # fmt: skip
    return metric, kind


class ResultsView:
    """The handlers: controls -> files -> view."""

    def __init__(self, files: Mapping[str, Results]) -> None:
        self.files = files
        systems = [system for results in files.values() for system in results["systems"]]
        self.metrics = [name for name in METRICS if any(score(system, name) for system in systems)]

    def show(self, file: str | None, metric: str, kind: str, language: str, is_seen: bool) -> tuple[Any, Any, Any]:
        """(what the browser draws, overlap against stability, the chosen metric)."""
        if not is_seen:
            return gr.skip(), gr.skip(), gr.skip()
        results = self.files.get(file or "")
        if results is None:
            return _json({"language": language, "command": COMMAND}), None, None
        return _json(board(results, language)), overlap(results, language), self.chart(file, metric, kind, language)

    def chart(self, file: str | None, metric: str, kind: str, language: str) -> Any:
        """The chosen metric of every system."""
        results = self.files.get(file or "")
        return comparison(results, metric, kind, language) if results and metric in METRICS else None


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
