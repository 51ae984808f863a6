"""Base and adapters answer the same questions with the same seeds, and both likelihoods are measured.

Finished pieces go into a `Notebook`. On a CPU an answer does not depend on which others are written beside it;
on a GPU the last digits do, so there a run that was cut can differ from an uncut one in single words.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import Any

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.engine import Engine
from llada_demo.engine.shelf import NO_MIX, Mix, written
from llada_demo.evaluation.bits import diffusion_nats
from llada_demo.evaluation.examples import Example
from llada_demo.evaluation.heldout import Item
from llada_demo.evaluation.notebook import Notebook

Tell = Callable[[str], None]
BASE = "base"
ALL = "all"
AT_ONCE = {"cuda": 16, "cpu": 4}  # answers in work at the same time: what is waiting goes into one forward
NEWS = 5.0  # seconds between lines of progress
CARD = 400  # characters of a card's summary


@dataclass(frozen=True)
class System:
    """What answers: the base (no adapter), or a mix of adapters as the engine is asked for it."""

    name: str = BASE
    adapter: str | None = None
    mix: Mix = field(default_factory=lambda: NO_MIX)
    sha256: str | None = None
    card: str = ""


@dataclass(frozen=True)
class Outcome:
    """One system over N examples, in their order. own_nats and reference_nats: nats of each text and the number
    of its tokens, its end included where it has one; None for a blank answer."""

    system: System
    texts: list[str]
    ended: list[bool]
    forwards: list[int]
    seconds: list[float]
    own_nats: list[tuple[float, int] | None]
    reference_nats: list[tuple[float, int]]


def systems_of(engine: Engine, asked: Sequence[str]) -> list[System]:
    """The base, then what is asked for: names of the shelf with or without a scale, several joined by `+`; or
    folders, zips and hub ids, which are put on the shelf first; `all` is the whole shelf. Raises UserError."""
    wanted: list[str] = []
    for text in filter(None, map(str.strip, asked)):
        wanted += [card["name"] for card in engine.shelf.listed()] if text == ALL else [engine.shelf.find(text)]
    if not wanted:
        raise UserError(
            "Belum ada adapter untuk dinilai: beri namanya, foldernya, atau id hub, atau isi LLADA_ADAPTERS.",
            "There is no adapter to judge: give a name, a folder or a hub id, or fill LLADA_ADAPTERS.",
        )
    systems = {BASE: System()}
    cards = {card["name"]: card for card in engine.shelf.listed()}
    for text in wanted:
        mix = engine.shelf.mix(text)
        name = written(mix) or BASE
        digests = "+".join(cards[part]["sha256"] for part in mix)
        systems[name] = System(name, name, mix, digests, "\n".join(summary_of(cards[part]["card"]) for part in mix))
    return list(systems.values())


def summary_of(card: str) -> str:
    """The first sentences of a card: prose only, no front matter, headings, lists or tables."""
    if card.startswith("---"):
        card = card.partition("\n---")[2]
    prose = [line.strip() for line in card.splitlines() if line.strip() and line.strip()[0] not in "#|-*<!"]
    return " ".join(prose)[:CARD].strip()


def write_answers(
    engine: Engine,
    systems: Sequence[System],
    examples: Sequence[Example],
    options: SamplingOptions,
    notebook: Notebook,
    tell: Tell,
    at_once: int | None = None,
) -> None:
    """Every answer that is not in the notebook yet; example i has the seed options.seed + i for every system.

    Answers to the same question stand beside each other in the queue, so that they share forwards. Leaves within
    one step when interrupted, and what is finished is kept. Raises UserError.
    """
    left = [(s, i) for i in range(len(examples)) for s in systems if ("answer", s.name, i) not in notebook]
    progress = Progress("answers", len(systems) * len(examples), len(left), tell)
    stopped = threading.Event()

    def answer(system: System, i: int) -> None:
        seeded = replace(options, seed=options.seed + i)
        run = engine.start(examples[i].messages(), seeded, system.adapter)
        for _ in run:
            if stopped.is_set():
                return
        row = {"text": run.text, "ids": run.written, "ended": run.ended, "forwards": run.stats()["forwards"]}
        notebook.add(("answer", system.name, i), {**row, "seconds": round(run.seconds, 3)})

    pool = ThreadPoolExecutor(at_once or AT_ONCE[engine.placement.device])
    try:
        for done in as_completed([pool.submit(answer, system, i) for system, i in left]):
            done.result()
            progress.step()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def measure_likelihoods(
    engine: Engine,
    systems: Sequence[System],
    examples: Sequence[Example],
    draws: int,
    notebook: Notebook,
    tell: Tell,
) -> None:
    """Two bounds for every system and example, as [nats, tokens]: "reference", the written answer under the
    system, and "own", the system's answer under the base (null where it is blank). The masks of example i come
    from the seed i for all systems."""
    kinds = ("reference", "own")
    keys = [(kind, system, i) for kind in kinds for system in systems for i in range(len(examples))]
    left = [(kind, system, i) for kind, system, i in keys if (kind, system.name, i) not in notebook]
    progress = Progress("likelihoods", len(keys), len(left), tell)
    for kind, system, i in left:
        mix, item = system.mix, examples[i].item
        if kind == "own":
            mix, item = NO_MIX, _own(engine, item, notebook["answer", system.name, i])
        tokens = len(item.ids) - item.start
        found = None
        if item.text:
            with engine.shelf.rows([mix] * draws):
                found = [diffusion_nats(engine.model, item, draws, seed=i), tokens]
        notebook.add((kind, system.name, i), found)
        progress.step()


def outcome(system: System, count: int, notebook: Notebook) -> Outcome:
    """What the notebook holds of one system."""
    answers = [notebook["answer", system.name, i] for i in range(count)]
    return Outcome(
        system,
        texts=[answer["text"] for answer in answers],
        ended=[answer["ended"] for answer in answers],
        forwards=[answer["forwards"] for answer in answers],
        seconds=[answer["seconds"] for answer in answers],
        own_nats=[notebook["own", system.name, i] for i in range(count)],
        reference_nats=[notebook["reference", system.name, i] for i in range(count)],
    )


class Progress:
    """Lines such as `answers 12/60, 3 min left`, at most one in NEWS seconds, and one at the end."""

    def __init__(self, what: str, total: int, left: int, tell: Tell) -> None:
        self.what, self.total, self.left, self.tell = what, total, left, tell
        self.made, self.began, self.told = 0, time.monotonic(), time.monotonic()
        if left < total:
            tell(f"{what} {total - left}/{total} were finished before")

    def step(self) -> None:
        """One more is finished."""
        self.made, now = self.made + 1, time.monotonic()
        if now - self.told >= NEWS or self.made == self.left:
            self.told = now
            seconds = (self.left - self.made) * (now - self.began) / self.made
            self.tell(f"{self.what} {self.total - self.left + self.made}/{self.total}, {_span(seconds)} left")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _own(engine: Engine, asked: Item, answer: dict[str, Any]) -> Item:
    """A system's own answer behind the same prompt, with its end where it wrote one."""
    end = [engine.tokenizer.special.eot] if answer["ended"] else []
    return Item((*asked.ids[: asked.start], *answer["ids"], *end), asked.start, answer["text"])
