"""Charts of a run: what still moves is the player's; these stand still (plotly)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from llada_demo.core.trace import Trace
from llada_demo.ui.running import PRIVATE
from llada_demo.ui.words import SENTENCES, Words, pick

BLUE, ORANGE, GREY = "#0072b2", "#e69f00", "#8a8f98"  # Okabe-Ito


def build_charts(words: Words, language: gr.Textbox, trace: gr.State, runs: Sequence[Any]) -> None:
    """Builds the part into the open tab. They are drawn when it is opened, and anew after each of `runs`, the
    events that put another run on the board."""
    part = words.make(gr.Accordion, words={"label": "charts"}, open=False, elem_id="charts")
    with part:
        plots = [gr.Plot(show_label=False, elem_id=f"chart-{name}") for name in CHARTS]
    is_open = gr.State(False)

    def draw(trace: Trace | None, language: str, is_open: bool) -> list[Any]:
        if trace is None or not is_open:
            return [gr.skip() for _ in CHARTS]
        return [chart(trace, language) for chart in CHARTS.values()]

    part.expand(lambda: True, None, is_open, **PRIVATE).then(draw, [trace, language, is_open], plots, **PRIVATE)
    part.collapse(lambda: False, None, is_open, **PRIVATE)
    for event in runs:
        event.then(draw, [trace, language, is_open], plots, **PRIVATE)


def confidence(trace: Trace, language: str) -> go.Figure:
    """Probability of the best candidate, by position and step; where a position was not asked for, nothing."""
    rows = []
    for step in trace.steps:
        best = {at: candidates[0].probability for at, candidates in step.candidates if candidates}
        best |= {} if step.by_hand else dict(zip(step.positions, step.confidences, strict=True))
        rows.append([best.get(at) for at in range(trace.options.gen_length)])
    texts = [text for _, text in trace.answer]
    picture = go.Heatmap(
        z=rows, y=list(range(1, len(rows) + 1)), zmin=0, zmax=1, colorscale="Cividis", xgap=1, ygap=1,
        customdata=[texts] * len(rows),
        hovertemplate="%{x} %{customdata} · %{y}: %{z:.2f}<extra></extra>",
    )  # fmt: skip
    figure = _figure(picture, "chart_confidence", "position", "step", language)
    figure.update_yaxes(autorange="reversed")
    return figure


def progress(trace: Trace, language: str) -> go.Figure:
    """Masks left and forwards made, step by step."""
    steps = list(range(len(trace.steps) + 1))
    masks = [trace.answer_at(step).count(None) for step in steps]
    forwards = [0, *(step.forwards for step in trace.steps)]
    lines = [
        go.Scatter(x=steps, y=masks, name=_word("masks_left", language), line={"color": BLUE, "shape": "hv"}),
        go.Scatter(x=steps, y=forwards, name=_word("forwards", language), line={"color": ORANGE, "dash": "dot"}),
    ]
    return _figure(lines, "chart_progress", "step", "", language)


def order(trace: Trace, language: str) -> go.Figure:
    """The step in which each position was committed; a straight line would be left to right."""
    when: dict[int, int] = {}
    for number, step in enumerate(trace.steps, 1):
        when |= dict.fromkeys(step.positions, number)
    dots = go.Scatter(
        x=list(when), y=list(when.values()), mode="markers", marker={"color": BLUE, "size": 7},
        text=[trace.answer[at][1] for at in when], hovertemplate="%{x} %{text} · %{y}<extra></extra>",
    )  # fmt: skip
    return _figure(dots, "chart_order", "position", "step", language)


CHARTS: dict[str, Callable[[Trace, str], go.Figure]] = {"confidence": confidence, "progress": progress, "order": order}


def _figure(traces: Any, title: str, x: str, y: str, language: str) -> go.Figure:
    """A figure that stands on light and dark ground alike."""
    figure = go.Figure(traces)
    figure.update_layout(
        title={"text": _word(title, language), "font": {"size": 14}}, height=320,
        margin={"l": 48, "r": 12, "t": 44, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", font={"color": GREY},
        legend={"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"},
    )  # fmt: skip
    lines = {"gridcolor": "rgba(138,143,152,0.25)", "zeroline": False}
    figure.update_xaxes(title=_word(x, language), **lines)
    figure.update_yaxes(title=_word(y, language) if y else None, **lines)
    return figure


def _word(key: str, language: str) -> str:
    return pick(SENTENCES[key], language)
