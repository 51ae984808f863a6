"""The help of the comparison: what LoRA, LoRA+ and PiSSA are, and what each metric sees and misses."""

from __future__ import annotations

import gradio as gr

from llada_demo.ui.metric_words import SEES
from llada_demo.ui.words import Words, pick

# A layer's name, its rows and columns, and the rank of an adapter for it.
LAYERS: tuple[tuple[tuple[str, str], int, int, int], ...] = (
    (("Gambar di atas", "The picture above"), 4, 4, 1),
    (("Model kecil di halaman ini", "The small model of this page"), 256, 256, 8),
    (("LLaDA-8B", "LLaDA-8B"), 4096, 4096, 16),
)

HELP = ("Apa itu LoRA, LoRA+, dan PiSSA?", "What are LoRA, LoRA+ and PiSSA?")
BEFORE = (
    "Sebuah lapisan model adalah matriks bobot **W**. Melatih semua angkanya mahal, dan setiap hasil adalah satu model "
    "utuh lagi. Adapter membiarkan W diam dan hanya belajar sebuah *tambahan* yang sempit: sebuah kolom **B** dikali "
    "sebuah baris **A**. Di bawah ini peringkatnya 1; pada peringkat r, r hasil kali seperti ini dijumlahkan.",
    "A layer of the model is a matrix of weights **W**. Training all of its numbers is expensive, and every result is "
    "another whole model. An adapter leaves W alone and learns a narrow *addition* only: a column **B** times a row "
    "**A**. Below the rank is 1; at rank r, r such products are added up.",
)
AFTER = (
    "- **LoRA** ([arXiv 2106.09685](https://arxiv.org/abs/2106.09685)): dipakai W + s · B A, dengan s = α / r. B mulai "
    "dari nol, jadi sebelum latihan modelnya tetap model dasar, dan mematikan adapter mengembalikannya.\n"
    "- **LoRA+** ([arXiv 2402.12354](https://arxiv.org/abs/2402.12354)): bentuknya sama, tetapi B belajar lebih cepat "
    "daripada A, lajunya misalnya 16 kali. Pada lapisan yang lebar, satu laju untuk keduanya terlalu lambat bagi B "
    "atau terlalu cepat bagi A.\n"
    "- **PiSSA** ([arXiv 2404.02948](https://arxiv.org/abs/2404.02948)): B dan A mulai sebagai vektor singular utama "
    "W, dan yang diam adalah sisanya. Latihan langsung menggerakkan arah yang paling berat. Karena sisanya bukan W, "
    "kami menyimpan hasilnya sebagai LoRA biasa berperingkat 2r di atas W yang utuh. B tidak mulai dari nol, maka "
    "kelipatan 16 dari LoRA+ terlalu tinggi bersamanya.",
    "- **LoRA** ([arXiv 2106.09685](https://arxiv.org/abs/2106.09685)): what is used is W + s · B A, with s = α / r. B "
    "starts at zero, so before training the model is still the base, and switching the adapter off gives it back.\n"
    "- **LoRA+** ([arXiv 2402.12354](https://arxiv.org/abs/2402.12354)): the same form, but B learns faster than A, "
    "with a rate of 16 times, for example. In a wide layer, one rate for both is too slow for B or too fast for A.\n"
    "- **PiSSA** ([arXiv 2404.02948](https://arxiv.org/abs/2404.02948)): B and A start as the principal singular "
    "vectors of W, and what stands still is the rest. Training moves the heaviest direction at once. As the rest is "
    "not W, we save the result as an ordinary LoRA of rank 2r on the untouched W. B does not start at zero, so LoRA+'s "
    "multiple of 16 is too high together with it.",
)
COUNT = (
    "**{name}**, {height} × {width}, peringkat {rank}: **{trained}** angka, bukan {whole} ({share} %)",
    "**{name}**, {height} × {width}, rank {rank}: **{trained}** numbers instead of {whole} ({share} %)",
)
METRICS_HELP = (
    "Apa yang dilihat setiap metrik, dan apa yang luput?",
    "What does each metric see, and what does it miss?",
)
SEES_MISSES = ("**{name}** melihat {sees}. *Luput:* {misses}.", "**{name}**: sees {sees}. *Misses* {misses}.")
NO_NUMBER = (
    "Tidak ada angka yang menggantikan membaca. Adapter yang buruk dapat menang pada tumpang tindih dan tetap tidak "
    "menulis kalimat: lihat kestabilannya, lalu bacalah jawaban terburuknya.",
    "No number replaces reading. A bad adapter can win on overlap and still not write a sentence: look at its "
    "stability, then read its worst answers.",
)


def build_lora_help(words: Words) -> None:
    """Builds two folds into the open tab: adapters, with the rank-1 picture, and metrics."""
    with words.make(gr.Accordion, words={"label": HELP}, open=True, elem_id="lora-help"):
        words.make(gr.Markdown, words={"value": BEFORE}, container=False)
        gr.HTML("", elem_id="rank-one")
        words.make(gr.Markdown, words={"value": (counts("id"), counts("en"))}, container=False)
        words.make(gr.Markdown, words={"value": AFTER}, container=False)
    with words.make(gr.Accordion, words={"label": METRICS_HELP}, open=False, elem_id="metrics-help"):
        words.make(gr.Markdown, words={"value": (metrics("id"), metrics("en"))}, container=False)


def counts(language: str) -> str:
    """A Markdown list: how many numbers an adapter trains in a layer, instead of how many."""
    lines = []
    for name, height, width, rank in LAYERS:
        trained, whole = rank * (height + width), height * width
        sizes = {"height": height, "width": width, "trained": trained, "whole": whole}
        written = {size: number(value, language) for size, value in sizes.items()}
        share = f"{100 * trained / whole:.3g}"
        share = share if language == "en" else share.replace(".", ",")
        lines.append("- " + pick(COUNT, language).format(name=pick(name, language), rank=rank, share=share, **written))
    return "\n".join(lines)


def metrics(language: str) -> str:
    """A Markdown list: a line for each kind of metric."""
    line = "- " + pick(SEES_MISSES, language)
    spoken = ([pick(pair, language) for pair in row] for row in SEES)
    lines = [line.format(name=name, sees=sees, misses=misses) for name, sees, misses in spoken]
    return "\n".join([pick(NO_NUMBER, language), "", *lines])


def number(value: int, language: str) -> str:
    """A whole number as the language writes it: 16.777.216 or 16,777,216."""
    return f"{value:,}" if language == "en" else f"{value:,}".replace(",", ".")
