"""Recorded runs with a title and a speaker's note, from assets/traces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llada_demo.core.settings import ASSETS
from llada_demo.core.trace import Trace

TRACES = ASSETS / "traces"


@dataclass(frozen=True)
class Scene:
    """title, note: (Indonesian, English). other: a run that is shown beside `trace`; sides: the names of the two."""

    title: tuple[str, str]
    note: tuple[str, str]
    trace: Trace
    other: Trace | None = None
    sides: tuple[tuple[str, str], ...] = ()


def read_scenes(folder: Path = TRACES) -> dict[str, Scene]:
    """{name: scene} of the files in a folder, in the order of their names."""
    return {path.stem: read_scene(path) for path in sorted(folder.glob("*.json"))}


def read_scene(path: Path) -> Scene:
    """One file, as `python -m llada_demo scenes` writes it."""
    data = json.loads(path.read_text(encoding="utf-8"))
    (title, english), (note, remark) = data["title"], data["note"]
    other = Trace.from_dict(data["other"]) if "other" in data else None
    sides = tuple((name, english_name) for name, english_name in data.get("sides", ()))
    return Scene((title, english), (note, remark), Trace.from_dict(data["trace"]), other, sides)


def scene_choices(scenes: Mapping[str, Scene]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(label, name) pairs in Indonesian, and in English."""
    return [(s.title[0], name) for name, s in scenes.items()], [(s.title[1], name) for name, s in scenes.items()]
