"""Whom not to believe: every way of fooling the scores is named, and a good adapter is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from llada_demo.core.options import SamplingOptions
from llada_demo.engine import Engine
from llada_demo.evaluation.bits import diffusion_nats
from llada_demo.evaluation.examples import read_heldout
from llada_demo.evaluation.facts import Evidence, evidence
from llada_demo.evaluation.heldout import Item
from llada_demo.evaluation.results import published
from llada_demo.evaluation.scores import all_scores
from llada_demo.evaluation.verdict import RULES, Verdict, is_salad, judge

COUNT, DRAWS = 20, 2
Judge = Callable[..., Verdict]


class Field:
    """Held-out questions, the embedded model's own answers, and evidence for any other list of answers."""

    def __init__(self, engine: Engine, heldout: str) -> None:
        self.engine = engine
        self.examples = read_heldout(heldout, engine.tokenizer, engine.max_length, 64, COUNT).examples
        self.known: dict[tuple[int, str], tuple[float, int]] = {}
        self.references = [example.reference for example in self.examples]
        self.nats = [self._nats(i, reference) for i, reference in enumerate(self.references)]
        self.base_texts = self.answers(0)
        self.base = self.evidence(self.base_texts)
        self.written = evidence(self.references, [True] * COUNT, self.references, self.nats, self.nats)

    def answers(self, seed: int) -> list[str]:
        options = SamplingOptions(gen_length=32, steps=8, block_length=32, temperature=0.7)
        runs = []
        for i, example in enumerate(self.examples):
            run = self.engine.start(example.messages(), replace(options, seed=seed + i))
            for _ in run:
                pass
            runs.append(run)
        return [run.text for run in runs]

    def evidence(self, texts: Sequence[str], harder: float = 1.0) -> Evidence:
        """harder: how much less likely the references are under the system than under the base."""
        rows = [all_scores(text, reference) for text, reference in zip(texts, self.references, strict=True)]
        table = {name: [row[name] for row in rows] for name in rows[0]}
        own = [self._nats(i, text) if text else None for i, text in enumerate(texts)]
        known = [(nats * harder, tokens) for nats, tokens in self.nats]
        return evidence(texts, [True] * COUNT, self.references, own, known, table)

    def judge(self, texts: Sequence[str], harder: float = 1.0) -> Verdict:
        return judge(self.evidence(texts, harder), self.base, self.written)

    def _nats(self, i: int, text: str) -> tuple[float, int]:
        if (i, text) not in self.known:
            self.known[i, text] = self._measured(i, text)
        return self.known[i, text]

    def _measured(self, i: int, text: str) -> tuple[float, int]:
        item = self.examples[i].item
        tokenizer = self.engine.tokenizer
        ids = (*item.ids[: item.start], *tokenizer.encode(text), tokenizer.special.eot)
        return diffusion_nats(self.engine.model, Item(ids, item.start, text), DRAWS, i), len(ids) - item.start


@pytest.fixture(scope="module")
def field(engine: Engine, root: Any) -> Field:
    return Field(engine, str(root / "assets/data/percakapan/heldout.jsonl"))


def ids(verdict: Verdict) -> set[str]:
    assert verdict.believed is not bool(verdict.reasons)
    for reason in verdict.reasons:
        assert reason.id_text != reason.en_text
        assert any(character.isdigit() for character in reason.en_text)
    return {reason.id for reason in verdict.reasons}


def shuffled(text: str, seed: int) -> str:
    words = text.split()
    random.Random(seed).shuffle(words)
    return " ".join(words)


def test_shuffled_references_have_every_word_and_are_not_believed(field: Field) -> None:
    texts = [shuffled(reference, i) for i, reference in enumerate(field.references)]
    assert min(field.evidence(texts).scores["rouge1"]) == 1
    assert {"unlikely", "fooled"} <= ids(field.judge(texts))


def test_a_salad_of_keywords_is_not_believed(field: Field) -> None:
    draw, every = random.Random(0), [word for reference in field.references for word in reference.split()]
    halves = [(r.split()[::2], draw.sample(every, len(r.split()) // 2)) for r in field.references]
    assert {"unlikely", "fooled"} <= ids(field.judge([shuffled(" ".join(a + b), len(a)) for a, b in halves]))


def test_the_reference_written_twice_is_not_believed(field: Field) -> None:
    assert {"long", "repeats"} <= ids(field.judge([f"{r} {r}" for r in field.references]))


def test_one_sentence_for_everything_is_not_believed(field: Field) -> None:
    assert "canned" in ids(field.judge(["Saya senang membantu Anda, tetapi saya belum tahu jawabannya."] * COUNT))


def test_blank_answers_are_not_believed(field: Field) -> None:
    assert "blank" in ids(field.judge([""] * COUNT))
    assert "blank" in ids(field.judge([text if i % 2 else "" for i, text in enumerate(field.base_texts)]))


def test_words_that_stand_twice_are_not_believed(field: Field) -> None:
    assert "doubled" in ids(field.judge([" ".join(f"{w} {w}" for w in r.split()) for r in field.references]))


def test_another_language_is_not_believed(field: Field) -> None:
    english = "The answer to the question {} is that it depends on what you would like to know about it."
    assert "foreign" in ids(field.judge([english.format(i) for i in range(COUNT)]))


def test_an_adapter_that_forgot_what_answers_look_like_is_not_believed(field: Field) -> None:
    assert ids(field.judge(field.base_texts, harder=1.4)) == {"heldout"}
    better = [r if i % 4 else b for i, (r, b) in enumerate(zip(field.references, field.base_texts, strict=True))]
    assert ids(field.judge(better, harder=1.1)) == {"fooled"}  # too little alone, but scores say the opposite
    assert field.judge(field.base_texts, harder=1.1).believed


def test_good_and_equal_adapters_are_believed(field: Field) -> None:
    assert ids(field.judge(field.references, harder=0.8)) == set()
    better = [r if i % 4 else b for i, (r, b) in enumerate(zip(field.references, field.base_texts, strict=True))]
    assert ids(field.judge(better)) == set()
    assert ids(field.judge(field.answers(100))) == set()
    assert ids(field.judge(field.base_texts)) == set()


def made(count: int, **facts: Sequence[float]) -> Evidence:
    """Evidence without texts; a fact that is not given is the same for all."""
    usual = {"nats": 3.0, "bits": 1.5, "empty": 0.0, "ended": 1.0, "words": 20.0}
    usual |= {"repeated_3": 0.02, "doubled": 0.01, "indonesian": 0.95}
    columns = {name: list(facts.get(name, [value] * count)) for name, value in usual.items()}
    means = {name: sum(values) / count for name, values in columns.items()}
    totals = means | {"bits_per_character": means["bits"], "nats_under_base": means["nats"]}
    totals |= {"length_ratio": means["words"] / 20, "distinct_2": 0.9}
    return Evidence({}, columns, totals)


CASES: dict[str, dict[str, Sequence[float]]] = {
    "endless": {"ended": [0.0, 1.0] * 15},
    "short": {"words": [4.0] * 30},
    "long": {"words": [50.0] * 30},
    "degenerate": {"nats": [0.5] * 30},
    "unlikely": {"nats": [5.0] * 30},
    "heldout": {"bits": [2.1] * 30},
    "repeats": {"repeated_3": [0.3] * 30},
    "foreign": {"indonesian": [0.6] * 30},
}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_speaks_for_its_own_fault_alone(name: str) -> None:
    usual = made(30)
    assert ids(judge(made(30, **CASES[name]), usual, usual)) == {name}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_that_may_be_chance_is_not_named(name: str) -> None:
    (fact,) = CASES[name]
    odd, usual = CASES[name][fact][0], made(30).facts[fact][0]
    assert usual is not None
    wild = [usual] * 28 + [usual + 30 * (odd - usual)] * 2  # the same mean and more, from two answers
    assert ids(judge(made(30, **{fact: wild}), made(30), made(30))) == set()


def test_few_examples_convince_nobody() -> None:
    verdict = judge(made(5), made(5), made(5))
    assert [reason.id for reason in verdict.reasons] == ["few"]
    assert not verdict.believed


def test_the_verdict_is_plain_data_in_both_languages() -> None:
    found = judge(made(30, bits=[2.1] * 30), made(30), made(30)).to_dict()
    assert found["believed"] is False
    assert set(found["reasons"][0]) == {"id", "id_text", "en_text"}
    assert "2.100" in found["reasons"][0]["en_text"]
    assert len(RULES) == 12


def test_of_the_published_adapters_the_incoherent_one_is_found_by_its_means() -> None:
    rows = {(row["metric"], row["adapter"]): row for row in published()["results"]}
    means = {
        n: [(rows["rouge1", n][which], rows["rouge2", n][which]) for which in ("base_mean", "adapted_mean")]
        for n in range(1, 10)
    }
    assert [n for n, (base, adapted) in means.items() if is_salad(base, adapted)] == [4]
    assert not is_salad((0.1, 0.0), (0.5, 0.0))


def test_another_form_of_the_answers_is_a_note_where_no_score_rose() -> None:
    """Letters: the references became harder, and the scores say so themselves."""
    rouge = [0.3 + 0.01 * (i % 5) for i in range(30)]
    base, letters = made(30), made(30, bits=[2.5] * 30, nats=[4.0] * 30)
    base, same = (replace(one, scores={"rouge1": rouge}) for one in (base, letters))
    lower = replace(letters, scores={"rouge1": [value - 0.1 for value in rouge]})
    verdict = judge(lower, base, base)
    assert ids(verdict) == set()
    assert [note.id for note in verdict.notes] == ["form"]
    assert "2.500 bits per character" in verdict.notes[0].en_text
    assert ids(judge(same, base, base)) == {"heldout"}
