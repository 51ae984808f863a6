"""A training recipe: everything that decides what a model becomes, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from llada_demo.core.errors import UserError
from llada_demo.learning.objective import Noise
from llada_demo.learning.rows import RowSettings

KINDS = ("causal", "masked")


@dataclass(frozen=True)
class Phase:
    """A share of the training. kind "causal": next token at every position, a warm-up that teaches words
    quickly; kind "masked": LLaDA's own objective with `noise`."""

    kind: str
    share: float
    noise: Noise = field(default_factory=Noise)
    rows: RowSettings = field(default_factory=RowSettings)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"the kind of a phase cannot be {self.kind!r}; there are: {', '.join(KINDS)}")


@dataclass(frozen=True)
class Recipe:
    """Sizes, data, phases and optimisation of `python -m llada_demo pretrain`."""

    model: Mapping[str, Any]  # LLaDAConfig fields without vocabulary and ids
    vocab_size: int
    phases: tuple[Phase, ...]
    leave_out: tuple[str, ...] = ()  # files and sources that are not trained on
    only: tuple[str, ...] = ()  # sources of mixed files that are used; empty = all
    minutes: float = 40.0  # the schedule's length; training ends, fully decayed, after this time
    passes: int = 0  # the schedule's length in token passes, whatever time they take; 0: by minutes
    batch_tokens: int = 4096
    matrix_lr: float = 2e-3  # Muon, for the 2-D weights of the blocks (scaled to AdamW's update size)
    other_lr: float = 2e-3  # AdamW, for embeddings, head and norms
    weight_decay: float = 0.1
    warmup: float = 0.02  # share of the schedule
    rates: tuple[tuple[float, float], ...] = ((0.0, 1.0), (1.0, 0.0))  # (share, factor of the rates), straight between
    seed: int = 0

    def __post_init__(self) -> None:
        shares = [share for share, _ in self.rates]
        if shares != sorted(shares) or shares[:1] != [0.0] or shares[-1:] != [1.0]:
            raise ValueError("rates must lead from share 0 to share 1, in order")

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The recipe in a JSON file. Raises UserError naming what cannot be read."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(data, dict):
                raise TypeError("a recipe is a JSON object")
            return cls.from_dict(data)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"Resep {path} tidak dapat dibaca: {error}.", f"The recipe {path} cannot be read: {error}."
            ) from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Recipe from JSON data; unknown names raise TypeError, unknown values ValueError."""
        phases = []
        for p in data["phases"]:
            noise, rows = _build(Noise, p.get("noise", {})), _build(RowSettings, p.get("rows", {}))
            phases.append(_build(Phase, {**p, "noise": noise, "rows": rows}))
        if not phases:
            raise ValueError("a recipe needs at least one phase")
        return _build(cls, {**data, "phases": phases})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


def _build(cls: type, data: Mapping[str, Any]) -> Any:
    """A dataclass from JSON data, lists as tuples."""
    names = {f.name for f in fields(cls)}
    if unknown := sorted(set(data) - names - {"comment"}):
        raise TypeError(f"unknown fields {', '.join(unknown)} of {cls.__name__}")
    return cls(**{k: _tuples(v) for k, v in data.items() if k != "comment"})


def _tuples(value: Any) -> Any:
    """Lists, also inside lists, as tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
