"""The blind vote on the comparison tab: two answers without names, a choice, and only then who wrote which."""

from __future__ import annotations

import base64
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import gradio as gr

from llada_demo.core.chat import SYSTEM_PROMPT, opened
from llada_demo.core.errors import CapacityError, UserError
from llada_demo.core.settings import ASSETS
from llada_demo.core.sheet import write_csv
from llada_demo.engine import Engine
from llada_demo.engine.run import Run
from llada_demo.server.votes import CHOICES, LONGEST, Score, Standing, System, Vote, Votes, digest, new_ballot
from llada_demo.ui.adapters import as_code, choices
from llada_demo.ui.controls import DEFAULT_PRESET, parse_seed, preset_choices, preset_options
from llada_demo.ui.reel import new_id
from llada_demo.ui.running import PRIVATE, QUEUE, end_first, told_once, warn, watched
from llada_demo.ui.words import Words, pick

EVERYDAY = ASSETS / "data" / "prompts" / "everyday.txt"
BASE = ":"  # the base among adapters, none of which has a colon in its name
TYPED = ("question", "system_prompt")  # what of a vote a visitor may have typed

TEXTS: Mapping[str, tuple[str, str]] = {
    "question": ("Pertanyaan", "Question"),
    "question_hint": ("Tulis pertanyaan untuk dua penjawab tanpa nama", "Ask two answerers without names"),
    "ask": ("Mulai", "Start"),
    "stop": ("Berhenti", "Stop"),
    "surprise": ("Kejutkan saya", "Surprise me"),
    "among": ("Di antara", "Among"),
    "among_help": (
        "Dua diundi dari yang dipilih di sini; kosong berarti dari semuanya.",
        "Two are drawn from those chosen here; empty means from all.",
    ),
    "base": ("Model dasar", "Base"),
    "left": ("1 · Kiri", "1 · Left"),
    "right": ("2 · Kanan", "2 · Right"),
    "tie": ("3 · Seri", "3 · Tie"),
    "both_bad": ("4 · Keduanya buruk", "4 · Both are bad"),
    "csv": ("Unduh suara (CSV)", "Download votes (CSV)"),
    "json": ("Unduh suara (JSON)", "Download votes (JSON)"),
    "kept": (
        "Suara disimpan di komputer yang menjalankan halaman ini, dalam berkas {place}: pertanyaan, pengaturan, benih, "
        "sidik jari model dan jawaban, pilihan, dan waktunya; tanpa nama dan tanpa alamat. Unduhan memuat semuanya.",
        "Votes are kept on the computer that runs this page, in the file {place}: question, settings, seed, digests of "
        "model and answers, choice and time; no name and no address. A download holds all of it.",
    ),
    "kept_public": (
        "Suara disimpan di server halaman ini: pertanyaan, pengaturan, benih, sidik jari model dan jawaban, pilihan, "
        "dan waktunya; tanpa nama dan tanpa alamat. Siapa pun dapat mengunduh suara, tetapi tanpa teks pertanyaan, "
        "yang hanya dapat dibaca pengelola halaman.",
        "Votes are kept on the server of this page: question, settings, seed, digests of model and answers, choice "
        "and time; no name and no address. Anybody can download the votes, but without the text of questions, which "
        "only whoever runs the page can read.",
    ),
    "too_few": (
        "Untuk menebak perlu paling sedikit dua penjawab. Pilih dua, atau tambahkan adapter di tab Obrolan.",
        "A guess needs at least two who answer. Choose two, or add an adapter in the chat tab.",
    ),
    "too_long": (
        "Pertanyaan ini {length} karakter; suara hanya dicatat sampai {limit}. Pendekkan dahulu.",
        "This question has {length} characters; votes are kept for up to {limit}. Shorten it first.",
    ),
    "gone": (
        "Salah satu penjawab dilepas orang lain di tengah jalan. Mulai lagi dengan pertanyaan ini.",
        "One of the two was unloaded by somebody meanwhile. Start again with this question.",
    ),
    "not_whole": (
        "Belum ada dua jawaban yang selesai untuk dinilai. Tulis pertanyaan dan tunggu keduanya selesai.",
        "There are no two whole answers to vote on yet. Ask a question and wait until both are done.",
    ),
    "voted": (
        "Pasangan jawaban ini sudah dinilai; suara pertama tetap berlaku. Mulai lagi untuk pasangan baru.",
        "You have already voted on this pair of answers; the first vote stands. Start again for a new pair.",
    ),
    "none_yet": ("Belum ada suara untuk diunduh.", "There are no votes to download yet."),
}

Frame = tuple[Any, ...]  # (box, surprise, told, ballot, four buttons)
KEPT: Frame = tuple(gr.skip() for _ in range(4 + len(CHOICES)))


@dataclass
class Ballot:
    """Two answers to one question. Who wrote them (None: the base), and the id with which one may vote once, stay
    on the server; the browser knows the pair by a number of its own.

    adapters: {name: SHA-256} of those that answer, as they were when it began.
    """

    question: str
    systems: tuple[str | None, str | None]
    runs: tuple[Run, Run]
    adapters: Mapping[str, str]
    pair: str = field(default_factory=new_id)
    ballot: str = field(default_factory=new_ballot)
    whole: bool = False
    voted: bool = False

    def __iter__(self) -> Iterator[Any]:
        """Writes both answers, a step of each at a time."""
        yield from zip_longest(*self.runs)
        self.whole = True

    def told(self, state: str, **more: Any) -> str:
        """What the browser may know. state: "writing", "whole", "stopped" or "revealed"."""
        written = state in ("whole", "revealed")
        sides = [run.text if written else run.picture() for run in self.runs]
        return json.dumps({"pair": self.pair, "state": state, "texts": sides, **more}, ensure_ascii=False)

    def vote(self, choice: str) -> Vote:
        """The choice between the two as it is kept. Raises UserError."""
        left, right = self.runs
        return Vote(
            left=self.systems[0],
            right=self.systems[1],
            choice=choice,
            question=self.question,
            system_prompt=SYSTEM_PROMPT,
            left_sha256=digest(left.text),
            right_sha256=digest(right.text),
            options=left.options.to_dict(),
            seed=left.options.seed,
            model=left.about["model"],
            sha256=left.about["sha256"],
            adapters=self.adapters,
            ballot=self.ballot,
        )


def build_blind(engine: Engine, words: Words, language: gr.Textbox, shelf: gr.State | None = None) -> None:
    """Builds the section into the open tab. shelf: what the page knows of the adapters (`shelf_state`)."""
    tab = BlindTab(engine, Votes(engine.settings.votes))
    ballot = gr.State(None)
    with gr.Column(elem_id="blind"):
        box = words.make(
            gr.Textbox,
            words={"label": TEXTS["question"], "placeholder": TEXTS["question_hint"], "submit_btn": TEXTS["ask"]},
            show_label=False, lines=1, max_lines=4, elem_id="blind-question", elem_classes="ask-box", stop_btn=False,
        )  # fmt: skip
        surprise = _button(words, "surprise")
        gr.HTML("", elem_id="blind-boards")
        with gr.Row(elem_id="blind-votes"):
            votes = [_button(words, choice, size="lg", interactive=False) for choice in CHOICES]
        gr.HTML("", elem_id="blind-standings")
        preset, among = _build_settings(words, tab)
        words.make(gr.Markdown, words={"value": tab.kept()}, elem_id="blind-kept", container=False)
        with gr.Row(elem_id="blind-files"):
            files = [_button(words, kind) for kind in ("csv", "json")]
    told, saved = (gr.Textbox(visible="hidden", elem_id=f"blind-{name}") for name in ("told", "saved"))

    view = [box, surprise, told, ballot, *votes]
    settings = [among, preset, language]
    model: dict[str, Any] = {**PRIVATE, **QUEUE}
    writing = [
        box.submit(tab.ask, [box, *settings], view, **model),
        surprise.click(tab.surprise, settings, view, **model),
    ]
    end_first([box.stop], writing, tab.stop, [ballot, language], view)
    for button, choice in zip(votes, CHOICES, strict=True):
        button.click(tab.choose(choice), [ballot, language], [told, *votes], **PRIVATE)
    told.change(None, told, None, js="llada.blind.take", **PRIVATE)
    language.change(None, language, None, js="llada.blind.speak", **PRIVATE)
    changes = [language.change, among.focus, *([shelf.change] if shelf else [])]
    gr.on(changes, tab.refresh, [among, language], among, **PRIVATE)
    for button, kind in zip(files, ("csv", "json"), strict=True):
        saving = button.click(tab.file(kind), language, saved, **PRIVATE)
        saving.success(None, saved, None, js="llada.blind.save", **PRIVATE)


def _build_settings(words: Words, tab: BlindTab) -> tuple[gr.Radio, gr.Dropdown]:
    """How they answer and among whom is drawn, folded."""
    with (
        words.make(gr.Accordion, words={"label": "settings"}, open=False, elem_id="blind-settings"),
        gr.Row(elem_id="blind-choices"),
    ):
        preset = words.make(
            gr.Radio, words={"label": "preset", "choices": preset_choices()}, value=DEFAULT_PRESET,
            elem_id="blind-preset",
        )  # fmt: skip
        among = words.make(
            gr.Dropdown, words={"label": TEXTS["among"], "info": TEXTS["among_help"]}, choices=tab.offered("id"),
            value=[], multiselect=True, filterable=False, elem_id="blind-among", interactive=True,
        )  # fmt: skip
    return preset, among


def _button(words: Words, name: str, size: Any = "sm", **more: Any) -> Any:
    elem_id = f"blind-{name.replace('_', '-')}"
    return words.make(gr.Button, words={"value": TEXTS[name]}, size=size, elem_id=elem_id, min_width=90, **more)


class BlindTab:
    """The handlers: controls -> engine -> view -> yield."""

    def __init__(self, engine: Engine, votes: Votes) -> None:
        self.engine, self.votes = engine, votes
        self.everyday = [line for line in EVERYDAY.read_text(encoding="utf-8").splitlines() if line.strip()]

    def kept(self) -> tuple[str, str]:
        """The sentence about what is kept of a vote, and where, in both languages."""
        if self.engine.settings.public:
            return TEXTS["kept_public"]
        place = as_code(self.engine.settings.votes)
        indonesian, english = (sentence.format(place=place) for sentence in TEXTS["kept"])
        return indonesian, english

    def offered(self, language: str) -> list[tuple[str, str]]:
        """(label, name) of all who can answer."""
        return [(pick(TEXTS["base"], language), BASE), *choices(self.engine, language)[1:]]

    def refresh(self, among: Sequence[str], language: str) -> Any:
        """Who can answer now; a choice that is still there stays."""
        offered = self.offered(language)
        there = {name for _, name in offered}
        return gr.update(choices=offered, value=[name for name in among or () if name in there])

    def surprise(self, among: Sequence[str], preset: str, language: str) -> Iterator[Frame]:
        """One of the everyday prompts, answered."""
        yield from self.ask(secrets.choice(self.everyday), among, preset, language)

    @told_once
    def ask(self, question: str, among: Sequence[str], preset: str, language: str) -> Iterator[Frame]:
        """Both answers live, in step and without names."""
        try:
            ballot = self.start(question or "", among, preset)
        except UserError as error:
            warn(error, language)
            yield KEPT
            return
        for first in watched(_without_names(ballot), language):
            if first:
                yield *self._box(language, True, question), ballot.told("writing"), ballot, *_votes(False)
            else:
                yield gr.skip(), gr.skip(), ballot.told("writing"), *KEPT[3:]
        told = ballot.told("whole" if ballot.whole else "stopped", equal=ballot.runs[0].text == ballot.runs[1].text)
        yield *self._box(language, False), told, gr.skip(), *_votes(ballot.whole)

    def start(self, question: str, among: Sequence[str], preset: str) -> Ballot:
        """Two of those who can answer, drawn with their order by `secrets`. Raises UserError."""
        if len(question) > LONGEST:
            told = (sentence.format(length=len(question), limit=LONGEST) for sentence in TEXTS["too_long"])
            raise CapacityError(*told)
        there = {row["name"]: row["sha256"] for row in self.engine.shelf.listed()}
        pool = [name for name in dict.fromkeys(among or (BASE, *there)) if name == BASE or name in there]
        if len(pool) < 2:
            raise UserError(*TEXTS["too_few"])
        options = preset_options(preset)
        options = type(options).from_dict({**options.to_dict(), "seed": parse_seed("")})
        left, right = (None if name == BASE else name for name in secrets.SystemRandom().sample(pool, 2))
        runs = tuple(self.engine.start(opened(question), options, system) for system in (left, right))
        adapters = {name: there[name] for name in (left, right) if name is not None}
        return Ballot(question, (left, right), (runs[0], runs[1]), adapters)

    def stop(self, ballot: Ballot | None, language: str) -> Frame:
        """What is written stays on the boards, and there is nothing to vote on."""
        told = ballot.told("stopped") if ballot else gr.skip()
        return *self._box(language, False), told, None, *_votes(False)

    def choose(self, choice: str) -> Callable[[Ballot | None, str], Frame]:
        """The handler of a vote: (told, four buttons). Who wrote which is told also where the vote cannot be kept."""

        def vote(ballot: Ballot | None, language: str) -> Frame:
            if ballot is None or not ballot.whole or ballot.voted:
                key = "voted" if ballot and ballot.voted else "not_whole"
                warn(UserError(*TEXTS[key]), language)
                return tuple(gr.skip() for _ in range(1 + len(CHOICES)))
            ballot.voted = True
            standings, kept = None, False
            try:
                self.votes.add(ballot.vote(choice))
                kept = True
                standings = self.standings()
            except UserError as error:
                warn(error, language)
            told = ballot.told("revealed", names=ballot.systems, choice=choice, kept=kept, standings=standings)
            return told, *_votes(False)

        return vote

    def standings(self) -> dict[str, Any]:
        """What the browser draws: every system against all others, and every pair. Raises UserError."""
        scores, pairs = self.votes.scores(), self.votes.tally()
        systems = [score.system for score in scores]
        times = Counter(system.adapter for system in systems)

        def named(system: System) -> dict[str, Any]:
            """Its name, and a mark where others of that name have other weights."""
            mark = "-".join(sha[:6] for sha in (system.adapters or (system.sha256,)))
            return {"adapter": system.adapter, "mark": mark if times[system.adapter] > 1 else ""}

        return {
            "systems": [{**named(score.system), **_scored(score)} for score in scores],
            "pairs": [_paired(pair, named) for pair in pairs],
        }

    def file(self, kind: str) -> Callable[[str], str]:
        """The handler that writes all votes as "csv" or "json", for the browser to save."""

        def write(language: str) -> str:
            try:
                data = self.export(kind)
            except UserError as error:
                raise gr.Error(error.in_language(language), print_exception=False) from error
            return json.dumps({"kind": kind, "data": base64.b64encode(data).decode()})

        return write

    def export(self, kind: str) -> bytes:
        """All votes as "csv" or "json"; on a public page without what visitors typed. Raises UserError."""
        data = json.loads(self.votes.export("json"))
        if not data["votes"]:
            raise UserError(*TEXTS["none_yet"])
        if not self.engine.settings.public:
            return self.votes.export(kind)
        rows = [{name: value for name, value in vote.items() if name not in TYPED} for vote in data["votes"]]
        if kind == "json":
            return json.dumps({**data, "votes": rows}, ensure_ascii=False, indent=1).encode("utf-8")
        return write_csv([{name: _in_a_cell(value) for name, value in row.items()} for row in rows])

    def _box(self, language: str, writing: bool, question: str | None = None) -> tuple[Any, Any]:
        """The question's box, whose button starts or stops, and the button that surprises."""
        ask, stop = (pick(TEXTS[key], language) for key in ("ask", "stop"))
        value: dict[str, Any] = {} if question is None else {"value": question}
        box = gr.update(submit_btn=False if writing else ask, stop_btn=stop if writing else False, **value)
        return box, gr.update(interactive=not writing)


def _without_names(ballot: Ballot) -> Iterator[Any]:
    """The steps of both. An adapter that is unloaded meanwhile ends them, and is not named."""
    try:
        yield from ballot
    except UserError:
        raise UserError(*TEXTS["gone"]) from None


def _votes(open_: bool) -> list[Any]:
    return [gr.update(interactive=open_) for _ in CHOICES]


def _scored(score: Score) -> dict[str, Any]:
    low, high = score.interval
    figures = {"votes": score.votes, "wins": score.wins, "losses": score.losses}
    return {**figures, "rate": score.rate, "low": low, "high": high}


def _paired(pair: Standing, named: Callable[[System], dict[str, Any]]) -> dict[str, Any]:
    ends = {"first": named(pair.first.system), "second": named(pair.second.system)}
    return {**ends, **_scored(pair.first), "ties": pair.ties, "both_bad": pair.both_bad}


def _in_a_cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict) else value
