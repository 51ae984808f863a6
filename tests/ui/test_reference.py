"""Texts against a reference: the figures are those of the evaluation, whatever shows them."""

from __future__ import annotations

import pytest

from llada_demo.evaluation.scores import all_scores
from llada_demo.ui.reference import MEASURES, SCORES, measured, scorer


def test_scores_are_those_of_the_evaluation() -> None:
    texts = ["Hujan adalah air yang jatuh dari awan.", ""]
    reference = "Hujan adalah air yang turun dari langit."
    rows = measured(texts, reference)
    for text, row in zip(texts, rows, strict=True):
        expected = all_scores(text, reference)
        assert row[:-1] == [round(expected[name], 4) for name in SCORES if name != "cosine"]
    assert 0.5 < rows[0][-1] < 1
    assert rows[1][-1] == 0


def test_a_table_with_many_rows_has_the_same_figures() -> None:
    text, reference = "Hujan adalah air yang jatuh dari awan.", "Hujan adalah air yang turun dari langit."
    score = scorer()
    assert score is not None
    (row,) = measured([text], reference)
    whole = dict(zip(SCORES.values(), row, strict=True))
    assert score(text, reference) == pytest.approx([whole[measure] for measure in MEASURES], abs=1e-4)
    assert score(reference, reference) == (1.0, pytest.approx(1.0))
