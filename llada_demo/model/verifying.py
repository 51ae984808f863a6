"""What a checkpoint's files must be before a weight is read: each check is one function and one sentence.

Everything here reads files as data. Only safetensors count as weights, `auto_map` is ignored, and names that
a file gives for other files must be plain file names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from llada_demo.core.errors import ModelError
from llada_demo.core.files import sha256_of
from llada_demo.model.config import IMPLEMENTED, LLaDAConfig
from llada_demo.model.network import LLaDAModelLM
from llada_demo.model.tokenizer import LLaDATokenizer

MANIFEST = "sha256.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth")
FLOATS = ("BF16", "F16", "F32", "F64")
SHOWN = 3  # tensors that a sentence names; the others are counted


def damaged(path: Path, reason: object) -> ModelError:
    """The error for a file that is there and cannot be used."""
    return ModelError(
        f"Berkas {path} rusak ({reason}); unduh ulang modelnya.",
        f"{path} is damaged ({reason}); download the model again.",
    )


def absent(path: Path) -> ModelError:
    """The error for a file that ought to be there."""
    return ModelError(
        f"Berkas {path.name} tidak ada di {path.parent}; unduh ulang modelnya.",
        f"There is no {path.name} in {path.parent}; download the model again.",
    )


def refuse_adapter(folder: Path) -> None:
    """Raises ModelError for an adapter, alone or beside a model: transformers would mix it in unasked."""
    alone = (folder / "adapter_model.safetensors").exists() and not (folder / "config.json").exists()
    if alone or (folder / "adapter_config.json").exists():
        raise ModelError(
            f"Folder {folder} berisi adapter; isi LLADA_MODEL dengan model dasarnya dan LLADA_ADAPTERS "
            "dengan adapternya, di folder terpisah.",
            f"The folder {folder} holds an adapter; set LLADA_MODEL to its base model and LLADA_ADAPTERS to "
            "the adapter, in a folder of its own.",
        )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of the checkpoint."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise absent(path) from None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    if not isinstance(data, dict):
        raise damaged(path, "not a JSON object")
    return data


def read_config(folder: Path) -> LLaDAConfig:
    """config.json as a configuration of our network; fields that say nothing about it are left out."""
    path = folder / "config.json"
    fields = read_json(path)
    kind = fields.get("model_type")
    if kind != LLaDAConfig.model_type:
        raise ModelError(
            f"Model di {folder} berjenis {kind!r}; yang didukung hanya 'llada' (seperti LLaDA-8B).",
            f"The model in {folder} is of type {kind!r}; only 'llada' is supported (such as LLaDA-8B).",
        )
    known = {*LLaDAConfig.__annotations__, *LLaDAConfig.attribute_map, *IMPLEMENTED} - {"attribute_map"}
    try:
        return LLaDAConfig(**{name: value for name, value in fields.items() if name in known})
    except (TypeError, ValueError) as error:
        raise damaged(path, error) from error


def find_shards(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights, in name order: the single one, or those of the index."""
    if (folder / SINGLE).exists():
        return [folder / SINGLE]
    if not (folder / INDEX).exists():
        if pickles := sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES):
            raise ModelError(
                f"Bobot di {folder} hanya berupa pickle ({pickles[0]}), yang dapat menjalankan kode saat "
                "dibuka, sehingga ditolak; ubah dahulu menjadi safetensors.",
                f"The weights in {folder} are only there as pickles ({pickles[0]}), which can run code when "
                "they are opened, so they are refused; convert them to safetensors first.",
            )
        raise absent(folder / SINGLE)
    places = read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise damaged(folder / INDEX, "no weight_map")
    if strange := [n for n in places.values() if not isinstance(n, str) or Path(n).name != n]:
        raise damaged(folder / INDEX, f"{strange[0]!r} is not a file name")
    shards = [folder / name for name in sorted(set(places.values()))]
    for shard in shards:
        if not shard.is_file():
            raise absent(shard)
    return shards


def read_header(shard: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name -> (type, shape) of a shard's tensors; no weight is read. Raises ModelError if it is cut short."""
    try:
        with safe_open(shard, framework="pt") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in parts.items()}
    except (SafetensorError, OSError) as error:
        raise damaged(shard, error) from error


def check_tensors(shards: Sequence[Path], config: LLaDAConfig) -> None:
    """Raises ModelError unless the shards hold just the tensors of the network, in its shapes, as floats."""
    found = {name: about for shard in shards for name, about in read_header(shard).items()}
    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in LLaDAModelLM(config).state_dict().items()}
    both = [name for name in wanted if name in found]
    wrong = [f"{n} {list(found[n][1])} != {list(wanted[n])}" for n in both if found[n][1] != wanted[n]]
    problems: list[tuple[str, str, list[str]]] = [
        ("hilang", "missing", [name for name in wanted if name not in found]),
        ("tak dikenal", "unexpected", [name for name in found if name not in wanted]),
        ("salah ukuran", "of another shape", wrong),
        ("salah tipe", "of another type", [f"{n} {found[n][0]}" for n in both if found[n][0] not in FLOATS]),
    ]
    said = [(i, e, f"{len(n)} ({', '.join(n[:SHOWN])}{', …' * (len(n) > SHOWN)})") for i, e, n in problems if n]
    if said:
        raise ModelError(
            f"Bobot di {shards[0].parent} tidak cocok dengan config.json. Tensor "
            + "; ".join(f"{word}: {names}" for word, _, names in said)
            + ".",
            f"The weights in {shards[0].parent} do not fit its config.json. Tensors "
            + "; ".join(f"{word}: {names}" for _, word, names in said)
            + ".",
        )


def read_tokenizer(folder: Path, config: LLaDAConfig) -> LLaDATokenizer:
    """The tokenizer; refused where one of its ids has no row in the embedding."""
    tokenizer = LLaDATokenizer.from_folder(folder, config.mask_token_id, config.eos_token_id)
    size = 1 + max(tokenizer.size - 1, config.mask_token_id or 0, config.eos_token_id or 0)
    rows = int(config.embedding_size or 0)
    if size > rows:
        raise ModelError(
            f"Tokenizer di {folder} memiliki {size} token, sedangkan embedding model hanya {rows} baris.",
            f"The tokenizer in {folder} has {size} tokens, but the model's embedding has only {rows} rows.",
        )
    return tokenizer


def verify_manifest(folder: Path, digests: Mapping[str, str]) -> None:
    """Compares the files with sha256.json, where there is one. digests: the shards' own, known already."""
    if not (folder / MANIFEST).exists():
        return
    listed = read_json(folder / MANIFEST)
    for name in sorted(listed.keys() | digests.keys()):
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise absent(path)
        if (digests.get(name) or sha256_of(path)) != listed.get(name):
            raise ModelError(
                f"Berkas {name} di {folder} berubah: tidak cocok dengan {MANIFEST}; unduh ulang modelnya.",
                f"{name} in {folder} was altered: it does not match {MANIFEST}; download the model again.",
            )
