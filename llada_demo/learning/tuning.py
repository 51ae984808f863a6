"""What decides an adapter: method, sizes, rates and budget, as a frozen dataclass and as JSON recipes by name.

`python -m llada_demo finetune --recipe NAME` takes `assets/recipes/NAME.json`; every field can be replaced by
the flag of its name. A recipe knows nothing of a machine or a base: what these cannot do is adapted by
`adapted`, which says each change in a sentence.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from llada_demo.core.errors import UserError
from llada_demo.core.settings import ASSETS, DTYPES

RECIPES = ASSETS / "recipes"
METHODS = ("lora", "rslora", "loraplus")
INITS = ("default", "pissa_niter_4", "pissa_niter_8")
OPTIMIZERS = ("adamw", "adam8bit")
WEIGHTINGS = ("llada", "uniform")
BUDGETS = ("epochs", "steps", "minutes")
MAX_RANK = 1024
# (share of the run, factor of the rates), straight between: what `pretrain.schedule` follows.
SCHEDULES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "linear": ((0.0, 1.0), (1.0, 0.0)),
    "constant": ((0.0, 1.0), (1.0, 1.0)),
    "cosine": tuple((i / 32, (1 + math.cos(math.pi * i / 32)) / 2) for i in range(33)),
    "llada": ((0.0, 1.0), (0.9, 1.0), (1.0, 0.1)),  # LLaDA's own fine-tuning: constant, the last tenth down
}


def _setting(
    default: Any,
    help: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    above: float | None = None,
) -> Any:
    """A field with its help and range: low and high belong to it, `above` does not."""
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices, "above": above})


@dataclass(frozen=True)
class FinetuneSettings:
    """Settings of one fine-tuning. Frozen; a value that cannot be used raises UserError naming the field.

    Exactly one of `epochs`, `steps` and `minutes` is the budget. LoRA: arXiv 2106.09685, rsLoRA: 2312.03732,
    LoRA+: 2402.12354, PiSSA: 2404.02948.
    """

    method: str = _setting("lora", "scale alpha/r, rslora: alpha/sqrt(r), loraplus: B learns faster", choices=METHODS)
    init: str = _setting("default", "B = 0, or PiSSA by a fast SVD with 4 or 8 iterations", choices=INITS)
    r: int = _setting(16, "rank of the update", 1, MAX_RANK)
    alpha: float = _setting(16.0, "scale of the update, see method", above=0)
    dropout: float = _setting(0.0, "share of A's inputs that is dropped; 0 with PiSSA", 0, 0.9)
    targets: tuple[str, ...] = _setting(
        ("q_proj", "k_proj", "v_proj"), "linear layers of the blocks by name, and `head` for the output matrix"
    )
    learning_rate: float = _setting(2e-4, "of A, and of B without LoRA+", above=0)
    loraplus_ratio: float = _setting(16.0, "LoRA+: B's rate is this multiple of A's", 1)
    learning_rate_b: float | None = _setting(None, "LoRA+: B's rate itself, instead of the ratio", above=0)
    epochs: float | None = _setting(3.0, "passes over the data", above=0)
    steps: int | None = _setting(None, "steps of the optimiser, instead of epochs", 1)
    minutes: float | None = _setting(None, "time, instead of epochs", above=0)
    batch_size: int = _setting(2, "rows of one forward, on each device", 1)
    accumulation: int = _setting(1, "forwards of one step", 1)
    cutoff_len: int = _setting(512, "tokens of a row at most", 16)
    val_set_size: float = _setting(0.1, "held out: a share below 1, or a number of rows", 0)
    warmup: float = _setting(0.0, "share of the run in which the rate rises", 0, 1)
    schedule: str = _setting("linear", "how the rate falls", choices=tuple(SCHEDULES))
    weight_decay: float = _setting(0.0, "of the optimiser", 0)
    max_grad_norm: float = _setting(1.0, "gradients are cut to this norm", above=0)
    optimizer: str = _setting("adamw", "adam8bit needs CUDA and bitsandbytes", choices=OPTIMIZERS)
    seed: int = _setting(0, "of everything that is random", 0, 2**31)
    weighting: str = _setting("llada", "loss / t as LLaDA has it, or every masked token alike", choices=WEIGHTINGS)
    t: str = _setting("uniform", "how t is drawn; bell: around 0.5", choices=("uniform", "bell"))
    pad_weight: float = _setting(1.0, "weight of the EOS padding in the loss", 0, 1)
    system_share: float = _setting(0.0, "rows that get the chat's system prompt where they have none", 0, 1)
    gradient_checkpointing: bool = _setting(False, "less memory, more time")
    dtype: str = _setting("auto", "of the base; auto: bfloat16 on a GPU, else float32", choices=DTYPES)
    note: str = _setting("", "why the recipe is as it is")

    def __post_init__(self) -> None:
        for f in fields(self):
            value = _typed(f.name, getattr(self, f.name), str(f.type))
            object.__setattr__(self, f.name, value)
            _check(f.name, value, f.metadata)
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(given) != 1:
            _refuse("epochs, steps, minutes", ", ".join(given) or "-", "tepat satu", "exactly one of them")
        if not self.targets:
            _refuse("targets", "[]", "sedikitnya satu nama lapisan", "at least one name of a layer")
        if 1 <= self.val_set_size != int(self.val_set_size):
            _refuse("val_set_size", self.val_set_size, "pecahan < 1 atau bilangan bulat", "below 1, or a whole number")

    @property
    def pissa(self) -> bool:
        """Whether the adapter starts from the principal singular vectors and moves the base on the way."""
        return self.init.startswith("pissa")

    @property
    def rate_b(self) -> float:
        """B's learning rate."""
        if self.method != "loraplus":
            return self.learning_rate
        return self.learning_rate_b or self.learning_rate * self.loraplus_ratio

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FinetuneSettings:
        """From JSON data. Raises UserError for an unknown field, a wrong type or an impossible value."""
        names = [f.name for f in fields(cls)]
        if unknown := sorted(set(data) - set(names)):
            raise UserError(
                f"Pengaturan {', '.join(unknown)} tidak dikenal; yang ada: {', '.join(names)}.",
                f"There is no setting {', '.join(unknown)}; there are: {', '.join(names)}.",
            )
        budget: dict[str, Any] = {"epochs": None} if {"steps", "minutes"} & _given(data) else {}
        return cls(**{**budget, **data})

    def changed(self, **values: Any) -> FinetuneSettings:
        """With other values; a budget takes the place of the one that was there."""
        budget = dict.fromkeys(BUDGETS) if set(BUDGETS) & _given(values) else {}
        return FinetuneSettings.from_dict({**self.to_dict(), **budget, **values})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def recipe_names() -> list[str]:
    """The names that `--recipe` knows, published runs first."""
    return sorted((path.stem for path in RECIPES.glob("*.json")), key=lambda n: (not n.startswith("published"), n))


def read_recipe(name: str) -> FinetuneSettings:
    """The settings of a recipe by name, or of a JSON file. Raises UserError naming what cannot be used."""
    path = RECIPES / f"{name}.json" if name in recipe_names() else Path(name)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        names = ", ".join(recipe_names())
        raise UserError(
            f"Tidak ada resep {name}; yang ada: {names}; atau berikan berkas JSON.",
            f"There is no recipe {name}; there are: {names}; or give a JSON file.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"Resep {path} tidak dapat dibaca: {error}.", f"The recipe {path} cannot be read: {error}."
        ) from error
    if not isinstance(data, dict):
        raise UserError(f"Resep {path} harus objek JSON.", f"The recipe {path} must be a JSON object.")
    return FinetuneSettings.from_dict(data)


def adapted(settings: FinetuneSettings, max_length: int, device: str) -> tuple[FinetuneSettings, list[tuple[str, str]]]:
    """The settings as they can run, and a sentence (Indonesian, English) for each that had to change.

    max_length: tokens that the base can read. device: "cpu", "cuda", ...
    """
    changes: dict[str, Any] = {}
    told: list[tuple[str, str]] = []
    if settings.cutoff_len > max_length:
        changes["cutoff_len"] = max_length
        told.append((
            f"cutoff_len menjadi {max_length}: model ini tidak membaca lebih panjang.",
            f"cutoff_len is now {max_length}: this model does not read more.",
        ))  # fmt: skip
    if settings.pissa and settings.dropout > 0:
        changes["dropout"] = 0.0
        told.append((
            "dropout menjadi 0: PiSSA memindahkan bobot dasar ke adapter, dan dropout akan merusaknya.",
            "dropout is now 0: PiSSA moves the base's own weights into the adapter, and dropout would damage them.",
        ))  # fmt: skip
    if settings.optimizer == "adam8bit" and not has_adam8bit(device):
        changes["optimizer"] = "adamw"
        told.append((
            "optimizer menjadi adamw: adam8bit memerlukan CUDA dan paket bitsandbytes.",
            "the optimizer is now adamw: adam8bit needs CUDA and the package bitsandbytes.",
        ))  # fmt: skip
    return (replace(settings, **changes) if changes else settings), told


def has_adam8bit(device: str) -> bool:
    """Whether 8-bit Adam can run on the device."""
    return device.startswith("cuda") and importlib.util.find_spec("bitsandbytes") is not None


def parse_flag(name: str, text: str) -> Any:
    """The value that a flag's text means for the field `name`. Raises UserError."""
    kind = next(str(f.type) for f in fields(FinetuneSettings) if f.name == name)
    if kind.startswith("tuple"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind == "str":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # refused, with the reason, when it becomes a setting


def _given(data: Mapping[str, Any]) -> set[str]:
    return {name for name, value in data.items() if value is not None}


def _typed(name: str, value: Any, kind: str) -> Any:
    """The value as its field's kind has it; whole numbers serve as fractions, lists as tuples."""
    if value is None and kind.endswith("None"):
        return None
    kind = kind.removesuffix(" | None")
    if kind == "tuple[str, ...]" and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return tuple(dict.fromkeys(value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "float" and number and math.isfinite(value):
        return float(value)
    if (kind == "int" and number and isinstance(value, int)) or (
        kind in ("str", "bool") and type(value).__name__ == kind
    ):
        return value
    return _refuse(name, repr(value), *KINDS[kind])


KINDS: Mapping[str, tuple[str, str]] = {
    "int": ("bilangan bulat", "a whole number"),
    "float": ("bilangan", "a number"),
    "str": ("teks", "text"),
    "bool": ("true atau false", "true or false"),
    "tuple[str, ...]": ("daftar nama", "a list of names"),
}


def _check(name: str, value: Any, metadata: Mapping[str, Any]) -> None:
    if value is None:
        return
    if metadata["choices"] and value not in metadata["choices"]:
        allowed = ", ".join(metadata["choices"])
        _refuse(name, repr(value), f"salah satu dari: {allowed}", f"one of: {allowed}")
    if metadata["above"] is not None and value <= metadata["above"]:
        _refuse(name, value, f"lebih dari {metadata['above']}", f"above {metadata['above']}")
    if metadata["low"] is not None and value < metadata["low"]:
        _refuse(name, value, f"sedikitnya {metadata['low']}", f"at least {metadata['low']}")
    if metadata["high"] is not None and value > metadata["high"]:
        _refuse(name, value, f"paling banyak {metadata['high']}", f"at most {metadata['high']}")


def _refuse(name: str, value: Any, indonesian: str, english: str) -> Any:
    raise UserError(f"{name} harus {indonesian}, bukan {value}.", f"{name} must be {english}, not {value}.")
