"""Whether the scores of an adapter can be believed: one rule for each way in which they were seen to be fooled.

Overlap and embedding scores rise for text that nobody would call an answer: shuffled words, one sentence for
everything, the reference written twice. Each rule compares an adapter with the base on the same examples and
with the written references, and speaks only where the effect is large (its threshold stands below) and
certain (p < CERTAIN in a paired permutation test). No rule speaks for what a better answer does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llada_demo.evaluation.facts import Evidence
from llada_demo.evaluation.statistics import Difference, paired, permutation

CERTAIN = 0.01
ENOUGH = 20  # examples; nothing is believed on fewer
BITS_RISE = 1.25  # held-out bits per character, times the base's; a change of style may cost less than that
UNLIKELY = 1.5  # nats per token of its text under the base, times the larger of base and references; letters: 1.24
DEGENERATE = 0.4  # the same, times the smaller of the two
REPEATED = 0.10  # share of 3-grams that stood in the answer before, above base and references
DOUBLED = 0.05  # share of words that are the word before them, above base and references
BLANK = 0.10  # share of blank answers, above the base
ENDLESS = 0.30  # share of answers that end, below the base
SHORT, LONG = 0.5, 1.75  # words for each word of the references, times the nearer of 1 and the base
FOREIGN = 0.15  # share of Indonesian words, below base and references
CANNED = 0.25  # different 2-grams over all answers, times the smaller of base and references; letters reach 0.45
SALAD_RISE, SALAD = 1.25, 0.5  # ROUGE-1 times the base's, and ROUGE-2 for each ROUGE-1, times the base's
FOOLED_BITS, FOOLED_NATS = 1.05, 1.1  # BITS_RISE and UNLIKELY where overlap scores rose at the same time
OVERLAP = ("rouge1", "rouge2", "rougeL", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "chrf", "meteor")


@dataclass(frozen=True)
class Reason:
    """id: for machines; id_text and en_text: the sentence with its figures."""

    id: str
    id_text: str
    en_text: str


@dataclass(frozen=True)
class Verdict:
    """believed: no rule spoke. reasons: those that did, in the order of RULES. notes: what is no reason, but should
    be known: that answers have another form than the references, where nothing else is wrong and no score rose."""

    believed: bool
    reasons: tuple[Reason, ...]
    notes: tuple[Reason, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        told = {name: [vars(reason) for reason in getattr(self, name)] for name in ("reasons", "notes")}
        return {"believed": self.believed, **told}


@dataclass(frozen=True)
class Case:
    """An adapter, the base, and the written references, as evidence over the same examples."""

    adapter: Evidence
    base: Evidence
    written: Evidence

    def against_base(self, fact: str) -> Difference | None:
        """The paired difference of a fact over the examples where both have it; None where there are none."""
        return compared(self.adapter.facts[fact], self.base.facts[fact])

    def total(self, fact: str) -> tuple[float, float, float] | None:
        """The fact's total of adapter, base and references; None where one has none (all answers blank)."""
        adapter, base, written = (each.totals[fact] for each in (self.adapter, self.base, self.written))
        return None if adapter is None or base is None or written is None else (adapter, base, written)


Rule = Callable[[Case], Reason | None]


def judge(adapter: Evidence, base: Evidence, written: Evidence) -> Verdict:
    """The verdict on an adapter. written: evidence of the references, whose nats are those under the base."""
    case = Case(adapter, base, written)
    count = len(adapter.facts["bits"])
    if count < ENOUGH:
        few = Reason(
            "few",
            f"Hanya {count} contoh; paling sedikit {ENOUGH} diperlukan agar suatu angka dapat dipercaya.",
            f"Only {count} examples; at least {ENOUGH} are needed before a figure can be believed.",
        )
        return Verdict(False, (few,))
    reasons = tuple(reason for rule in RULES if (reason := rule(case)))
    if [reason.id for reason in reasons] == ["heldout"] and _only_fell(case):
        return Verdict(True, (), (_form(reasons[0]),))
    return Verdict(not reasons, reasons)


def is_salad(base: tuple[float, float], adapter: tuple[float, float]) -> bool:
    """Whether means of (ROUGE-1, ROUGE-2) say that words were found but not their order: for published results,
    of which no more is known. False where the base has no ROUGE-2 to compare with."""
    if min(*base, adapter[0]) <= 0 or adapter[0] < SALAD_RISE * base[0]:
        return False
    return adapter[1] / adapter[0] < SALAD * base[1] / base[0]


def compared(values: Sequence[float | None], base: Sequence[float | None]) -> Difference | None:
    """The paired difference over the examples where both are there; None where there are none."""
    both = [(a, b) for a, b in zip(values, base, strict=True) if a is not None and b is not None]
    return paired([a for a, _ in both], [b for _, b in both]) if both else None


def certain(found: Difference | None, sign: int) -> bool:
    """Whether a difference has this sign, and not by chance."""
    return found is not None and sign * found.difference > 0 and found.p < CERTAIN


def _blank(case: Case) -> Reason | None:
    if not (total := case.total("empty")) or not certain(case.against_base("empty"), 1):
        return None
    adapter, base, _ = total
    if adapter <= base + BLANK:
        return None
    return Reason(
        "blank",
        f"{adapter:.0%} jawabannya kosong; pada model dasar {base:.0%}.",
        f"{adapter:.0%} of its answers are blank; {base:.0%} of the base's are.",
    )


def _endless(case: Case) -> Reason | None:
    if not (total := case.total("ended")) or not certain(case.against_base("ended"), -1):
        return None
    adapter, base, _ = total
    if adapter >= base - ENDLESS:
        return None
    return Reason(
        "endless",
        f"Hanya {adapter:.0%} jawabannya berakhir sendiri; pada model dasar {base:.0%}.",
        f"Only {adapter:.0%} of its answers end by themselves; {base:.0%} of the base's do.",
    )


def _length(case: Case) -> Reason | None:
    if not (total := case.total("length_ratio")):
        return None
    (adapter, base, _), words = total, case.against_base("words")
    short = adapter < SHORT * min(1.0, base) and certain(words, -1)
    if not short and not (adapter > LONG * max(1.0, base) and certain(words, 1)):
        return None
    return Reason(
        "short" if short else "long",
        f"Jawabannya {adapter:.2f} kali sepanjang rujukan; pada model dasar {base:.2f} kali.",
        f"Its answers are {adapter:.2f} times as long as the references; the base's {base:.2f} times.",
    )


def _repeats(case: Case) -> Reason | None:
    if not _above(case, "repeated_3", REPEATED):
        return None
    adapter, base, written = case.total("repeated_3") or (0, 0, 0)
    return Reason(
        "repeats",
        f"{adapter:.0%} dari rangkaian tiga katanya mengulang yang sudah ada; model dasar {base:.0%}, "
        f"rujukan {written:.0%}.",
        f"{adapter:.0%} of its three-word sequences repeat earlier ones; the base {base:.0%}, "
        f"references {written:.0%}.",
    )


def _doubled(case: Case) -> Reason | None:
    if not _above(case, "doubled", DOUBLED):
        return None
    adapter, base, written = case.total("doubled") or (0, 0, 0)
    return Reason(
        "doubled",
        f"{adapter:.1%} katanya tertulis dua kali berturut-turut; model dasar {base:.1%}, rujukan {written:.1%}.",
        f"{adapter:.1%} of its words stand twice in a row; the base {base:.1%}, references {written:.1%}.",
    )


def _foreign(case: Case) -> Reason | None:
    total = case.total("indonesian")
    if not total or total[0] >= min(total[1:]) - FOREIGN or not certain(case.against_base("indonesian"), -1):
        return None
    adapter, base, written = total
    return Reason(
        "foreign",
        f"Hanya {adapter:.0%} katanya kata Indonesia; model dasar {base:.0%}, rujukan {written:.0%}.",
        f"Only {adapter:.0%} of its words are Indonesian; the base {base:.0%}, references {written:.0%}.",
    )


def _canned(case: Case) -> Reason | None:
    """Of all answers together, so there is no test over examples; nor is one needed at half."""
    total = case.total("distinct_2")
    if not total or not case.adapter.totals["words"] or total[0] >= CANNED * min(total[1:]):
        return None
    adapter, base, written = total
    return Reason(
        "canned",
        f"Jawabannya saling mengulang: hanya {adapter:.0%} pasangan katanya berbeda; model dasar {base:.0%}, "
        f"rujukan {written:.0%}.",
        f"Its answers repeat each other: only {adapter:.0%} of their word pairs differ; the base {base:.0%}, "
        f"references {written:.0%}.",
    )


def _heldout(case: Case) -> Reason | None:
    return _bits_reason(case) if _bits_rose(case, BITS_RISE) else None


def _unlikely(case: Case) -> Reason | None:
    return _nats_reason(case) if _is_unlikely(case, UNLIKELY) else None


def _degenerate(case: Case) -> Reason | None:
    total = case.total("nats_under_base")
    if not total or total[0] >= DEGENERATE * min(total[1:]) or not certain(case.against_base("nats"), -1):
        return None
    adapter, base, written = total
    return Reason(
        "degenerate",
        f"Tulisannya terlalu mudah ditebak: {adapter:.2f} nat per token bagi model dasar; tulisan model dasar "
        f"sendiri {base:.2f}, rujukan {written:.2f}.",
        f"Its text is too easy to guess: {adapter:.2f} nats per token under the base; the base's own {base:.2f}, "
        f"references {written:.2f}.",
    )


def _salad(case: Case) -> Reason | None:
    scores, base = case.adapter.scores, case.base.scores
    if "rouge1" not in scores or not certain(compared(scores["rouge1"], base["rouge1"]), 1):
        return None
    one, two, base_one, base_two = (
        sum(values) / len(values) for values in (scores["rouge1"], scores["rouge2"], base["rouge1"], base["rouge2"])
    )
    if not is_salad((base_one, base_two), (one, two)):
        return None
    expected = SALAD * base_two / base_one
    if permutation([b - expected * a for a, b in zip(scores["rouge1"], scores["rouge2"], strict=True)]) >= CERTAIN:
        return None
    return Reason(
        "salad",
        f"Kata rujukan ada, urutannya tidak: ROUGE-1 {base_one:.3f} menjadi {one:.3f}, tetapi ROUGE-2 "
        f"{base_two:.3f} menjadi {two:.3f}.",
        f"The references' words are there, their order is not: ROUGE-1 {base_one:.3f} to {one:.3f}, but ROUGE-2 "
        f"{base_two:.3f} to {two:.3f}.",
    )


def _fooled(case: Case) -> Reason | None:
    """Scores say better, likelihood says worse. The tests over OVERLAP are corrected for their number."""
    up, _ = _moved(case)
    bits, nats = _bits_rose(case, FOOLED_BITS), _is_unlikely(case, FOOLED_NATS)
    if not up or not (bits or nats):
        return None
    why = _bits_reason(case) if bits else _nats_reason(case)
    return Reason(
        "fooled",
        f"{len(up)} nilai tumpang tindih naik, padahal kemungkinannya memburuk. {why.id_text}",
        f"{len(up)} overlap scores rose while likelihood got worse. {why.en_text}",
    )


RULES: Sequence[Rule] = (
    _blank,
    _endless,
    _length,
    _repeats,
    _doubled,
    _foreign,
    _canned,
    _heldout,
    _unlikely,
    _degenerate,
    _salad,
    _fooled,
)


def _above(case: Case, fact: str, margin: float) -> bool:
    """Whether a fact lies above both base and references by more than the margin, and certainly above the base."""
    total = case.total(fact)
    return bool(total and total[0] > max(total[1:]) + margin and certain(case.against_base(fact), 1))


def _moved(case: Case) -> tuple[list[str], list[str]]:
    """The overlap scores that certainly rose, and those that certainly fell."""
    names = [name for name in OVERLAP if name in case.adapter.scores]
    found = {name: compared(case.adapter.scores[name], case.base.scores[name]) for name in names}
    sure = {name: move.difference for name, move in found.items() if move and move.p * len(names) < CERTAIN}
    return [name for name, by in sure.items() if by > 0], [name for name, by in sure.items() if by < 0]


def _only_fell(case: Case) -> bool:
    """Whether overlap scores fell and none rose: then nobody is misled by them."""
    up, down = _moved(case)
    return bool(down) and not up


def _form(heldout: Reason) -> Reason:
    return Reason(
        "form",
        f"Jawabannya berbentuk lain daripada rujukan, jadi nilainya rendah. {heldout.id_text}",
        f"Its answers have another form than the references, so its scores are low. {heldout.en_text}",
    )


def _bits_rose(case: Case, times: float) -> bool:
    total = case.total("bits_per_character")
    return bool(total and total[0] > times * total[1] and certain(case.against_base("bits"), 1))


def _bits_reason(case: Case) -> Reason:
    adapter, base, _ = case.total("bits_per_character") or (0, 0, 0)
    return Reason(
        "heldout",
        f"Jawaban rujukan menjadi lebih sulit baginya: {adapter:.3f} bit per huruf; model dasar {base:.3f}.",
        f"Written answers became harder for it: {adapter:.3f} bits per character; the base {base:.3f}.",
    )


def _is_unlikely(case: Case, times: float) -> bool:
    """Certainly less likely under the base than the base's own text, and than the references."""
    total = case.total("nats_under_base")
    if not total or total[0] <= times * max(total[1:]):
        return False
    return certain(case.against_base("nats"), 1) and certain(
        compared(case.adapter.facts["nats"], case.written.facts["nats"]), 1
    )


def _nats_reason(case: Case) -> Reason:
    adapter, base, written = case.total("nats_under_base") or (0, 0, 0)
    return Reason(
        "unlikely",
        f"Bagi model dasar tulisannya tidak wajar: {adapter:.2f} nat per token; tulisan model dasar sendiri "
        f"{base:.2f}, rujukan {written:.2f}.",
        f"To the base its text is unlike language: {adapter:.2f} nats per token; the base's own {base:.2f}, "
        f"references {written:.2f}.",
    )
