"""The adapters of an engine: read, attached to its model, and asked for by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llada_demo.adapters import Adapter, AdapterError, Attached, read_adapter
from llada_demo.adapters.attaching import MAX_SCALE, Mix
from llada_demo.model.loading import LoadedModel

NO_MIX: Mix = {}


class Shelf:
    """What visitors may ask for: `name`, `name:0.8`, or several joined by `+`, each with its scale, 0 to 2."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._cards: dict[str, Adapter] = {}
        self._sources: dict[str, str] = {}  # where an adapter came from -> its name
        self.shipped: set[str] = set()  # names of those that come with the model
        self.attached = Attached(loaded.model)

    def add(self, source: str | Path, name: str | None = None, shipped: bool = False) -> Adapter:
        """Reads, checks and attaches an adapter: a folder, a zip, or a hub id, `owner/name` or `owner/name@revision`.

        shipped: it comes with the model. Returns it without its weights. Raises AdapterError, and then nothing has
        changed.
        """
        place, revision = source, None
        if isinstance(source, str) and not Path(source).exists() and "@" in source:
            place, _, revision = source.rpartition("@")
        adapter = read_adapter(place, self._loaded.model, revision, name, base_sha256=self._loaded.sha256)
        if any(sign in adapter.name for sign in ":+"):
            adapter = replace(adapter, name=adapter.name.translate(str.maketrans(":+", "--")))
        self.attached.attach(adapter)
        self._cards[adapter.name] = replace(adapter, weights={})  # the model has its own copy
        self._sources[_place(source)] = adapter.name
        if shipped:
            self.shipped.add(adapter.name)
        return self._cards[adapter.name]

    def remove(self, name: str) -> None:
        """Takes an adapter off and gives its memory back. Raises AdapterError if it is not there."""
        self.attached.detach(name)
        del self._cards[name]
        self.shipped.discard(name)
        self._sources = {source: kept for source, kept in self._sources.items() if kept != name}

    def find(self, asked: str) -> str:
        """What to ask the engine for: names as they are, and what is no name (a folder, a zip, a hub id) is put on
        the shelf, once. Each may carry its `:scale`, and several may be joined by `+`. Raises AdapterError."""
        return "+".join(map(self._found, [asked] if Path(asked).exists() else asked.split("+")))

    def listed(self) -> list[dict[str, Any]]:
        """What there is, as plain JSON data."""
        return [
            {"name": a.name, "rank": a.rank, "parameters": a.parameters, "sha256": a.sha256, "base": a.base,
             "card": a.card}
            for a in self._cards.values()
        ]  # fmt: skip

    def mix(self, asked: str | None) -> Mix:
        """The scales of the adapters that are asked for, by name; none for the base. Raises AdapterError."""
        if asked is None or asked == "":
            return NO_MIX
        if not isinstance(asked, str):  # a stranger's trace may say anything
            raise self._unknown(repr(asked)[:60])
        found: dict[str, float] = {}
        for part in asked.split("+"):
            name, _, scale = (text.strip() for text in part.partition(":"))
            if name not in self._cards:
                raise self._unknown(name[:60])
            found[name] = _scale(name, scale)
        return found

    def _found(self, part: str) -> str:
        source, colon, scale = part.strip().rpartition(":")
        if not colon or not (source in self._cards or _is_number(scale)):
            source, colon, scale = part.strip(), "", ""
        if not source or source in self._cards:
            return source + colon + scale
        name = self._sources.get(_place(source)) or self.add(source, self._free_name(source)).name
        return name + colon + scale

    def _free_name(self, source: str) -> str | None:
        """For a folder whose name is taken, its name with that of the folder around it; None: the usual name."""
        place = Path(source).resolve()
        return "-".join(place.parts[-2:]) if place.is_dir() and place.name in self._cards else None

    def _unknown(self, name: str) -> AdapterError:
        there = ", ".join(self._cards)
        return AdapterError(
            f"Adapter {name!r} tidak ada. Yang ada: {there or 'belum ada'}.",
            f"There is no adapter {name!r}. There are: {there or 'none yet'}.",
        )

    def rows(self, mixes: Sequence[Mix]) -> Any:
        """A `with` block in which row i of a forward in this thread is computed with the adapters of mixes[i]."""
        return self.attached.rows(mixes)


def _place(source: str | Path) -> str:
    """One text for one place, however it was written."""
    return str(Path(source).resolve()) if Path(source).exists() else str(source)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def written(mix: Mix) -> str | None:
    """A mix as it is asked for; None for the base."""
    return "+".join(f"{name}:{scale:g}" if scale != 1 else name for name, scale in mix.items()) or None


def _scale(name: str, text: str) -> float:
    try:
        scale = float(text or 1)
    except ValueError:
        scale = math.nan
    if not 0 <= scale <= MAX_SCALE:
        raise AdapterError(
            f"Skala adapter {name} adalah {text[:20]!r}; seharusnya 0 sampai {MAX_SCALE:g}.",
            f"The scale of the adapter {name} is {text[:20]!r}; it must be from 0 to {MAX_SCALE:g}.",
        )
    return scale
