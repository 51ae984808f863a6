"""The checkpoint of a fine-tuning: tensors and JSON in one safetensors file, no pickle, whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from llada_demo.core.errors import UserError
from llada_demo.core.files import write_beside

CHECKPOINT = "checkpoint.safetensors"
IDENTITY = ("settings", "data", "base", "processes")


@dataclass(frozen=True)
class Checkpoint:
    """adapter: its tensors; start: those that a PiSSA run began with; optimizer: the state of each parameter by
    index; about: settings, digests of data and base, processes, numbers and losses so far."""

    adapter: Mapping[str, Tensor]
    start: Mapping[str, Tensor] | None
    optimizer: Mapping[int, Mapping[str, Any]]
    about: Mapping[str, Any]

    def check(self, identity: Mapping[str, Any]) -> None:
        """Raises UserError where the run that wants to go on is another one, naming what differs."""
        there, here = dict(self.about["settings"]), dict(identity["settings"])
        differs = [f"{k}: {there.get(k)} -> {here.get(k)}" for k in here if there.get(k) != here[k]]
        differs += [name for name in IDENTITY[1:] if self.about[name] != identity[name]]
        if differs:
            raise UserError(
                f"Di --out ada simpanan dari pelatihan lain ({'; '.join(differs)}); samakan, atau mulai baru "
                "dengan --fresh.",
                f"The --out folder holds a checkpoint of another run ({'; '.join(differs)}); make them equal, or "
                "start anew with --fresh.",
            )


def write_checkpoint(folder: Path, state: Checkpoint) -> None:
    """Writes it beside the one that is there, then renames it. Raises OSError."""
    tensors = {f"adapter/{name}": value for name, value in state.adapter.items()}
    tensors |= {f"start/{name}": value for name, value in (state.start or {}).items()}
    numbers: dict[str, Any] = {}
    for index, values in state.optimizer.items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{name}"] = value
            else:
                numbers[f"{index}/{name}"] = value
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    about = json.dumps({**state.about, "optimizer": numbers}, ensure_ascii=False)
    write_beside(folder / CHECKPOINT, save(whole, {"about": about}))


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint of the folder, or None. Raises UserError for a damaged one."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    parts: dict[str, dict[str, Tensor]] = {"adapter": {}, "start": {}, "optimizer": {}}
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["about"])
            for name in file.keys():  # noqa: SIM118 - not a mapping
                part, _, rest = name.partition("/")
                parts[part][rest] = file.get_tensor(name)
        optimizer: dict[int, dict[str, Any]] = {}
        for name, value in [*parts["optimizer"].items(), *about.pop("optimizer").items()]:
            index, _, rest = name.partition("/")
            optimizer.setdefault(int(index), {})[rest] = value
        if missing := [name for name in (*IDENTITY, "numbers", "losses") if name not in about]:
            raise ValueError(f"without {', '.join(missing)}")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(
            f"Simpanan {path} rusak ({error}); mulai baru dengan --fresh.",
            f"The checkpoint {path} is damaged ({error}); start anew with --fresh.",
        ) from error
    return Checkpoint(parts["adapter"], parts["start"] or None, optimizer, about)


def forget(folder: Path) -> None:
    """Removes the checkpoint, if there is one."""
    (folder / CHECKPOINT).unlink(missing_ok=True)
