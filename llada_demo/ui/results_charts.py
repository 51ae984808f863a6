"""Charts of an evaluation (plotly). All ink is one colour, which results.css turns light on dark ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from llada_demo.ui.metric_words import METRICS, Pair
from llada_demo.ui.words import pick

INK, GREY, DIFFERS = "#1c2430", "#8a8f98", "#d55e00"
ADAPTERS = ("#56b4e9", "#009e73", "#cc79a7", "#e69f00")  # Okabe-Ito; after the fourth they begin again
KINDS: Mapping[str, Pair] = {"bar": ("Batang", "Bars"), "box": ("Kotak", "Box"), "violin": ("Biola", "Violin")}

OVERLAP, STABILITY = "rougeL", "bits_per_character"
TEXTS: Mapping[str, Pair] = {
    "overlap_title": ("Tumpang tindih lawan kestabilan", "Overlap against stability"),
    "overlap_x": ("perubahan ROUGE-L (%) · lebih mirip →", "change of ROUGE-L (%) · nearer →"),
    "overlap_y": ("bit per huruf (%) · lebih stabil →", "bits per character (%) · more stable →"),
    "unstable": ("kurang stabil daripada dasar", "less stable than the base"),
    "base": ("dasar", "base"),
    "interval": ("{name}: rata-rata dan selang 95 %", "{name}: mean and 95 % interval"),
    "spread": ("{name}: sebaran tiap jawaban", "{name}: spread over the answers"),
    "only_mean": ("{name}: hanya rata-rata yang diukur", "{name}: only the mean is measured"),
    "deviation": ("{name}: rata-rata ± simpangan baku", "{name}: mean ± standard deviation"),
    "random_pair": ("pasangan acak", "random pair"),
    "run": ("adapter LLaDA-8B yang diterbitkan", "published adapter of LLaDA-8B"),
    "adapted": ("dengan adapter", "with the adapter"),
}


def score(system: Mapping[str, Any], metric: str) -> Mapping[str, Any] | None:
    """{mean, std, low, high, values} of a system; of what is one number for all answers, {mean}; else None."""
    found = system.get("scores", {}).get(metric)
    whole = system.get("facts", {}).get(metric, system.get("corpus", {}).get(metric))
    return found or (None if whole is None else {"mean": whole})


def change(base: Mapping[str, Any], system: Mapping[str, Any], metric: str) -> Mapping[str, Any] | None:
    """{difference, percent, and where measured low, high, p, p_holm} of a system against the base, or None."""
    found, at, here = system.get("against_base", {}).get(metric), score(base, metric), score(system, metric)
    if found is not None or at is None or here is None or system is base:
        return found
    difference = here["mean"] - at["mean"]
    return {"difference": difference, "percent": 100 * difference / at["mean"] if at["mean"] else None}


def named(system: Mapping[str, Any], language: str) -> str:
    """What a system is called."""
    return str(system["name"]) if system.get("adapter") else pick(TEXTS["base"], language)


def colours(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ink for the base, which comes first, and a colour for each adapter."""
    return [INK, *(ADAPTERS[at % len(ADAPTERS)] for at in range(len(systems) - 1))]


def overlap(results: Mapping[str, Any], language: str) -> go.Figure:
    """What overlap says against what stability says: above right is better, below is an adapter that fools."""
    base, *adapters = results["systems"]
    points = [go.Scatter(x=[0], y=[0], mode="markers+text", text=[pick(TEXTS["base"], language)],
                         textposition="bottom left", marker={"color": INK, "size": 11, "symbol": "diamond"},
                         hoverinfo="skip")]  # fmt: skip
    placed = []
    for system, colour in zip(adapters, colours(results["systems"])[1:], strict=True):
        x, y = (change(base, system, metric) for metric in (OVERLAP, STABILITY))
        if x is not None and y is not None and x.get("percent") is not None and y.get("percent") is not None:
            placed.append((system, colour, x, y["percent"]))
    wide = _range([x["percent"] for _, _, x, _ in placed])
    for at, (system, colour, x, percent) in enumerate(placed):  # names above and below in turn: they are long
        believed = system.get("verdict", {}).get("believed", True)
        at_right = x["percent"] > sum(wide) / 2
        points.append(go.Scatter(
            x=[x["percent"]], y=[percent], mode="markers+text", text=[named(system, language)],
            textposition=f"{'bottom' if at % 2 else 'top'} {'left' if at_right else 'right'}",
            error_x=_whisker(x, score(base, OVERLAP), colour),
            marker={"color": colour, "size": 15, "symbol": "circle" if believed else "x"},
            hovertemplate="%{text}: %{x:+.1f} % · %{y:+.1f} %<extra></extra>",
        ))  # fmt: skip
    tall = _range([percent for *_, percent in placed])
    tall[0] = min(tall[0], -0.4 * tall[1])  # room above the line for names
    figure = _figure(points, pick(TEXTS["overlap_title"], language), 340, language)
    figure.add_hrect(y0=0, y1=tall[1], fillcolor=DIFFERS, opacity=0.1, line_width=0)
    figure.add_annotation(x=0.99, xref="paper", y=tall[1], yanchor="bottom", xanchor="right", showarrow=False,
                          text=pick(TEXTS["unstable"], language))  # fmt: skip
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title=pick(TEXTS["overlap_x"], language), range=wide, zeroline=True)
    figure.update_yaxes(title=pick(TEXTS["overlap_y"], language), range=tall[::-1], zeroline=True)
    return figure


def comparison(results: Mapping[str, Any], metric: str, kind: str, language: str) -> go.Figure:
    """A metric of every system: bars with intervals, boxes or violins. Bars where there is only a mean."""
    systems = [system for system in results["systems"] if score(system, metric)]
    scores = [score(system, metric) or {} for system in systems]
    paint = [c for s, c in zip(results["systems"], colours(results["systems"]), strict=True) if s in systems]
    spread = kind in ("box", "violin") and bool(scores) and all(s.get("values") for s in scores)
    drawn: list[Any] = []
    for system, found, colour in zip(systems, scores, paint, strict=True):
        same: dict[str, Any] = {"name": named(system, language), "orientation": "h"}
        if spread and kind == "box":
            drawn.append(go.Box(x=found["values"], marker={"color": colour, "size": 4}, boxmean=True, **same))
        elif spread:
            drawn.append(go.Violin(x=found["values"], line={"color": colour}, meanline={"visible": True},
                                   points=False, spanmode="hard", **same))  # fmt: skip
        else:
            drawn.append(go.Bar(x=[found["mean"]], y=[named(system, language)], marker={"color": colour},
                                error_x=_interval(found, GREY if colour == INK else INK), **same))  # fmt: skip
    title = "spread" if spread else "interval" if any("low" in found for found in scores) else "only_mean"
    name = pick(METRICS[metric].name, language)
    figure = _figure(drawn, pick(TEXTS[title], language).format(name=name), 120 + 56 * max(1, len(systems)), language)
    figure.update_layout(showlegend=False, bargap=0.35)
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    _landmark(figure, results, metric, language)
    return figure


def published_chart(published: Mapping[str, Any], metric: str, language: str) -> go.Figure:
    """A metric of the published runs, base and adapter of each; only mean and deviation are known."""
    rows = [row for row in published["results"] if row["metric"] == metric]
    runs = [str(row["adapter"]) for row in rows]
    bars = []
    for part, name, colour in (("base", "base", GREY), ("adapted", "adapted", ADAPTERS[0])):
        means, deviations = ([row[f"{part}_{what}"] for row in rows] for what in ("mean", "std"))
        below = [min(pair) for pair in zip(means, deviations, strict=True)]  # a score is never below 0
        error = {"type": "data", "array": deviations, "arrayminus": below, "color": INK, "thickness": 1, "width": 3}
        bars.append(go.Bar(x=runs, y=means, name=pick(TEXTS[name], language), marker={"color": colour}, error_y=error))
    title = pick(TEXTS["deviation"], language).format(name=pick(METRICS[metric].name, language))
    figure = _figure(bars, title, 320, language)
    figure.update_layout(barmode="group", bargap=0.3)
    figure.update_xaxes(type="category", title=pick(TEXTS["run"], language), showgrid=False)
    return figure


def _landmark(figure: go.Figure, results: Mapping[str, Any], metric: str, language: str) -> None:
    """The line that a reader needs: the ideal, or what two unrelated texts reach."""
    random = results.get("random_pair_cosine")
    line = {"color": DIFFERS, "dash": "dot"}
    if metric == "cosine_sim" and random is not None:
        figure.add_vline(x=random, line=line, annotation_text=pick(TEXTS["random_pair"], language))
    elif METRICS[metric].ideal is not None:
        figure.add_vline(x=METRICS[metric].ideal, line=line)


def _interval(found: Mapping[str, Any], colour: str) -> dict[str, Any] | None:
    if found.get("low") is None or found.get("high") is None:
        return None
    above, below = found["high"] - found["mean"], found["mean"] - found["low"]
    return {"type": "data", "array": [above], "arrayminus": [below], "color": colour, "thickness": 2, "width": 6}


def _whisker(against: Mapping[str, Any], base: Mapping[str, Any] | None, colour: str) -> dict[str, Any] | None:
    """The interval of a difference, in percent of the base."""
    if against.get("low") is None or against.get("high") is None or not base or not base["mean"]:
        return None
    low, high = (100 * against[end] / base["mean"] for end in ("low", "high"))
    above, below = max(0, high - against["percent"]), max(0, against["percent"] - low)
    return {"type": "data", "array": [above], "arrayminus": [below], "color": colour, "thickness": 1.5, "width": 4}


def _range(values: Sequence[float]) -> list[float]:
    """Values and 0, with room around them for names."""
    low, high = min([0.0, *values]), max([0.0, *values])
    room = 0.2 * (high - low) or 1.0
    return [low - room, high + room]


def _figure(traces: Any, title: str, height: int, language: str) -> go.Figure:
    figure = go.Figure(traces)
    figure.update_layout(
        title={"text": title, "font": {"size": 14}, "x": 0.01, "xanchor": "left", "xref": "container"}, height=height,
        margin={"l": 56, "r": 16, "t": 44, "b": 48}, dragmode=False, separators=".," if language == "en" else ",.",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "family": "system-ui, sans-serif", "size": 12},
        hoverlabel={"bgcolor": "#2b333d", "bordercolor": "#2b333d", "font": {"color": "#ffffff"}},
        legend={"orientation": "h", "y": 1.1, "x": 1, "xanchor": "right"},
    )  # fmt: skip
    lines = {"gridcolor": "rgba(138,143,152,0.25)", "zerolinecolor": GREY, "zeroline": False, "fixedrange": True}
    figure.update_xaxes(**lines)
    figure.update_yaxes(**lines)
    return figure
