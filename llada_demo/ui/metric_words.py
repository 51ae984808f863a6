"""What each number of an evaluation is called, which way is better, and what it sees and misses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Pair = tuple[str, str]  # Indonesian, English


@dataclass(frozen=True)
class Metric:
    """name, what: in both languages. better: 1 higher, -1 lower, 0 neither (`ideal` is best, where there is one)."""

    group: str
    name: Pair
    what: Pair
    better: int = 1
    ideal: float | None = None


GROUPS: Mapping[str, Pair] = {
    "overlap": ("Tumpang tindih dengan jawaban rujukan", "Overlap with the reference answer"),
    "meaning": ("Kedekatan makna", "Nearness of meaning"),
    "stability": ("Kestabilan: masih menulis kalimat?", "Stability: does it still write sentences?"),
}

_WORDS: Pair = ("kata yang sama, urutan diabaikan", "words in common, order ignored")
_PAIRS: Pair = ("pasangan kata yang sama", "pairs of words in common")

METRICS: Mapping[str, Metric] = {
    "rouge1": Metric("overlap", ("ROUGE-1", "ROUGE-1"), _WORDS),
    "rouge2": Metric("overlap", ("ROUGE-2", "ROUGE-2"), _PAIRS),
    "rougeL": Metric("overlap", ("ROUGE-L", "ROUGE-L"), ("urutan kata bersama terpanjang", "longest common sequence")),
    "bleu_1": Metric("overlap", ("BLEU-1", "BLEU-1"), _WORDS),
    "bleu_2": Metric("overlap", ("BLEU-2", "BLEU-2"), ("sampai pasangan kata", "up to pairs of words")),
    "bleu_3": Metric("overlap", ("BLEU-3", "BLEU-3"), ("sampai tiga kata berurutan", "up to three words in a row")),
    "bleu_4": Metric("overlap", ("BLEU-4", "BLEU-4"), ("sampai empat kata berurutan", "up to four words in a row")),
    "chrf": Metric("overlap", ("chrF++", "chrF++"), ("potongan huruf dan kata", "pieces of letters and words")),
    "meteor": Metric("overlap", ("METEOR", "METEOR"), ("kata atau kata dasar yang sama", "same words or same stems")),
    "cosine_sim": Metric(
        "meaning", ("Kosinus", "Cosine"), ("kemiripan embedding MiniLM", "likeness of MiniLM embeddings")
    ),
    "near": Metric("meaning", ("Lolos 0,5", "Pass 0.5"), ("bagian berkosinus ≥ 0,5", "share with cosine ≥ 0.5")),
    "f1": Metric("meaning", ("F1", "F1"), ("dari bagian berkosinus ≥ 0,5", "from the share with cosine ≥ 0.5")),
    "bits_per_character": Metric(
        "stability",
        ("Bit per huruf", "Bits per character"),
        ("kejutan atas jawaban manusia yang tak dilatihkan", "surprise at human answers never trained on"),
        -1,
    ),
    "nats_under_base": Metric(
        "stability",
        ("Nat menurut model dasar", "Nats under the base"),
        ("kejutan model dasar atas tulisannya", "the base's surprise at what it writes"),
        -1,
    ),
    "repeated_3": Metric(
        "stability", ("3-gram berulang", "Repeated 3-grams"), ("bagian yang mengulang", "share that repeats"), -1
    ),
    "doubled": Metric(
        "stability", ("Kata dobel", "Doubled words"), ("kata yang sama dua kali berturut", "a word twice in a row"), -1
    ),
    "distinct_2": Metric(
        "stability", ("distinct-2", "distinct-2"), ("pasangan kata yang berlainan", "pairs of words that differ")
    ),
    "indonesian": Metric(
        "stability", ("Kata Indonesia", "Indonesian words"), ("bagian kata yang dikenal", "share of known words")
    ),
    "ended": Metric(
        "stability", ("Selesai", "Ended"), ("jawaban yang diakhiri sendiri", "answers that end by themselves")
    ),
    "empty": Metric("stability", ("Kosong", "Blank"), ("jawaban tanpa isi", "answers without content"), -1),
    "length_ratio": Metric(
        "stability",
        ("Nisbah panjang", "Length ratio"),
        ("panjang dibanding rujukan; 1 sama panjang", "length over the reference's; 1 is equal"),
        0,
        1.0,
    ),
    # Of the published runs only.
    "semantic_sim": Metric(
        "meaning", ("Kemiripan semantik", "Semantic similarity"), ("sama dengan (1 + kosinus) / 2", "(1 + cosine) / 2")
    ),
}

# For the help: what a family of metrics is called, what it sees, and what it misses.
SEES: tuple[tuple[Pair, Pair, Pair], ...] = (
    (
        ("ROUGE", "ROUGE"),
        ("seberapa banyak kata rujukan muncul kembali", "how many of the reference's words come back"),
        (
            "urutan, pada ROUGE-1 (kata yang diacak bernilai sama; ROUGE-2 dan ROUGE-L melihatnya), dan arti: kata "
            "lain untuk hal yang sama tidak dihitung",
            "order, in ROUGE-1 (shuffled words score the same; ROUGE-2 and ROUGE-L see it), and meaning: other words "
            "for the same thing do not count",
        ),
    ),
    (
        ("BLEU-1 … BLEU-4", "BLEU-1 … BLEU-4"),
        ("berapa bagian tulisan yang ada di rujukan", "how much of what is written stands in the reference"),
        (
            "jawaban benar dengan kata lain, dan urutan pada BLEU-1; rata-rata BLEU tiap kalimat bukan BLEU, maka "
            "nilai seluruh korpus ditulis di sampingnya",
            "a right answer in other words, and order in BLEU-1; a mean of sentence BLEU is not BLEU, so that of the "
            "whole corpus stands beside it",
        ),
    ),
    (
        ("METEOR", "METEOR"),
        ("kata yang sama dan kata dasar yang sama", "the same words and the same stems"),
        (
            "sinonim; menyebut rujukan dua kali malah menang, maka lihat juga nisbah panjang",
            "synonyms; saying the reference twice even wins, so look at the length ratio too",
        ),
    ),
    (
        ("chrF++", "chrF++"),
        ("potongan huruf yang sama, jadi imbuhan tidak menjatuhkan", "common pieces of letters, so affixes don't hurt"),
        ("susunan kalimat, dan jawaban yang terlalu panjang", "the build of a sentence, and answers that are too long"),
    ),
    (
        ("Kosinus dan F1", "Cosine and F1"),
        ("topik yang sama meski katanya lain", "the same topic in other words"),
        (
            "dua kalimat Indonesia yang tak berhubungan sudah berkosinus sekitar 0,49, maka separuhnya lolos F1 pada "
            "0,5; kata yang diacak hampir selalu lolos",
            "two unrelated Indonesian sentences already have a cosine near 0.49, so half of them pass F1 at 0.5; "
            "shuffled words nearly always pass",
        ),
    ),
    (
        ("Nat menurut model dasar", "Nats under the base"),
        ("apakah model dasar mengenali tulisan itu sebagai bahasa", "whether the base takes the writing for language"),
        (
            "benar atau salahnya; tulisan yang mengulang tampak sangat wajar",
            "whether it is right; writing that repeats itself looks very natural",
        ),
    ),
    (
        ("Bit per huruf", "Bits per character"),
        (
            "apakah adapter masih menduga jawaban manusia yang tak pernah dilihatnya",
            "whether the adapter still expects human answers that it never saw",
        ),
        (
            "cara menulisnya sendiri: ini batas atas yang diukur pada teks orang lain",
            "its own writing: it is an upper bound, measured on others' text",
        ),
    ),
    (
        ("3-gram berulang, kata dobel", "Repeated 3-grams, doubled words"),
        ("kemacetan pada kata yang sama", "being stuck on the same words"),
        ("salad kata yang tidak pernah mengulang", "a salad of words that never repeats"),
    ),
    (
        ("distinct-2", "distinct-2"),
        ("keragaman pasangan kata", "variety of pairs of words"),
        (
            "mutu: kata acak paling beragam; jawaban pendek selalu tampak beragam",
            "quality: random words vary most; short answers always look varied",
        ),
    ),
    (
        ("Kata Indonesia", "Indonesian words"),
        ("hanyutnya tulisan ke bahasa lain atau ke huruf tanpa arti", "drifting into another language, or letters"),
        ("segala hal lain: kata Indonesia yang diacak tetap bernilai penuh", "all else: shuffled words score in full"),
    ),
    (
        ("Selesai, kosong, nisbah panjang", "Ended, blank, length ratio"),
        ("jawaban yang tak berujung, hampa, atau salah panjang", "answers without end, content or the right length"),
        ("isi jawabannya", "what the answer says"),
    ),
)
