"""The tables of the results, as data that the browser draws: our own, with verdicts, and the published one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from llada_demo.ui.metric_words import GROUPS, METRICS, Pair
from llada_demo.ui.results_charts import OVERLAP, STABILITY, change, colours, named, score
from llada_demo.ui.words import pick

SIGNIFICANT = 0.05  # of p after Holm's correction
# What speaks in a verdict -> the number that it speaks of, and the sign of a difference that is bad.
REASONS: Mapping[str, tuple[str, int]] = {
    "blank": ("empty", 1), "endless": ("ended", -1), "short": ("length_ratio", -1), "long": ("length_ratio", 1),
    "repeats": ("repeated_3", 1), "doubled": ("doubled", 1), "foreign": ("indonesian", -1),
    "canned": ("distinct_2", -1), "heldout": (STABILITY, 1), "fooled": (STABILITY, 1),
    "unlikely": ("nats_under_base", 1), "degenerate": ("nats_under_base", -1), "salad": ("rouge2", -1),
}  # fmt: skip
CARD = (OVERLAP, STABILITY, "repeated_3")  # what a verdict shows beside its reasons

TEXTS: Mapping[str, Pair] = {
    "references": ("rujukan", "references"),
    "published_note": (
        "Sembilan adapter LLaDA-8B untuk bahasa Indonesia, sebagaimana diterbitkan pembuatnya: suhu {temperature}, "
        "{steps} langkah. Hanya rata-rata dan simpangan bakunya diketahui, jadi tidak ada selang, kotak, atau biola.",
        "Nine adapters of LLaDA-8B for Indonesian, as their makers published them: temperature {temperature}, {steps} "
        "steps. Only means and standard deviations are known, so there are no intervals, boxes or violins.",
    ),
    "published_fooled": (
        "**Perhatikan adapter {run}**: nilai tertinggi pada {wins} dari {all} metrik, tetapi {fallen} turun "
        "{percent} %. Kata-katanya cocok, pasangan katanya tidak; menurut pembuatnya, salah satu adapter dengan nilai "
        "terbaik hampir tidak menulis kalimat yang utuh.",
        "**Look at adapter {run}**: the best score in {wins} of {all} metrics, yet its {fallen} fell by {percent} %. "
        "Its words fit, its pairs of words do not; by its makers' account one of the adapters with the best scores "
        "barely wrote a coherent sentence.",
    ),
    "published_noise": (
        "Model dasar yang sama bernilai ROUGE-L {low} sampai {high} dari satu pengukuran ke pengukuran lain: selisih "
        "sekecil itu belum berarti apa-apa.",
        "The same base scores a ROUGE-L of {low} to {high} from one measurement to the next: differences as small as "
        "that mean nothing yet.",
    ),
}

Results = Mapping[str, Any]


def board(results: Results, language: str) -> dict[str, Any]:
    """What the browser draws of a file: what was measured on what, a verdict for each adapter, the table's rows,
    and the worst answers."""
    base, *adapters = results["systems"]
    settings = results.get("settings", {})
    return {
        "language": language,
        "about": {
            "model": results["model"]["model"],
            "date": results["date"][:10],
            "count": settings.get("heldout", {}).get("count"),
            "steps": settings.get("options", {}).get("steps"),
            "temperature": settings.get("options", {}).get("temperature"),
            "random": results.get("random_pair_cosine"),
        },
        "verdicts": [_verdict(base, system, language) for system in adapters],
        "columns": _columns(results, language),
        "rows": [_row(name, results, language) for name in METRICS if score(base, name)],
        "groups": {name: pick(pair, language) for name, pair in GROUPS.items()},
        "worst": [{"name": named(system, language), **_examples(system)} for system in results["systems"]],
    }


def _columns(results: Results, language: str) -> list[dict[str, str]]:
    """A column a system, and one for the written references where they were judged too. colour: "" is ink, and
    without one there is no chip."""
    systems = results["systems"]
    columns = [
        {"name": named(system, language), "colour": "" if at == 0 else colour}
        for at, (system, colour) in enumerate(zip(systems, colours(systems), strict=True))
    ]
    return columns + ([{"name": pick(TEXTS["references"], language)}] if "references" in results else [])


def _verdict(base: Results, system: Results, language: str) -> dict[str, Any]:
    verdict = system["verdict"]
    found = {name: change(base, system, name) for name in CARD}
    return {
        "name": system["name"],
        "believed": verdict["believed"],
        "reasons": [
            reason["en_text" if language == "en" else "id_text"]
            for reason in (*verdict["reasons"], *verdict.get("notes", ()))
        ],
        "figures": [
            {"name": pick(METRICS[name].name, language), **_told(name, against, system)}
            for name, against in found.items()
            if against
        ],
    }


def _row(name: str, results: Results, language: str) -> dict[str, Any]:
    """A metric: what is said of it, and a cell for each column."""
    base, cells = results["systems"][0], []
    for system in results["systems"]:
        found, against = score(system, name) or {}, change(base, system, name)
        cell = {part: found[part] for part in ("mean", "std", "low", "high") if part in found}
        if name in system.get("scores", {}) and name in system.get("corpus", {}):
            cell["corpus"] = system["corpus"][name]
        cells.append(cell | (_told(name, against, system) if against else {}))
    if "references" in results:
        cells.append(dict(score(results["references"], name) or {}))
    return {**_about(name, language), "cells": cells}


def _about(name: str, language: str) -> dict[str, Any]:
    metric = METRICS[name]
    what = {"name": pick(metric.name, language), "what": pick(metric.what, language)}
    return {"group": metric.group, "better": metric.better, **what}


def _told(name: str, against: Results, system: Results) -> dict[str, Any]:
    """A difference to the base, and its kind: better or worse where that is certain, chance where it may be that,
    none where it was not tested. Of what was not tested, the verdict says what is worse."""
    spoken = {REASONS.get(reason["id"]) for reason in system["verdict"]["reasons"]}
    p, kind = against.get("p_holm"), ""
    if (name, 1 if against["difference"] > 0 else -1) in spoken:
        kind = "worse"
    elif p is not None and METRICS[name].better:
        good = against["difference"] * METRICS[name].better > 0
        kind = "chance" if p >= SIGNIFICANT else "better" if good else "worse"
    return {"difference": against["difference"], "percent": against.get("percent"), "kind": kind}


def _examples(system: Results) -> dict[str, list[dict[str, str]]]:
    """{"worst": answers, "even": answers from all over}."""
    found: dict[str, list[dict[str, str]]] = {"worst": [], "even": []}
    for example in system.get("examples", ()):
        found[example["chosen"]].append({part: example[part] for part in ("prompt", "reference", "text")})
    return found


def published_board(published: Results, language: str) -> dict[str, Any]:
    """The published runs as a table: a column a run, with how it was made."""
    names = [name for name in METRICS if any(row["metric"] == name for row in published["results"])]
    rows = [
        {**_about(name, language), "cells": [_cell(row) for row in published["results"] if row["metric"] == name]}
        for name in names
    ]
    columns = [
        {
            "name": str(run["number"]),
            "method": run["method"].partition(" (")[0].replace(" and ", ", "),
            "rank": run["lora_r"],
            "alpha": run["lora_alpha"],
            "rate": run["learning_rate"],
        }
        for run in published["adapters"]
    ]
    groups = {name: pick(pair, language) for name, pair in GROUPS.items()}
    return {"language": language, "columns": columns, "rows": rows, "groups": groups}


def _cell(row: Results) -> dict[str, Any]:
    """A published score. Nothing is known of chance; a fall below the base is marked."""
    return {
        "mean": row["adapted_mean"],
        "std": row["adapted_std"],
        "difference": row["improvement"],
        "percent": row["improvement_pct"],
        "kind": "worse" if row["improvement"] < 0 else "",
    }


def published_notes(published: Results, language: str) -> str:
    """What a reader should know of the published scores, found in them: who wins while falling, and how far the
    same base varies."""
    rows = published["results"]
    sampling = {name: _number(value, language) for name, value in published["sampling"].items()}
    lines = [pick(TEXTS["published_note"], language).format(**sampling)]
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    best = [max((r for r in rows if r["metric"] == name), key=lambda r: r["adapted_mean"]) for name in metrics]
    wins = Counter(row["adapter"] for row in best)
    fallen = min(rows, key=lambda row: row["improvement_pct"])
    if fallen["improvement_pct"] < 0 and wins[fallen["adapter"]]:
        lines.append(
            pick(TEXTS["published_fooled"], language).format(
                run=fallen["adapter"], wins=wins[fallen["adapter"]], all=len(metrics),
                fallen=pick(METRICS[fallen["metric"]].name, language), percent=round(-fallen["improvement_pct"]),
            )
        )  # fmt: skip
    means = [row["base_mean"] for row in rows if row["metric"] == OVERLAP]
    low, high = (_number(mean, language) for mean in (min(means), max(means)))
    lines.append(pick(TEXTS["published_noise"], language).format(low=low, high=high))
    return "\n\n".join(lines)


def _number(value: float, language: str) -> str:
    return f"{value:g}" if language == "en" else f"{value:g}".replace(".", ",")
