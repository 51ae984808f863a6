"""adapter_model.safetensors against the base: every name, shape and type in its header, then every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from llada_demo.adapters.errors import WEIGHTS, AdapterError, Report, a_pickle, damaged, listed, no_head, refused
from llada_demo.adapters.settings import HEAD, LoraSettings, kinds
from llada_demo.model.verifying import FLOATS, PICKLES

MAX_WEIGHT_BYTES = 1 << 30  # rank 64 on all seven linears of LLaDA-8B, in float32, with room to spare
MAX_SMALL_BYTES = 2 << 20  # configuration and card, beside the weights
PREFIX = "base_model.model."  # what PEFT writes before the name of a module

Pair = tuple[Tensor, Tensor]


def linears(model: nn.Module) -> dict[str, nn.Linear]:
    """The modules that an adapter may sit on, by full name: the Linears of the network."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}


def find_weights(folder: Path, name: str) -> Path:
    """The weights file. Raises AdapterError if there is none, only a pickle, or one that is too large."""
    path = folder / WEIGHTS
    if not path.is_file():
        pickles = sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES)
        if pickles:
            raise a_pickle(name, pickles[0])
        raise refused(
            name,
            f"tidak ada {WEIGHTS}; berkas .bin tidak diterima karena dapat menjalankan kode.",
            f"there is no {WEIGHTS}; .bin files are not accepted, because they can run code.",
        )
    size = path.stat().st_size
    if size > MAX_WEIGHT_BYTES:
        raise too_large(name, size)
    return path


def too_large(name: str, size: int) -> AdapterError:
    """The error for more bytes than an adapter may have."""
    big, most = f"{size / 2**20:,.1f}", f"{MAX_WEIGHT_BYTES / 2**20:,.1f}"
    return refused(
        name,
        f"terlalu besar ({big} MiB); paling besar {most} MiB.",
        f"it is too large ({big} MiB); the limit is {most} MiB.",
    )


def check_keys(path: Path, name: str, settings: LoraSettings, modules: Mapping[str, nn.Linear]) -> Report:
    """Compares the header of a weights file with the base: names, pairs, shapes, types. No weight is read.

    Raises AdapterError, with the report, unless each module has A (rank, in) and B (out, rank) as floats, and
    nothing else is in the file.
    """
    wanted = wanted_shapes(settings, modules)
    try:
        with safe_open(path, framework="pt") as file:
            found = list(file.keys())
            parts = {key: file.get_slice(key) for key in found if key in wanted}
            about = {key: (part.get_dtype(), tuple(part.get_shape())) for key, part in parts.items()}
    except (SafetensorError, OSError) as error:
        raise damaged(name, path.name, error) from error
    here = set(found)
    lacking = {m for m in settings.may_lack if not here & set(keys_of(m))}
    report = Report(
        matched=tuple(key for key in wanted if key in here),
        unmatched=tuple(sorted(here - wanted.keys())),
        missing=tuple(key for m in settings.modules if m not in lacking for key in keys_of(m) if key not in here),
    )
    if HEAD not in modules and any(key.startswith(f"{PREFIX}{HEAD}.") for key in found):
        raise no_head(name, report)
    if not report.matched:
        seen = listed(report.unmatched) or "-"
        raise refused(
            name,
            f"tidak ada kunci yang cocok dengan model ini (isinya: {seen}); modul model: {kinds(modules)}.",
            f"none of its keys fits this model (it holds: {seen}); the model's modules: {kinds(modules)}.",
            report,
        )
    misshapen = [f"{key} {list(about[key][1])} != {list(wanted[key])}" for key in about if about[key][1] != wanted[key]]
    untyped = [f"{key} {about[key][0]}" for key in about if about[key][0] not in FLOATS]
    _refuse_misfits(name, report, misshapen, untyped)
    return report


def wanted_shapes(settings: LoraSettings, modules: Mapping[str, nn.Linear]) -> dict[str, tuple[int, int]]:
    """Key -> shape of all that a weights file should hold."""
    shapes: dict[str, tuple[int, int]] = {}
    for module in settings.modules:
        a, b = keys_of(module)
        shapes[a] = (settings.rank, modules[module].in_features)
        shapes[b] = (modules[module].out_features, settings.rank)
    return shapes


def keys_of(module: str) -> tuple[str, str]:
    """The keys of a module's A and B in a weights file of PEFT."""
    return f"{PREFIX}{module}.lora_A.weight", f"{PREFIX}{module}.lora_B.weight"


def read_weights(path: Path, name: str, report: Report) -> dict[str, Pair]:
    """Module -> (A, B) in float32, copied out of the file. Raises AdapterError where a value is not finite."""
    tensors: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for key in report.matched:
                # A copy: what the library gives is a view of the file, which may change or go away.
                tensors[key] = file.get_tensor(key).to(torch.float32, copy=True)
    except (SafetensorError, OSError) as error:
        raise damaged(name, path.name, error) from error
    wild = [key for key, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if wild:
        raise refused(
            name,
            f"ada nilai NaN atau tak hingga di {len(wild)} tensor ({listed(wild)}).",
            f"there are NaN or infinite values in {len(wild)} tensors ({listed(wild)}).",
            report,
        )
    names = [key.removeprefix(PREFIX).removesuffix(".lora_A.weight") for key in report.matched if ".lora_A." in key]
    return {module: (tensors[keys_of(module)[0]], tensors[keys_of(module)[1]]) for module in names}


def _refuse_misfits(name: str, report: Report, misshapen: Sequence[str], untyped: Sequence[str]) -> None:
    problems: list[tuple[str, str, Sequence[str]]] = [
        ("tak dikenal", "unmatched", report.unmatched),
        ("hilang", "missing", report.missing),
        ("salah ukuran", "of another shape", misshapen),
        ("salah tipe", "of another type", untyped),
    ]
    said = [(i, e, f"{len(names)} ({listed(names)})") for i, e, names in problems if names]
    if said:
        raise refused(
            name,
            f"bobotnya tidak cocok dengan model ini; kunci cocok: {len(report.matched)}; "
            + "; ".join(f"{word}: {names}" for word, _, names in said)
            + ".",
            f"its weights do not fit this model; keys matched: {len(report.matched)}; "
            + "; ".join(f"{word}: {names}" for _, word, names in said)
            + ".",
            report,
        )
