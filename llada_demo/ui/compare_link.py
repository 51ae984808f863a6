"""What a link to a comparison carries, and the ready ones. A link is a stranger's until it is checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from llada_demo.adapters.attaching import MAX_SCALE
from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.comparison import MOST_ADAPTERS
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.ui import conversation
from llada_demo.ui.controls import DEFAULT_PRESET, preset_options

LONGEST_LINK = 16_000  # characters of its JSON
PARTS = {"prompt", "system_prompt", "adapters", "options"}  # without a system prompt: the usual one

TEXTS: Mapping[str, tuple[str, str]] = {
    "bad_link": (
        "Tautan perbandingan ini tidak dapat dibaca: {why}.",
        "This link to a comparison cannot be read: {why}.",
    ),
    "mixed": (
        "{adapter} memakai beberapa adapter sekaligus; di sini setiap panel memakai satu.",
        "{adapter} uses several adapters at once; here each pane uses one.",
    ),
}


@dataclass(frozen=True)
class Wish:
    """What is to be compared. adapters: as the engine takes them, in the order of the panes beside the base."""

    prompt: str
    adapters: tuple[str, ...]
    options: SamplingOptions
    system_prompt: str = SYSTEM_PROMPT

    def to_json(self) -> str:
        """What a link carries; `read_wish` reads it."""
        data = {
            "prompt": self.prompt,
            "system_prompt": self.system_prompt,
            "adapters": list(self.adapters),
            "options": self.options.to_dict(),
        }
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


EXAMPLES: Mapping[str, tuple[tuple[str, str], Wish]] = {  # name -> title (Indonesian, English), and what is asked
    "tiga": (
        ("Tiga latihan, satu pertanyaan", "Three trainings, one question"),
        Wish(
            "Jelaskan tentang machine learning.",
            ("kecil-lora", "kecil-loraplus-pissa", "kecil-rusak"),
            SamplingOptions(gen_length=64, block_length=32, steps=64, temperature=0.5, seed=1),
        ),
    ),
    "gaya": (
        ("Adapter gaya pada pertanyaan sehari-hari", "A style adapter on an everyday question"),
        Wish("Bagaimana cara bangun pagi?", ("kecil-surat",), replace(preset_options(DEFAULT_PRESET), seed=1)),
    ),
    "skala": (
        ("Satu adapter, tiga skala", "One adapter, three scales"),
        Wish(
            "Ceritakan tentang hujan.",
            ("kecil-surat:0.5", "kecil-surat", "kecil-surat:1.5"),
            replace(preset_options(DEFAULT_PRESET), seed=1),
        ),
    ),
}


def read_wish(text: str) -> Wish:
    """The comparison of a link: prompt, system prompt, adapters and options, each of its type and no longer than a
    visitor could write it. Whether the adapters are there is the engine's matter. Raises UserError."""
    try:
        if len(text) > LONGEST_LINK:
            raise ValueError(f"{len(text)} > {LONGEST_LINK}")
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False).encode()  # JSON can hold halves of characters, which no text can
        prompt, adapters, options = (data[key] for key in ("prompt", "adapters", "options"))
        system = data.get("system_prompt", SYSTEM_PROMPT)
        if not all(isinstance(part, str) for part in (prompt, system)) or not isinstance(adapters, list):
            raise TypeError("prompt, system_prompt or adapters")
        if data.keys() - PARTS or len(adapters) > MOST_ADAPTERS or not all(isinstance(one, str) for one in adapters):
            raise TypeError("adapters")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(*(sentence.format(why=str(error)[:100]) for sentence in TEXTS["bad_link"])) from error
    texts = conversation.checked(prompt), conversation.checked(system)
    return Wish(texts[0], tuple(adapters), SamplingOptions.from_dict(options), texts[1])


def slots_of(adapters: Iterable[str]) -> list[tuple[str, float]]:
    """(name, scale) of each, for the form. Raises UserError for several adapters in one, and for a scale that is no
    number from 0 to 2."""
    slots = []
    for adapter in adapters:
        name, _, scale = adapter.partition(":")
        if "+" in adapter:
            raise UserError(*(sentence.format(adapter=adapter[:60]) for sentence in TEXTS["mixed"]))
        try:
            slots.append((name.strip(), float(scale or 1)))
            if not 0 <= slots[-1][1] <= MAX_SCALE:
                raise ValueError(f"{scale[:20]!r}: 0-{MAX_SCALE:g}")
        except ValueError as error:
            raise UserError(*(sentence.format(why=str(error)[:100]) for sentence in TEXTS["bad_link"])) from error
    return slots
