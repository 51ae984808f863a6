"""A trained adapter as a folder that PEFT loads: weights, configuration, figures and a card. No pickles.

`adapter_config.json` holds PEFT's own fields only (it warns of others), so what else there is to know, the
base's digest first of all, stands beside it in `training.json` and at the head of the card.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors import SafetensorError
from torch import Tensor

from llada_demo.core.errors import UserError
from llada_demo.learning.lora import save_ordinary

ABOUT = "training.json"
FILES = ("adapter_model.safetensors", "adapter_config.json", ABOUT, "README.md")  # written in this order


def save_adapter(
    adapted: PeftModel, folder: Path, about: Mapping[str, Any], start: Mapping[str, Tensor] | None = None
) -> None:
    """Writes the adapter to `folder`: everything beside it first, then each file renamed into its place.

    about: what `training.json` says (see `Tuner.about`). start: what a PiSSA run began with, else None. Raises
    UserError where the disk does not take it; the files that were there are then still the old ones.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".adapter.") as scratch:
            beside = Path(scratch) / "whole"
            save_ordinary(adapted, beside, Path(scratch), start)
            whole = {**about, "saved": _tidy_config(beside / "adapter_config.json", adapted)}
            (beside / ABOUT).write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            (beside / "README.md").write_text(card(whole), encoding="utf-8")
            for name in FILES:
                os.chmod(beside / name, 0o644)
                os.replace(beside / name, folder / name)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Inside, what goes wrong with the disk becomes one sentence."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"Tidak dapat menyimpan ke {folder} ({reason}); kosongkan ruang atau pilih --out lain. "
            "Simpanan sebelumnya tetap utuh.",
            f"Nothing could be saved to {folder} ({reason}); make room or choose another --out. "
            "What was saved before is still whole.",
        ) from error


def check_writable(folder: Path) -> None:
    """Raises UserError where nothing can be written, before any work is done."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def card(about: Mapping[str, Any]) -> str:
    """README.md of the adapter: base, data, settings and losses, as the hub shows it."""
    base, data, figures, settings = about["base"], about["data"], about["figures"], about["settings"]
    head = ["---", "library_name: peft", "language: id", "tags: [llada, diffusion, lora, indonesian]"]
    head.append(f"base_sha256: {base['sha256']}")
    if "/" in base["name"]:
        head.append(f"base_model: {base['name']}")
    saved = about["saved"]
    lines = [
        *head,
        "---",
        "",
        f"# {about['name']}",
        "",
        f"A LoRA adapter (rank {saved['r']}, alpha {saved['lora_alpha']:g}) for `{base['name']}`, trained with LLaDA's "
        "objective: only the answer is masked, one t for a sequence.",
        "",
        f"Recipe: `{about['recipe']}`. {settings['note']}".rstrip(),
        "",
        *(f"- {sentence}" for sentence in about["adapted"]),
        "",
        "## Base",
        "",
        f"`{base['name']}`, SHA-256 of its weights `{base['sha256']}`. The adapter fits these weights and no others.",
        "",
        "## Data",
        "",
        *_table(("source", "rows"), data["sources"].items()),
        "",
        f"{data['trained']} rows trained on, {data['held_out']} held out. Dropped: {_counted(data['dropped'])}.",
        "",
        "## Figures",
        "",
        *_table(("figure", "value"), figures.items()),
        "",
        "Held out: nats per masked token of answers that were not trained on, half of the tokens masked on average, "
        "always with the same masks.",
        "",
        *_table(("step", "loss", "held out"), ((c["step"], c["loss"], c["heldout"]) for c in about["losses"])),
        "",
        "## Settings",
        "",
        *_table(("setting", "value"), ((k, v) for k, v in settings.items() if k != "note" and v is not None)),
    ]
    return "\n".join(lines) + "\n"


def _tidy_config(path: Path, adapted: PeftModel) -> dict[str, Any]:
    """Writes the base's name, and sorts what PEFT keeps as a set, so that one run gives one file. Returns rank and
    scale as PEFT wrote them: doubled after PiSSA."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = adapted.peft_config["default"].base_model_name_or_path
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return {name: config[name] for name in ("r", "lora_alpha", "use_rslora")}


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    cells = [[_cell(value) for value in row] for row in (head, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value).replace("|", "\\|")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} ({reason})" for reason, n in counts.items()) or "none"
