"""Made-up results, and a page with nothing but the results and the help: `python -m tests.ui.results_page PORT`."""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from llada_demo.evaluation.statistics import holm, paired, summary
from llada_demo.ui import theme
from llada_demo.ui.lora_help import build_lora_help
from llada_demo.ui.results import build_results
from llada_demo.ui.words import Words

HOSTILE = "<img src=x onerror=alert(1)><b>tebal</b> ${alert(2)}"
STYLES = [theme.UI / name for name in ("results.css", "rank_one.css")]
SCRIPTS = [theme.UI / name for name in ("results.js", "rank_one.js")]
# Per system: by what its overlap is multiplied, its bits per character, its repeated 3-grams, whether it is believed.
SYSTEMS = {
    "base": (1.0, 1.62, 0.04, True),
    "kecil-lora": (1.01, 1.55, 0.05, True),
    "kecil-loraplus-pissa": (1.2, 1.51, 0.04, True),
    "kecil-rusak": (1.45, 2.31, 0.61, False),
}
COUNT = 24
HEIGHTS = {
    "rouge1": 0.2, "rouge2": 0.05, "rougeL": 0.16, "bleu_1": 0.15, "bleu_4": 0.03, "chrf": 0.2, "meteor": 0.17,
    "cosine_sim": 0.6,
}  # fmt: skip
REASONS = [
    {
        "id": "heldout",
        "id_text": "Jawaban rujukan menjadi lebih sulit baginya: 2.310 bit per huruf; model dasar 1.620.",
        "en_text": "Written answers became harder for it: 2.310 bits per character; the base 1.620.",
    },
    {
        "id": "repeats",
        "id_text": "61% dari rangkaian tiga katanya mengulang yang sudah ada; model dasar 4%, rujukan 4%.",
        "en_text": "61% of its three-word sequences repeat earlier ones; the base 4%, references 4%.",
    },
]
FACTS = {"distinct_2": 0.9, "indonesian": 0.95, "ended": 0.9, "empty": 0.02, "length_ratio": 1.1, "doubled": 0.01}


def made_up(name: str = "buatan", date: str = "2026-01-02T03:04:05+00:00") -> dict[str, Any]:
    """A result in which the bad adapter wins on overlap, writes badly, and is not believed."""
    systems: list[dict[str, Any]] = []
    for system, (factor, bits, repeated, believed) in SYSTEMS.items():
        facts = {**FACTS, "bits_per_character": bits, "repeated_3": repeated}
        entry: dict[str, Any] = {
            "name": system, "adapter": None if system == "base" else system, "sha256": None, "card": "",
            "forwards": 32.0, "seconds": 1.0, "scores": _scores(factor),
            "corpus": {"bleu_4": 0.02 * factor, "f1": 0.6 * factor}, "facts": facts,
            "examples": [{"chosen": "worst", "prompt": "Apa itu awan?", "reference": "Uap air.", "text": HOSTILE},
                         {"chosen": "worst", "prompt": "Siapa kamu?", "reference": "Saya asisten.", "text": ""},
                         {"chosen": "even", "prompt": "Apa kabar?", "reference": "Baik.", "text": "Baik sekali."}],
        }  # fmt: skip
        if systems:
            entry["against_base"] = _against(entry["scores"], systems[0]["scores"])
            entry["verdict"] = {"believed": believed, "reasons": [] if believed else REASONS}
        systems.append(entry)
    return {
        "format": "llada-indonesia-results", "schema": 1, "measured_by": "tests", "name": name, "date": date,
        "model": {"model": "llada-kecil", "sha256": "0" * 64, "dtype": "float32"},
        "settings": {"options": {"steps": 32, "temperature": 0.7}, "heldout": {"count": COUNT}},
        "random_pair_cosine": 0.487, "references": {"facts": {**FACTS, "bits_per_character": 1.62}},
        "systems": systems,
    }  # fmt: skip


def _scores(factor: float) -> dict[str, Any]:
    """Questions are hard or easy for every system alike; the rest is each system's own chance."""
    noise, chance = random.Random(0), random.Random(factor)
    scores = {}
    for metric, height in HEIGHTS.items():
        values = [factor * height * noise.uniform(0.6, 1.4) * chance.uniform(0.8, 1.2) for _ in range(COUNT)]
        scores[metric] = {**vars(summary(values)), "values": values}
    return scores


def _against(scores: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    found = {metric: paired(scores[metric]["values"], base[metric]["values"]) for metric in scores}
    corrected = holm({metric: difference.p for metric, difference in found.items()})
    return {metric: {**found[metric].to_dict(), "p_holm": corrected[metric]} for metric in found}


def build_page(folder: Path) -> tuple[gr.Blocks, dict[str, Any]]:
    """Two tabs, the sections in the second as in the real page, with its switches."""
    words = Words()
    theme.SCRIPTS.extend(path for path in SCRIPTS if path not in theme.SCRIPTS)
    with gr.Blocks(title="Hasil", analytics_enabled=False, fill_width=True) as demo:
        language = gr.Textbox("id", visible="hidden", elem_id="language")
        gr.Markdown("# Hasil", elem_id="about", container=False)
        switch = words.make(gr.Button, words={"value": "switch_language"}, elem_id="switch-language")
        with gr.Tabs():
            with gr.Tab("Awal"):
                gr.Textbox(label="Pesan", elem_id="message")
            with gr.Tab("Perbandingan"):
                build_results(words, language, folder)
                build_lora_help(words)
        everything = [language, *words.components]
        speak = "(language, ...rest) => { document.documentElement.lang = language === 'en' ? 'id' : 'en'; "
        switch.click(
            lambda now: (new := "id" if now == "en" else "en") and [new, *words.updates(new)],
            language, everything, js=speak + "return [language, ...rest]; }", api_visibility="private",
        )  # fmt: skip
        demo.load(lambda now: [now, *words.updates(now)], language, everything, js="llada.browserLanguage")
    styles = [*theme.STYLES, *(path for path in STYLES if path not in theme.STYLES)]
    return demo, {"theme": theme.theme(), "css_paths": styles, "head": theme.head(), "i18n": words.i18n}


def main(port: int, empty: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not empty:
            for stem, date in (("lama", "2026-01-01T00:00:00"), ("baru", "2026-01-02T00:00:00")):
                (folder / f"{stem}.json").write_text(json.dumps(made_up(stem, date)), encoding="utf-8")
        demo, options = build_page(folder)
        demo.launch(server_name="127.0.0.1", server_port=port, ssr_mode=False, footer_links=[], quiet=True, **options)


if __name__ == "__main__":
    main(int(sys.argv[1]), empty=sys.argv[2:] == ["empty"])
