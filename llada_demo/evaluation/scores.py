"""How near an answer is to a reference, each number from 0 to 1; by the public libraries, set up for Indonesian.

None of them sees whether an answer is true. ROUGE-1, BLEU-1, METEOR and chrF hardly see the order of words, and
the last two are won by a reference written twice, so they are never read alone: `evaluation.verdict` says when
not to believe them. Nothing here needs torch.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

PACKAGES = ("rouge-score", "sacrebleu", "nltk", "PySastrawi")
TOKEN = re.compile(r"\w+(?:[-'’]\w+)*")
NEAR = 0.5  # cosine from which an answer counts as near its reference, as in the write-up


def tokens(text: str) -> list[str]:
    """Words and numbers in lower case; *anak-anak* and *Jum'at* are one word each, accents stay."""
    return TOKEN.findall(unicodedata.normalize("NFC", text).lower())


def rouge(text: str, reference: str, kind: str) -> float:
    """ROUGE F of a kind: "rouge1" or "rouge2" (shared n-grams), "rougeL" (longest common subsequence)."""
    return float(_rouge(kind).score(reference, text)[kind].fmeasure)


def bleu(text: str, reference: str, order: int) -> float:
    """Sentence BLEU up to n-grams of `order`, smoothed, with the order that a short text can reach.

    For distributions only: its mean over examples is not BLEU, `corpus_bleu` is.
    """
    return float(_bleu(order, True).sentence_score(text, [reference]).score) / 100


def corpus_bleu(texts: Sequence[str], references: Sequence[str], order: int) -> float:
    """BLEU of a whole set: n-grams are counted over all texts before they are divided. 0 for no texts."""
    return float(_bleu(order, False).corpus_score(texts, [references]).score) / 100 if texts else 0.0


def chrf(text: str, reference: str) -> float:
    """chrF++: F of shared character n-grams (1 to 6) and word n-grams (1 and 2); recall counts twice."""
    return float(_chrf().sentence_score(text, [reference]).score) / 100


def corpus_chrf(texts: Sequence[str], references: Sequence[str]) -> float:
    """chrF++ of a whole set. 0 for no texts."""
    return float(_chrf().corpus_score(texts, [references]).score) / 100 if texts else 0.0


def meteor(text: str, reference: str) -> float:
    """METEOR (exact + stem): words that match as they are or by their Indonesian stem, with a penalty for order.

    There is no synonym stage: NLTK's would need an English WordNet.
    """
    score = single_meteor_score(tokens(reference), tokens(text), stemmer=_stemmer(), wordnet=_NoSynonyms())
    return float(score)


METRICS: Mapping[str, Callable[[str, str], float]] = {  # (text, reference) -> 0 to 1
    "rouge1": lambda text, reference: rouge(text, reference, "rouge1"),
    "rouge2": lambda text, reference: rouge(text, reference, "rouge2"),
    "rougeL": lambda text, reference: rouge(text, reference, "rougeL"),
    "bleu_1": lambda text, reference: bleu(text, reference, 1),
    "bleu_2": lambda text, reference: bleu(text, reference, 2),
    "bleu_3": lambda text, reference: bleu(text, reference, 3),
    "bleu_4": lambda text, reference: bleu(text, reference, 4),
    "chrf": chrf,
    "meteor": meteor,
}
NAMES: Mapping[str, str] = {  # as they are shown; the last two need an encoder
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "bleu_1": "BLEU-1 (sentence)",
    "bleu_2": "BLEU-2 (sentence)",
    "bleu_3": "BLEU-3 (sentence)",
    "bleu_4": "BLEU-4 (sentence)",
    "chrf": "chrF++",
    "meteor": "METEOR (exact + stem)",
    "cosine": "cosine (MiniLM)",
    "near": f"cosine >= {NEAR}",
}


def all_scores(text: str, reference: str) -> dict[str, float]:
    """Every one of METRICS, 0 to 1 each; none needs more than the two texts."""
    return {name: measure(text, reference) for name, measure in METRICS.items()}


def corpus_scores(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """BLEU-1 to 4 and chrF++ of a whole set, 0 to 1 each."""
    found = {f"bleu_{order}": corpus_bleu(texts, references, order) for order in range(1, 5)}
    return found | {"chrf": corpus_chrf(texts, references)}


def f1_of_share(share: float) -> float:
    """F1 of the question "is this answer near its reference?", whose right reply is always yes: precision is 1,
    recall is the share that passes, so F1 = 2p / (1 + p)."""
    return 2 * share / (1 + share)


def signatures() -> dict[str, str]:
    """What each library computed, in the words in which results of it are compared."""
    return {
        "rouge": f"F, no stemmer, words by {TOKEN.pattern}",
        "bleu of a sentence": str(_bleu(4, True).get_signature()),
        "bleu of the set": str(_bleu(4, False).get_signature()),
        "chrf": str(_chrf().get_signature()),
        "meteor": "nltk, exact + stem (Sastrawi), no synonyms, alpha 0.9, beta 3, gamma 0.5",
        "near": f"share of cosine >= {NEAR}",
    }


class _Tokenizer:
    """What RougeScorer asks for."""

    tokenize = staticmethod(tokens)


class _NoSynonyms:
    """Stands where NLTK expects WordNet, and knows no synonym of anything."""

    def synsets(self, word: str) -> tuple[()]:
        return ()


@cache
def _rouge(kind: str) -> Any:
    return RougeScorer([kind], use_stemmer=False, tokenizer=_Tokenizer())


@cache
def _bleu(order: int, sentence: bool) -> Any:
    """sentence: with effective_order, which is made for single texts."""
    metric = BLEU(max_ngram_order=order, effective_order=sentence)
    metric.corpus_score(["a"], [["a"]])  # a signature is complete only after a first use
    return metric


@cache
def _chrf() -> Any:
    metric = CHRF(word_order=2)
    metric.corpus_score(["a"], [["a"]])
    return metric


@cache
def _stemmer() -> Any:
    """The Indonesian stemmer (Nazief and Adriani, by Sastrawi), with its own memory of words."""
    return StemmerFactory().create_stemmer()
