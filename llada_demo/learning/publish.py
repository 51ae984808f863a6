"""A trained model as a folder: shards under 10 MB, tokenizer, configuration, recipe, figures, manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from llada_demo.core.files import sha256_of, write_beside
from llada_demo.learning.corpus import Corpus
from llada_demo.learning.recipe import Recipe
from llada_demo.model import LLaDAModelLM
from llada_demo.model.tokenizer import LLaDATokenizer

SHARD = "9MB"  # the hub wants LFS from 10 MB on
MANIFEST = "sha256.json"


def save_model(
    model: LLaDAModelLM,
    tokenizer: LLaDATokenizer,
    folder: Path,
    recipe: Recipe,
    corpus: Corpus,
    figures: Mapping[str, Any],
) -> None:
    """Writes the model in bf16 beside its tokenizer, with recipe.json and training.json."""
    nn.Module.to(model, torch.bfloat16).save_pretrained(folder, max_shard_size=SHARD)
    about = {"figures": dict(figures), "rows": corpus.counts(), "licences": corpus.licences}
    write_json(folder / "recipe.json", recipe.to_dict())
    write_json(folder / "training.json", about)
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    """sha256.json: the digest of every file that decides what the model says."""
    names = [*sorted(p.name for p in folder.glob("*.safetensors*")), "config.json", "tokenizer.json"]
    write_json(folder / MANIFEST, {name: sha256_of(folder / name) for name in names if (folder / name).exists()})


def write_json(path: Path, data: Any) -> None:
    """Readable JSON, whole or not at all."""
    write_beside(path, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode())
