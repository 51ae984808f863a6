"""Every word of the page in Indonesian and English, and the switch between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import gradio as gr

TEXTS: Mapping[str, tuple[str, str]] = {
    "tab_chat": ("Obrolan", "Chat"),
    "tab_unmasking": ("Visualisasi", "Unmasking"),
    "tab_attention": ("Atensi", "Attention"),
    "tab_compare": ("Perbandingan", "Compare"),
    "switch_language": ("English", "Indonesia"),
    "switch_theme": ("◐ Tema", "◐ Theme"),
    "conversation": ("Percakapan", "Conversation"),
    "welcome": (
        "Tulis pertanyaan dalam bahasa Indonesia. Jawaban mulai sebagai topeng ░░, lalu kata demi kata terungkap, "
        "tidak harus dari kiri ke kanan.",
        "Ask in Indonesian. The answer starts as masks ░░, then word after word is revealed, "
        "not necessarily from left to right.",
    ),
    "message": ("Pesan", "Message"),
    "message_hint": ("Tulis pesan, Enter untuk mengirim", "Write, Enter to send"),
    "send": ("Kirim", "Send"),
    "stop": ("Berhenti (Esc)", "Stop (Esc)"),
    "regenerate": ("Jawab lagi", "Regenerate"),
    "same_seed": ("Ulangi dengan benih sama", "Retry, same seed"),
    "show_writing": ("Lihat cara menulisnya", "See how it was written"),
    "undo": ("Urungkan", "Undo"),
    "clear": ("Bersihkan", "Clear"),
    "download_markdown": ("Unduh Markdown", "Download Markdown"),
    "download_json": ("Unduh JSON", "Download JSON"),
    "preset": ("Cara menjawab", "How to answer"),
    "preset_help": (
        "Cepat: dua token setiap langkah. Seimbang: satu. Teliti: satu, dengan panduan, "
        "dua kali perhitungan.",
        "Fast: two tokens a step. Balanced: one. Careful: one, with guidance, twice the work.",
    ),
    "bigger_model": (
        "Punya GPU? `LLADA_MODEL=GSAI-ML/LLaDA-8B-Instruct python app.py` menjawab dengan LLaDA-8B.",
        "Have a GPU? `LLADA_MODEL=GSAI-ML/LLaDA-8B-Instruct python app.py` answers with LLaDA-8B.",
    ),
    "settings": ("Pengaturan", "Settings"),
    "system_prompt": ("Prompt sistem", "System prompt"),
    "system_prompt_help": ("Siapa asistennya dan bagaimana ia bersikap; boleh kosong.", "Who the assistant is and how it behaves; may be empty."),
    "seed_help": (
        "Kosong: benih baru untuk setiap jawaban. Benih dan pengaturan yang sama memberi jawaban yang sama.",
        "Empty: a new seed for every answer. The same seed and settings give the same answer.",
    ),
    "film_prompt": ("Pertanyaan", "Question"),
    "film_hint": (
        "Tulis pertanyaan dan lihat jawabannya ditulis; [mask:2] membuka dua token di tengah kalimat",
        "Ask, and watch the answer being written; [mask:2] opens two tokens in a sentence",
    ),
    "film_run": ("Tulis", "Write"),
    "scenes": ("Rekaman siap putar", "Recorded scenes"),
    "go_on": ("Lanjutkan dari langkah ini", "Go on from this step"),
    "save_trace": ("Simpan", "Save"),
    "save_as": ("Simpan sebagai", "Save as"),
    "leave_export": ("Batal menyimpan", "Cancel saving"),
    "open_trace": ("Buka rekaman", "Open a recording"),
    "open_beside": ("Buka di sebelahnya", "Open beside it"),
    "side_by_side": ("Dua cara menulis, satu jam", "Two ways to write, one clock"),
    "side_by_side_help": (
        "Pertanyaan dan pengaturan di atas, model yang sama, dua cara. Hitung perhitungannya di bawah tiap papan.",
        "The question and settings above, the same model, two ways. Count the forwards below each board.",
    ),
    "run_both": ("Tulis berdua", "Write both"),
    "forward_process": ("Proses maju: yang dilakukan pelatihan", "The forward process: what training does"),
    "forward_help": (
        "Pada waktu t setiap token jawaban ditutup dengan peluang t. Model dilatih menebak yang tertutup. "
        "Geser t dan lihat ruginya.",
        "At time t each token of the answer is masked with probability t. The model is trained to guess what is "
        "masked. Move t and watch the loss.",
    ),
    "forward_question": ("Pertanyaan latihan", "A question to train on"),
    "forward_answer": ("Jawaban latihan", "Its answer"),
    "forward_fill": ("Biarkan model mengisinya", "Let the model fill it in"),
    "attention_examples": ("Kalimat siap pakai", "Ready sentences"),
    "attention_text": ("Kalimat", "Sentence"),
    "attention_hint": ("Tulis sebuah kalimat, Enter untuk membacanya", "Write a sentence, Enter to read it"),
    "attention_read": ("Baca", "Read"),
    "from_chat": ("Jawaban terakhir obrolan", "Last answer of the chat"),
    "from_board": ("Jawaban di visualisasi", "Answer of the unmasking tab"),
    "open_attention": ("Buka rekaman", "Open a recording"),
    "charts": ("Grafik", "Charts"),
    "threshold_help_off": ("0: jadwal saja. ", "0: the schedule alone. "),
}  # fmt: skip

# Sentences that handlers fill in.
SENTENCES: Mapping[str, tuple[str, str]] = {
    "status": (
        "{steps} langkah · {forwards} perhitungan · {tokens} token · {tokens_per_second} token/detik · {seconds} detik · benih {seed}",
        "{steps} steps · {forwards} forwards · {tokens} tokens · {tokens_per_second} tokens/s · {seconds} s · seed {seed}",
    ),
    "stopped": (" · dihentikan", " · stopped"),
    "dropped": (
        " · {dropped_turns} pesan terlama tidak lagi muat dan tidak dibaca",
        " · the {dropped_turns} oldest messages no longer fit and were not read",
    ),
    "greedy": (
        "Pada suhu 0 jawabannya selalu sama, apa pun benihnya. Naikkan suhu untuk jawaban lain.",
        "At temperature 0 the answer is always the same, whatever the seed. Raise the temperature for another one.",
    ),
    "nothing_to_answer": ("Belum ada pesan untuk dijawab.", "There is no message to answer yet."),
    "nothing_to_show": ("Belum ada jawaban untuk diperlihatkan.", "There is no answer to show yet."),
    "nothing_to_download": ("Belum ada percakapan untuk diunduh.", "There is no conversation to download yet."),
    "no_trace": (
        "Belum ada jawaban di papan. Tulis pertanyaan, atau pilih sebuah rekaman.",
        "There is no answer on the board yet. Ask something, or choose a recording.",
    ),
    "exporting": ("{name}: gambar {done} dari {of}", "{name}: picture {done} of {of}"),
    "pair_does_not_fit": (
        "Panjang jawaban ini tidak cocok untuk perbandingan ini. Pilih paling sedikit 8.",
        "This answer length does not fit this comparison. Choose at least 8.",
    ),
    "forward_none": ("Tidak ada topeng: tidak ada yang dipelajari.", "No masks: nothing to learn."),
    "forward_loss": (
        "{masked} dari {all} token bertopeng · rugi {mean} nat tiap topeng · berbobot 1/t: {loss} nat tiap token",
        "{masked} of {all} tokens masked · loss {mean} nats a mask · weighted by 1/t: {loss} nats a token",
    ),
    "chart_confidence": ("Keyakinan calon teratas", "Confidence of the best candidate"),
    "chart_progress": ("Topeng dan perhitungan", "Masks and forwards"),
    "chart_order": ("Urutan penetapan", "Order of commitment"),
    "position": ("posisi", "position"),
    "step": ("langkah", "step"),
    "masks_left": ("topeng tersisa", "masks left"),
    "forwards": ("perhitungan", "forwards"),
    "no_change": (
        "Belum ada yang berubah di langkah ini. Pilih sebuah kata di papan dan tetapkan atau topengkan.",
        "Nothing is changed in this step yet. Choose a word on the board and set it or mask it.",
    ),
    "message_too_long": (
        "Pesan ini {length} karakter; paling banyak {limit}. Pendekkan dahulu.",
        "This message has {length} characters; the most is {limit}. Shorten it first.",
    ),
    "failed": (
        "Terjadi kesalahan pada server (nomor {id}). Coba lagi; percakapan Anda masih ada.",
        "Something went wrong on the server (number {id}). Try again; your conversation is still there.",
    ),
    "seed_invalid": ("Benih harus bilangan bulat 0 atau lebih, atau kosong.", "The seed must be a whole number from 0 on, or empty."),
    "constraint_invalid": (
        "Baris {line!r} tidak dapat dibaca. Tulis posisi: kata, misalnya 0: Tentu.",
        "The line {line!r} cannot be read. Write position: word, for example 0: Tentu.",
    ),
    "model_line": (
        "Dijawab oleh **{model}** · {size} parameter · {place}",
        "Answered by **{model}** · {size} parameters · {place}",
    ),
    "small_model": (
        "Model sangat kecil yang dilatih dari nol: bahasanya sederhana dan jawabannya dapat keliru.",
        "A very small model trained from nothing: its language is simple and its answers can be wrong.",
    ),
    "big_model": ("Jawabannya dapat keliru; periksa hal yang penting.", "Its answers can be wrong; check what matters."),
}  # fmt: skip

EXAMPLES = (
    "Halo, siapa namamu?",
    "Apa itu fotosintesis?",
    "Buatkan pantun tentang hujan.",
    "Berikan tips agar bangun pagi.",
    "Ceritakan tentang seekor kucing.",
    "Berapa 7 + 5?",
)

# The page takes a message for HTML, also with markdown off. A word joiner (invisible, no width) behind "<" and "&"
# makes any tag or entity plain text.
SHIELD = "\u2060"


def shielded(text: str) -> str:
    """A text of which the page shows every character, and takes none for HTML."""
    return re.sub("[<&]", rf"\g<0>{SHIELD}", text)


def pick(pair: tuple[str, str], language: str) -> str:
    """One of an (Indonesian, English) pair."""
    return pair[1] if language == "en" else pair[0]


def say(key: str, language: str, **values: Any) -> str:
    """A sentence with its values filled in."""
    return pick(SENTENCES[key], language).format(**values)


class Words:
    """Components whose words follow the language: first the browser's, then the visitor's choice."""

    def __init__(self) -> None:
        self.i18n = gr.I18n(
            id={key: pair[0] for key, pair in TEXTS.items()}, en={key: pair[1] for key, pair in TEXTS.items()}
        )
        self._bound: list[tuple[Any, dict[str, Any]]] = []

    def make(self, kind: type, *, words: Mapping[str, Any], **kwargs: Any) -> Any:
        """A component with words from TEXTS: `words` maps a property to a key, or to an (id, en) pair of values
        that Gradio's own translation can't hold (such as choices)."""
        first = {p: self.i18n(k) if isinstance(k, str) else k[0] for p, k in words.items()}
        component = kind(**first, **kwargs)
        self._bound.append((component, dict(words)))
        return component

    @property
    def components(self) -> list[Any]:
        """Everything that a switch of language rewrites."""
        return [component for component, _ in self._bound]

    def updates(self, language: str) -> list[Any]:
        """One update for each of `components`."""
        return [
            {
                "__type__": "update",
                **{p: pick(TEXTS[k] if isinstance(k, str) else k, language) for p, k in words.items()},
            }
            for _, words in self._bound
        ]
