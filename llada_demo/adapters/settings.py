"""adapter_config.json, read by a list of what is allowed. No library reads it for us.

A field that we do not know may change the base, run for minutes as a regular expression, or fetch code. So what
is read here has a rule each, what is harmless is named, and everything else must be empty.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llada_demo.adapters.errors import CONFIG, AdapterError, damaged, listed, no_head, refused, shortened

MAX_RANK = 256
MAX_ALPHA = 4096.0
MAX_CONFIG_BYTES = 1 << 20

# Fields that are read here, each by its own rule.
READ = {
    "peft_type",
    "r",
    "lora_alpha",
    "use_rslora",
    "bias",
    "init_lora_weights",
    "target_modules",
    "exclude_modules",
    "base_model_name_or_path",
    "base_sha256",
    "llada_demo",
}
# Fields that say nothing about the function once the weights are there. Any other field must be empty.
HARMLESS = {
    "auto_mapping",
    "inference_mode",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "task_type",
}
PLAIN_STARTS = (None, True, False, "gaussian")  # ways to start training that leave the base as it is

HEAD = "model.transformer.ff_out"  # the output head, which a bare `ff_out` names as well
MODULE_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
CARD_BASE = re.compile(r"^[ \t]*base_sha256:[ \t]*[\"']?([0-9a-f]{64})\b", re.ASCII | re.MULTILINE)


@dataclass(frozen=True)
class LoraSettings:
    """What adapter_config.json says, checked against a base.

    `rank`: 1 to 256. `scaling`: alpha / rank, or alpha / sqrt(rank) for rsLoRA. `modules`: the names of the
    base's Linears that must have a pair of matrices. `may_lack`: those of them that need not have one (the
    head, if only a bare `ff_out` names it). `base`: the base by name, as the file gives it. `base_sha256`: its
    digests, as the file gives them.
    """

    rank: int
    scaling: float
    modules: tuple[str, ...]
    may_lack: frozenset[str]
    base: str | None
    base_sha256: frozenset[str]


def kinds(modules: Iterable[str]) -> str:
    """The last parts of the names, for a sentence: "attn_out, ff_out, ..."."""
    return ", ".join(sorted({name.rpartition(".")[2] for name in modules}))


def read_settings(folder: Path, name: str, modules: Collection[str]) -> LoraSettings:
    """adapter_config.json of the adapter `name`, whose base has Linears of the names `modules`.

    Raises AdapterError naming the field that is missing, out of range, or not supported.
    """
    fields = read_fields(folder / CONFIG, name)
    refuse_unsupported(name, fields)
    rank, alpha = fields.get("r"), fields.get("lora_alpha")
    if not isinstance(rank, int) or isinstance(rank, bool) or not 1 <= rank <= MAX_RANK:
        raise _wrong(name, fields, "r", f"bilangan bulat 1 sampai {MAX_RANK}", f"a whole number, 1 to {MAX_RANK}")
    # NaN and infinity fail the comparison, and a whole number of any size can be compared.
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not 0 < alpha <= MAX_ALPHA:
        most = f"{MAX_ALPHA:g}"
        raise _wrong(
            name, fields, "lora_alpha", f"bilangan di atas 0, paling besar {most}", f"above 0 and at most {most}"
        )
    if fields.get("use_rslora") not in (None, True, False):
        raise _wrong(name, fields, "use_rslora", "true atau false", "true or false")
    wanted, may_lack = resolve_targets(name, fields, modules)
    base = fields.get("base_model_name_or_path")
    return LoraSettings(
        rank=rank,
        scaling=alpha / math.sqrt(rank) if fields.get("use_rslora") else alpha / rank,
        modules=wanted,
        may_lack=may_lack,
        base=shortened(base, 200) if isinstance(base, str) and base else None,
        base_sha256=_named_bases(name, fields),
    )


def read_fields(path: Path, name: str) -> dict[str, Any]:
    """The JSON object in adapter_config.json."""
    if not path.is_file():  # nor a pipe, which would never end
        raise refused(
            name,
            f"tidak ada {path.name}; adapter adalah folder yang disimpan PEFT.",
            f"there is no {path.name}; an adapter is a folder as PEFT saves it.",
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
        if len(data) > MAX_CONFIG_BYTES:
            raise ValueError(f"more than {MAX_CONFIG_BYTES} bytes")
        fields = json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(name, path.name, error) from error
    if not isinstance(fields, dict):
        raise damaged(name, path.name, "not a JSON object")
    return fields


def refuse_unsupported(name: str, fields: Mapping[str, Any]) -> None:
    """Raises AdapterError naming every field that would make of the weights more than a plain LoRA."""
    if fields.get("peft_type") != "LORA":
        raise _wrong(name, fields, "peft_type", "LORA", "LORA")
    if fields.get("bias") not in (None, "none"):
        raise _wrong(name, fields, "bias", '"none"', '"none"')
    start = fields.get("init_lora_weights")
    if not any(start is plain or (isinstance(start, str) and start == plain) for plain in PLAIN_STARTS):
        raise refused(
            name,
            f"init_lora_weights = {_value(start)} mengubah bobot model dasar; simpan sebagai LoRA biasa "
            "(path_initial_model_for_weight_conversion milik PEFT).",
            f"init_lora_weights = {_value(start)} changes the weights of the base; save it as an ordinary LoRA "
            "(PEFT's path_initial_model_for_weight_conversion).",
        )
    strange = [field for field in fields if fields[field] and field not in READ | HARMLESS]
    if strange:
        said = listed(f"{field} = {_value(fields[field])}" for field in strange)
        raise refused(
            name,
            f"{CONFIG} memakai yang tidak didukung di sini: {said}.",
            f"{CONFIG} uses what is not supported here: {said}.",
        )


def resolve_targets(
    name: str, fields: Mapping[str, Any], modules: Collection[str]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """target_modules less exclude_modules as full names, and those of them that the file may lack.

    A target names every module whose full name is it or ends in "." and it, as in PEFT. Nothing is a pattern.
    """
    targets, excluded = _names(name, fields, "target_modules"), _names(name, fields, "exclude_modules")
    ends: dict[str, list[str]] = {}
    for module in modules:
        parts = module.split(".")
        for i in range(len(parts)):
            ends.setdefault(".".join(parts[i:]), []).append(module)
    if not targets:
        raise refused(
            name,
            f"target_modules kosong; model ini memiliki: {kinds(modules)}.",
            f"target_modules is empty; this model has: {kinds(modules)}.",
        )
    unknown = [target for target in targets if target not in ends]
    if HEAD in unknown or HEAD.partition(".")[2] in unknown:
        raise no_head(name)
    if unknown:
        raise refused(
            name,
            f"target_modules menyebut yang tidak ada di model ini: {listed(unknown)}; yang ada: {kinds(modules)}.",
            f"target_modules names what this model does not have: {listed(unknown)}; it has: {kinds(modules)}.",
        )
    out = {module for target in excluded for module in ends.get(target, ())}
    chosen = {module: target for target in sorted(targets, key=len) for module in ends[target] if module not in out}
    # The longest target that names the head decides: PEFT users who write `ff_out` mostly mean the blocks.
    may_lack = frozenset({HEAD}) if chosen.get(HEAD) == "ff_out" and len(chosen) > 1 else frozenset()
    return tuple(module for module in modules if module in chosen), may_lack


def check_base(name: str, named: Iterable[str], card: str, base_sha256: str | None) -> None:
    """Raises AdapterError if config or card name another base than the loaded one (None: not known)."""
    front = card.split("\n---", 1)[0] if card.startswith("---") else ""
    others = sorted({*named, *CARD_BASE.findall(front)} - {base_sha256})
    if base_sha256 is not None and others:
        raise refused(
            name,
            f"dilatih untuk model dasar lain (sha256 {others[0][:12]}…, yang dimuat {base_sha256[:12]}…).",
            f"it was trained for another base (sha256 {others[0][:12]}…, the loaded one is {base_sha256[:12]}…).",
        )


def _names(name: str, fields: Mapping[str, Any], field: str) -> list[str]:
    value = fields.get(field)
    if value is None:
        return []
    if isinstance(value, str):
        raise refused(
            name,
            f"{field} adalah teks ({_value(value)}), yang berarti ekspresi reguler; tulis daftar nama modul.",
            f"{field} is a text ({_value(value)}), which means a regular expression; write a list of module names.",
        )
    if not isinstance(value, list):
        raise _wrong(name, fields, field, "daftar nama modul", "a list of module names")
    wrong = [item for item in value if not isinstance(item, str) or not MODULE_NAME.fullmatch(item)]
    if wrong:
        raise refused(
            name,
            f"{field} memuat yang bukan nama modul: {_value(wrong[0])}; ekspresi reguler tidak diterima.",
            f"{field} holds what is no module name: {_value(wrong[0])}; regular expressions are not accepted.",
        )
    return value


def _named_bases(name: str, fields: Mapping[str, Any]) -> frozenset[str]:
    """base_sha256 of the configuration, and of its `llada_demo` part (our own trainer's), where given."""
    own = fields.get("llada_demo") or {}
    if not isinstance(own, dict):
        raise _wrong(name, fields, "llada_demo", "objek JSON", "a JSON object")
    found = [part["base_sha256"] for part in (fields, own) if part.get("base_sha256") is not None]
    for digest in found:
        if not isinstance(digest, str) or not SHA256.fullmatch(digest):
            raise _wrong(name, {"base_sha256": digest}, "base_sha256", "64 digit heksadesimal", "64 hexadecimal digits")
    return frozenset(found)


def _wrong(name: str, fields: Mapping[str, Any], field: str, indonesian: str, english: str) -> AdapterError:
    value = _value(fields.get(field))
    return refused(
        name,
        f"{field} di {CONFIG} adalah {value}; seharusnya {indonesian}.",
        f"{field} in {CONFIG} is {value}; it must be {english}.",
    )


def _value(value: Any) -> str:
    """A value of the configuration, shortened: long numbers, long texts and deep nests as well."""
    return shortened(reprlib.repr(value))
