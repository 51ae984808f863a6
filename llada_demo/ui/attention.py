"""The attention tab: what a word looks at and what looks at it, under a full and a causal mask."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from llada_demo.attention.record import REGIMES
from llada_demo.core.errors import UserError
from llada_demo.core.settings import ASSETS
from llada_demo.core.trace import Trace, read_trace
from llada_demo.engine import Engine
from llada_demo.engine.attend import UNITS, Reading, attend, check_words, guess, one_matrix, rank_heads, read
from llada_demo.export.attention import attention_page
from llada_demo.export.film import film
from llada_demo.ui import conversation
from llada_demo.ui.running import PRIVATE, QUEUE
from llada_demo.ui.words import Words, pick, say

GAP = "[mask]"
View = tuple[Any, ...]  # (box, opened trace, what the browser is told)
NOTHING: View = (gr.skip(), gr.skip(), gr.skip())


@dataclass(frozen=True)
class Example:
    """A sentence with a word to look from; gaps: the sentence and a variant with a gap in place of that word, and
    watch: the words whose probability there is told."""

    title: tuple[str, str]
    text: str
    word: str
    gaps: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()


def read_examples() -> dict[str, Example]:
    """{name: example} of assets/attention.json."""
    rows = json.loads((ASSETS / "attention.json").read_text(encoding="utf-8"))
    return {
        row["name"]: Example(
            (row["title"][0], row["title"][1]),
            row["text"],
            row["word"],
            tuple(row.get("gaps", ())),
            tuple(row.get("watch", ())),
        )
        for row in rows
    }


def build_attention(engine: Engine, words: Words, language: gr.Textbox, boards: dict[str, gr.State]) -> None:
    """Builds the tab into the open Blocks, and the endpoint /attention. boards: what the other tabs show."""
    tab = AttentionTab(engine)
    opened = gr.State(None)
    titles = tuple(
        [(pick(example.title, code), name) for name, example in tab.examples.items()] for code in ("id", "en")
    )
    examples = words.make(
        gr.Radio, words={"label": "attention_examples", "choices": titles}, value=None, elem_id="attention-examples",
    )  # fmt: skip
    box = words.make(
        gr.Textbox, words={"label": "attention_text", "placeholder": "attention_hint", "submit_btn": "attention_read"},
        show_label=False, lines=1, max_lines=4, elem_id="attention-text", elem_classes="ask-box",
    )  # fmt: skip
    with gr.Row(elem_id="attention-actions"):
        from_chat, from_board, open_ = (
            words.make(gr.Button, words={"value": key}, size="sm", elem_id=key.replace("_", "-"), min_width=90)
            for key in ("from_chat", "from_board", "open_attention")
        )
    gr.HTML("", elem_id="attention-player")
    gr.HTML("", elem_id="attention-board")
    told, message = (gr.Textbox(visible="hidden", elem_id=f"attention-{name}") for name in ("told", "message"))
    send = gr.Button(visible="hidden", elem_id="attention-send")

    view = [box, opened, told]
    model: dict[str, Any] = {**PRIVATE, **QUEUE}
    box.submit(tab.write, [box, language], view, **model)
    examples.input(tab.example, [examples, language], view, **model)
    from_chat.click(tab.from_chat, [boards["chat"], language], view, **model)
    from_board.click(tab.from_board, [boards["unmasking"], language], view, **model)
    open_.click(tab.open, [message, language], view, js="llada.attention.open", **model)
    send.click(tab.ask, [message, opened, language], told, js="llada.attention.asked", trigger_mode="multiple", **model)
    told.change(None, told, None, js="llada.attention.take", **PRIVATE)
    gr.api(tab.api_attention, api_name="attention", **QUEUE)


class AttentionTab:
    """The handlers: controls -> engine -> view."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.examples = engine, read_examples()

    def write(self, text: str, language: str) -> View:
        """The visitor's own text."""
        return self._shown(lambda: {"text": conversation.checked(text or "")}, None, language)

    def example(self, name: str, language: str) -> View:
        """A ready sentence, with its word locked."""
        example = self.examples.get(name)
        if example is None:
            return NOTHING
        _, opened, told = self._shown(lambda: {"text": example.text, "example": name}, None, language)
        return example.text, opened, told

    def from_board(self, trace: Trace | None, language: str) -> View:
        """The run on the board of the unmasking tab."""
        return self._trace(lambda: trace or _nothing("no_trace"), language)

    def from_chat(self, records: Any, language: str) -> View:
        """The last answer of the chat."""
        return self._trace(lambda: records[-1]["run"].trace() if records else _nothing("nothing_to_show"), language)

    def open(self, text: str, language: str) -> View:
        """A run from a file, with everything in it checked."""
        return self._trace(lambda: read_trace(text), language) if text else NOTHING

    def ask(self, message: str, trace: Trace | None, language: str) -> str:
        """What the explorer asks for: another step or unit, a layer's heads, a ranking, guesses, a page."""
        try:
            return self._answer(_want(message), trace)
        except UserError as error:
            gr.Warning(error.in_language(language))
            return _json(failed=True)

    def api_attention(self, text: str, mask: str = "full", layer: str = "mean", head: str = "mean") -> dict[str, Any]:
        """Attention between the words of a text. mask: full or causal. layer: mean, rollout, or a number from 1;
        head: mean, max, or a number from 1 (of a layer). Rows of `attention`, shares from 0 to 1, are queries."""
        try:
            return one_matrix(self.engine, conversation.checked(text), mask, layer, head)
        except UserError as error:
            raise gr.Error(error.in_language("id"), print_exception=False) from error

    def _trace(self, find: Any, language: str) -> View:
        try:
            trace = find()
        except UserError as error:
            gr.Warning(error.in_language(language))
            return NOTHING
        return self._shown(lambda: {"trace": True, "step": len(trace.steps) // 2, "unit": "tokens"}, trace, language)

    def _shown(self, find: Any, trace: Trace | None, language: str) -> View:
        """A reading on the panes. What cannot be read is told, and the panes and the box stay as they are."""
        try:
            source = {"unit": "words", **find()}
            told = self._record(source, trace, first=True)
        except UserError as error:
            gr.Warning(error.in_language(language))
            return NOTHING
        return gr.skip(), trace, told

    def _record(self, source: Mapping[str, Any], trace: Trace | None, first: bool = False) -> str:
        reading = self._reading(source, trace)
        more: dict[str, Any] = {}
        if first and trace is not None:
            more["film"] = film(trace, candidates=False)
        if first:
            more["word"] = self._first_word(reading, source)
        record = attend(self.engine, reading, REGIMES).to_dict()
        return _json(record=record, source=dict(source), **more)

    def _first_word(self, reading: Reading, source: Mapping[str, Any]) -> int:
        """The word that is locked at first: that of an example, or of a trace the first mask; -1 for none."""
        example = self.examples.get(source.get("example", ""))
        found = (
            at
            for at, (word, kind) in enumerate(zip(reading.words, reading.kinds, strict=True))
            if (kind == "mask" and source.get("trace")) or (example and word.strip() == example.word)
        )
        return next(found, -1)

    def _reading(self, source: Mapping[str, Any], trace: Trace | None) -> Reading:
        if not source.get("trace"):
            return read(self.engine, conversation.checked(source.get("text", "")), None, source["unit"])
        if trace is None:
            raise UserError(say("no_trace", "id"), say("no_trace", "en"))
        return read(self.engine, trace, source["step"], source["unit"])

    def _answer(self, want: Mapping[str, Any], trace: Trace | None) -> str:
        source = {name: want[name] for name in ("text", "unit", "example", "trace", "step") if name in want}
        if want["want"] == "read":
            return self._record(source, trace)
        reading = self._reading(source, trace)
        if want["want"] == "guess":
            return _json(guesses=self._guesses(reading, want))
        if want["want"] == "rank":
            ranks, control = rank_heads(self.engine, reading, want["query"], want["key"])
            causal, _ = rank_heads(self.engine, reading, want["query"], want["key"], "causal")
            return _json(ranks=[r._asdict() for r in ranks], causal=[r._asdict() for r in causal], control=control)
        record = attend(self.engine, reading, REGIMES, want["layer"]).to_dict()
        if want["want"] == "page":
            return _json(page=attention_page(record, want["locked"]))
        heads = {regime: record["seen"][regime]["heads"] for regime in REGIMES}
        return _json(layer=want["layer"], heads=heads)

    def _guesses(self, reading: Reading, want: Mapping[str, Any]) -> list[dict[str, Any]]:
        """For the sentence and, of an example, its variant, under both masks: what would stand in the gap."""
        check_words(reading, want["word"])
        word = reading.words[want["word"]].strip()
        example = self.examples.get(want.get("example", ""))
        cases = [(reading, want["word"])]
        watch: tuple[str, ...] = (word,)
        if example and example.gaps and word == example.word and want["unit"] == "words":
            cases, watch = [self._gap(text, word) for text in example.gaps], example.watch
        found = []
        for case, at in cases:
            shown = (" ____" if i == at else w for i, w in enumerate(case.words) if case.kinds[i] == "text")
            text = "".join(shown).strip()
            for regime in REGIMES:
                best, shares = guess(self.engine, case, at, regime, watch)
                watched = list(zip(watch, shares, strict=True))
                found.append({"text": text, "regime": regime, "best": best, "watched": watched})
        return found

    def _gap(self, text: str, word: str) -> tuple[Reading, int]:
        """A sentence with a word in its gap, and which of its words that is."""
        before, after = text.split(GAP)
        at = len(read(self.engine, before).words) if before.strip() else 1
        return read(self.engine, before + word + after), at


def _want(message: str) -> dict[str, Any]:
    """What the browser asks, checked. Raises UserError."""
    kinds = {"text": str, "unit": str, "example": str, "trace": bool, "step": int, "layer": int, "word": int,
             "query": int, "key": int, "locked": list, "want": str}  # fmt: skip
    needs = {"read": (), "layer": ("layer",), "rank": ("query", "key"), "guess": ("word",), "page": ("locked",)}
    try:
        data = json.loads(message or "{}")
        wrong = [name for name, value in data.items() if value is not None and type(value) is not kinds[name]]
        if wrong or data.get("unit") not in UNITS or any(type(at) is not int for at in data.get("locked", [])):
            raise ValueError(f"{wrong or 'unit'} is not what it should be")
        missing = [name for name in needs[data["want"]] if data.get(name) is None]
        if missing or (data.get("trace") and "step" not in data):
            raise ValueError(f"without {missing or 'step'}")
        data.setdefault("layer", None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"Permintaan ini tidak dapat dibaca: {error}.", f"This request cannot be read: {error}."
        ) from error
    return data


def _nothing(key: str) -> Any:
    raise UserError(say(key, "id"), say(key, "en"))


def _json(**data: Any) -> str:
    """One line, different each time: the browser hears of a change only."""
    return json.dumps({"n": uuid.uuid4().hex[:8], **data}, ensure_ascii=False, separators=(",", ":"))
