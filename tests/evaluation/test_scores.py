"""Scores: each equals its library's own output, and sums by hand where a hand can do them."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu
from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer
from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

from llada_demo.evaluation import scores

PAIRS = [
    ("Anak-anak bermain bola di lapangan.", "Anak-anak memainkan bola di lapangan desa."),
    ("Ibu kota Indonesia adalah Jakarta, bukan Bandung!", "Jakarta adalah ibu kota Indonesia."),
    ("Saya tidak tahu.", "Air laut asin karena mengandung garam."),
]
pairs = pytest.mark.parametrize(("text", "reference"), PAIRS)


def test_words_stay_whole() -> None:
    assert scores.tokens("Anak-anak Jum'at: café, 17-8-1945!") == ["anak-anak", "jum'at", "café", "17-8-1945"]
    assert scores.tokens("cafe\u0301") == scores.tokens("café")


def test_rouge_by_hand() -> None:
    text, reference = "kucing itu tidur di atas meja", "kucing itu duduk di meja makan"
    assert scores.rouge(text, reference, "rouge1") == pytest.approx(4 / 6)  # kucing, itu, di, meja of 6 and 6
    assert scores.rouge(text, reference, "rouge2") == pytest.approx(1 / 5)  # kucing itu of 5 and 5
    assert scores.rouge(text, reference, "rougeL") == pytest.approx(4 / 6)  # the same four, in order
    assert scores.rouge("meja di itu kucing", reference, "rougeL") == pytest.approx(2 * (1 / 4) * (1 / 6) / (5 / 12))


def test_bleu_1_by_hand() -> None:
    assert scores.bleu("kucing itu tidur", "kucing itu duduk di meja", 1) == pytest.approx(2 / 3 * math.exp(1 - 5 / 3))
    assert scores.bleu("itu itu itu", "kucing itu", 1) == pytest.approx(1 / 3)  # a word counts as often as it is there


@pairs
def test_rouge_is_that_of_rouge_score(text: str, reference: str) -> None:
    numbers = {word: f"w{i}" for i, word in enumerate(scores.tokens(f"{text} {reference}"))}
    plain = [" ".join(numbers[word] for word in scores.tokens(words)) for words in (reference, text)]
    found = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(*plain)  # words that its own tokenizer leaves whole
    for kind, score in found.items():
        assert scores.rouge(text, reference, kind) == pytest.approx(score.fmeasure)


@pairs
def test_bleu_and_chrf_are_those_of_sacrebleu(text: str, reference: str) -> None:
    assert scores.bleu(text, reference, 4) == pytest.approx(sacrebleu.sentence_bleu(text, [reference]).score / 100)
    found = sacrebleu.sentence_chrf(text, [reference], word_order=2)
    assert scores.chrf(text, reference) == pytest.approx(found.score / 100)


def test_the_scores_of_a_set_are_not_means_of_sentences() -> None:
    texts, references = [text for text, _ in PAIRS], [reference for _, reference in PAIRS]
    found = scores.corpus_scores(texts, references)
    assert found["bleu_4"] == pytest.approx(sacrebleu.corpus_bleu(texts, [references]).score / 100)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(texts, [references], word_order=2).score / 100)
    mean = sum(scores.bleu(*pair, 4) for pair in PAIRS) / len(PAIRS)
    assert found["bleu_4"] != pytest.approx(mean, rel=0.01)
    assert set(scores.corpus_scores([], []).values()) == {0.0}


@pairs
def test_meteor_is_that_of_nltk_without_synonyms(text: str, reference: str) -> None:
    class Nothing:
        def synsets(self, word: str) -> list[str]:
            return []

    words, wanted = scores.tokens(text), scores.tokens(reference)
    stemmer = StemmerFactory().create_stemmer()
    assert scores.meteor(text, reference) == single_meteor_score(wanted, words, stemmer=stemmer, wordnet=Nothing())


def test_meteor_by_hand() -> None:
    # 2 matches of 3 and 3 words in 1 chunk: F is 2/3, the penalty 0.5 x (1/2)^3
    assert scores.meteor("kucing itu tidur", "kucing itu makan") == pytest.approx(2 / 3 * (1 - 0.5 / 8))


def test_meteor_knows_indonesian_stems() -> None:
    assert scores.meteor("bermain", "memainkan") > 0.4
    assert scores.rouge("bermain", "memainkan", "rouge1") == 0


def test_all_scores_are_shares_and_nothing_is_worth_nothing() -> None:
    for text, reference in PAIRS:
        found = scores.all_scores(text, reference)
        assert list(found) == list(scores.METRICS)
        assert all(0 <= value <= 1 for value in found.values())
    assert set(scores.all_scores("", PAIRS[0][1]).values()) == {0.0}
    same = scores.all_scores(PAIRS[0][1], PAIRS[0][1])
    assert all(value == pytest.approx(1, abs=0.01) for value in same.values())  # METEOR's penalty leaves a little


def test_f1_of_a_share() -> None:
    assert (scores.f1_of_share(0.0), scores.f1_of_share(0.5), scores.f1_of_share(1.0)) == (0.0, pytest.approx(2 / 3), 1)


def test_every_library_signs_its_numbers() -> None:
    found = scores.signatures()
    assert "version:" in found["bleu of the set"]
    assert "eff:yes" in found["bleu of a sentence"]
    assert "nw:2" in found["chrf"]


def test_no_torch_is_needed(root: Path) -> None:
    rooms = "scores, statistics, verdict, results, facts"
    code = f"import sys; from llada_demo.evaluation import {rooms}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
