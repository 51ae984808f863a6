"""Why an adapter is refused: one sentence in two languages, which begins with the adapter's name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from llada_demo.core.errors import UserError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
CARD = "README.md"

SHOWN = 3  # names that a sentence gives; the others are counted


@dataclass(frozen=True)
class Report:
    """How the keys of a weights file meet the base: in both, only in the file, asked for but not in the file."""

    matched: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class AdapterError(UserError):
    """An adapter that cannot be used, and why. `report` is there if its keys were compared with the base."""

    def __init__(self, indonesian: str, english: str, report: Report | None = None) -> None:
        super().__init__(indonesian, english)
        self.report = report


def refused(name: str, indonesian: str, english: str, report: Report | None = None) -> AdapterError:
    """The error that begins with the adapter's name. Both reasons are sentences without their capital."""
    return AdapterError(f"Adapter {name} ditolak: {indonesian}", f"The adapter {name} was refused: {english}", report)


def damaged(name: str, file: str, reason: object) -> AdapterError:
    """The error for a file that is there and cannot be read."""
    why = shortened(str(getattr(reason, "strerror", None) or reason), 200)
    return refused(
        name,
        f"{file} rusak atau baru terunduh sebagian ({why}); unduh atau simpan ulang.",
        f"{file} is damaged or only half downloaded ({why}); download or save it again.",
    )


def shortened(text: str, most: int = 60) -> str:
    """A stranger's text for one sentence of ours: in one line, cut after `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"


def listed(names: Iterable[object]) -> str:
    """The first few of many names, shortened, and a sign that there are more."""
    first = [shortened(str(name), 100) for name in islice(names, SHOWN + 1)]
    return ", ".join(first[:SHOWN]) + ", …" * (len(first) > SHOWN)


def a_pickle(name: str, file: str) -> AdapterError:
    """The error for weights that would have to be unpickled."""
    return refused(
        name,
        f"bobotnya berupa pickle ({file}), yang dapat menjalankan kode saat dibuka; simpan sebagai safetensors.",
        f"its weights are a pickle ({file}), which can run code when it is opened; save them as safetensors.",
    )


def no_head(name: str, report: Report | None = None) -> AdapterError:
    """The error for a LoRA on the output head of a model with tied weights: there is nothing it could sit on."""
    return refused(
        name,
        "memuat bagian untuk matriks keluaran (transformer.ff_out), tetapi model ini tidak memilikinya: bobotnya "
        "terikat pada embedding.",
        "it has a part for the output head (transformer.ff_out), but this model has none of its own: its weights "
        "are tied to the embedding.",
        report,
    )
