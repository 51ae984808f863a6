"""The sampling controls, generated from the fields of SamplingOptions; presets; and what they say together.

An invalid combination cannot stay on the screen: when a control is released, the nearest valid values take
its place and a message tells which rule asked for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from llada_demo.core.errors import OptionsError, UserError
from llada_demo.core.options import SamplingOptions, Spec, nearest_valid, spec
from llada_demo.ui.running import PRIVATE
from llada_demo.ui.words import SENTENCES, TEXTS, Words

# The longest answer that the sliders offer; the model's own limit may be lower.
LONGEST = 512
# Fields with a control, in the order of the page. The cache has one kind only, and needs no control.
FIELDS = (
    "gen_length", "steps", "block_length", "temperature", "cfg_scale", "threshold", "remasking", "end_rule",
    "no_repeat", "stop_at_end", "constraints", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """A named way to answer; TEXTS["preset_help"] says in one line what the names mean."""

    name: tuple[str, str]
    options: Mapping[str, Any]


# Chosen by `python -m llada_demo evaluate` and by reading, see assets/model/RUNS.md: two tokens committed in one step
# do not know of each other, and often say the same word twice.
COMMON: Mapping[str, Any] = {"temperature": 0.1, "no_repeat": 4}
PRESETS: Mapping[str, Preset] = {
    "fast": Preset(("Cepat", "Fast"), {"gen_length": 64, "steps": 32, "block_length": 8, **COMMON}),
    "balanced": Preset(("Seimbang", "Balanced"), {"gen_length": 64, "steps": 64, "block_length": 4, **COMMON}),
    "careful": Preset(
        ("Teliti", "Careful"), {"gen_length": 64, "steps": 64, "block_length": 4, **COMMON, "cfg_scale": 0.5}
    ),
}
DEFAULT_PRESET = "balanced"


def preset_choices() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(label, key) pairs in Indonesian, and in English."""
    return [(p.name[0], key) for key, p in PRESETS.items()], [(p.name[1], key) for key, p in PRESETS.items()]


def preset_options(name: str) -> SamplingOptions:
    """The options of a preset; what it doesn't name has its default."""
    return SamplingOptions.from_dict(PRESETS[name].options)


class Controls:
    """The components of the sampling settings, and the way from their values to options."""

    def __init__(self, words: Words, max_length: int, tab: str = "") -> None:
        """Builds the components where it is called. max_length: tokens that the model reads, L; tab: goes before
        the elements' ids, so that two tabs may have controls."""
        self.longest, self.tab = min(LONGEST, max_length - max_length // 4), tab
        start = preset_options(DEFAULT_PRESET)
        self.components = [self._build(name, getattr(start, name), words) for name in FIELDS]

    def wire(self, preset: gr.Radio, language: gr.Textbox) -> None:
        """A preset sets them all; a control that is released mends what does not fit."""
        preset.input(lambda name: self.show(preset_options(name)), preset, self.components, **PRIVATE)
        for control in self.components:
            released = getattr(control, "release", None) or getattr(control, "blur", None) or control.input
            # A change that comes while another is mended must not be lost: the last one counts.
            released(self.mend, [language, *self.components], self.components, trigger_mode="always_last", **PRIVATE)

    def read(self, values: Sequence[Any]) -> SamplingOptions:
        """Options from the values of the components; an empty seed is drawn.

        Raises UserError for what cannot be read, OptionsError for what doesn't fit.
        """
        return SamplingOptions.from_dict(parse(values))

    def mended(self, values: Sequence[Any]) -> tuple[SamplingOptions, list[OptionsError]]:
        """The nearest valid options and what had to change."""
        return nearest_valid(parse(values))

    def mend(self, language: str, *values: Any) -> list[Any]:
        """A handler: the nearest valid settings, with a message where something had to change."""
        try:
            options, told = self.mended(values)
        except UserError as error:
            gr.Warning(error.in_language(language))
            return [gr.skip() for _ in values]
        for change in told:
            gr.Info(change.in_language(language))
        return self.show(options, values)

    def show(self, options: SamplingOptions, now: Sequence[Any] | None = None) -> list[Any]:
        """Updates for the components so that they say `options`; the seed and the words stay as written.

        With `now`, the values on the screen, only what differs is touched: the visitor may be typing elsewhere.
        """
        wanted = [_shown(name, options) for name in FIELDS]
        keep = [name in ("seed", "constraints") for name in FIELDS]
        if now is not None:
            keep = [k or value == new for k, value, new in zip(keep, now, wanted, strict=True)]
        return [gr.skip() if k else gr.update(value=new) for k, new in zip(keep, wanted, strict=True)]

    def _build(self, name: str, value: Any, words: Words) -> Any:
        about: Spec = spec(name)
        says = {"label": about.label, "info": about.help}
        identity = {"elem_id": f"{self.tab}option-{name.replace('_', '-')}", "interactive": True}
        if name == "seed":
            says["info"] = TEXTS["seed_help"]
            return words.make(gr.Textbox, words=says, value="", max_lines=1, **identity)
        if name == "constraints":
            return words.make(gr.Textbox, words=says, value="", lines=2, placeholder="0: Tentu", **identity)
        if about.kind is bool:
            return words.make(gr.Checkbox, words=says, value=value, **identity)
        if about.choices:
            return words.make(gr.Dropdown, words=says, value=value, choices=list(about.choices), **identity)
        low = about.low
        if name == "threshold":
            off = TEXTS["threshold_help_off"]
            says["info"] = (off[0] + about.help[0], off[1] + about.help[1])
            low, value = 0.0, value or 0.0
        high = min(about.high or 0, self.longest) if about.unit[0] else about.high
        return words.make(gr.Slider, words=says, value=value, minimum=low, maximum=high, step=about.step, **identity)


def parse(values: Sequence[Any]) -> dict[str, Any]:
    """The fields as SamplingOptions wants them, from the values of the components."""
    data = dict(zip(FIELDS, values, strict=True))
    data["threshold"] = data["threshold"] or None
    data["seed"] = parse_seed(data["seed"])
    data["constraints"] = parse_constraints(data["constraints"])
    return data


def parse_seed(text: str | None) -> int:
    """The seed in a text; a new one where it is empty."""
    text = (text or "").strip()
    if not text:
        return secrets.randbelow(2**31)
    if not (text.isascii() and text.isdigit()):
        raise UserError(*SENTENCES["seed_invalid"])
    return int(text)


def parse_constraints(text: str | None) -> dict[int, str]:
    """{position: word} from lines `position: word`."""
    result: dict[int, str] = {}
    for line in (text or "").splitlines():
        if not line.strip():
            continue
        position, colon, word = line.partition(":")
        position = position.strip()
        if not (colon and word.strip() and position.isascii() and position.isdigit()):
            raise UserError(*(sentence.format(line=line) for sentence in SENTENCES["constraint_invalid"]))
        result[int(position)] = word.strip()
    return result


def with_new_seed(options: SamplingOptions) -> SamplingOptions:
    """The same options with another seed."""
    return replace(options, seed=secrets.randbelow(2**31))


def _shown(name: str, options: SamplingOptions) -> Any:
    value = getattr(options, name)
    return 0.0 if name == "threshold" and value is None else value
