"""Real classes at tiny size: a network of two blocks, a vocabulary, a whole checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import GOLDEN, ROOT, VOCABULARY_SIZE, tiny_config

from llada_demo.learning.publish import write_manifest
from llada_demo.learning.vocabulary import save_vocabulary, train_vocabulary
from llada_demo.model import LLaDAModelLM
from llada_demo.model.tokenizer import LLaDATokenizer

Builder = Callable[..., LLaDAModelLM]


@pytest.fixture(scope="session")
def build() -> Builder:
    """build(**changes of the configuration): a tiny random network, the same at every call."""

    def built(**changes: Any) -> LLaDAModelLM:
        torch.manual_seed(0)
        return LLaDAModelLM(tiny_config(**changes)).eval()

    return built


@pytest.fixture(scope="session")
def golden() -> dict[str, torch.Tensor]:
    """What the public reference computes for tests/golden/llada-tiny."""
    with np.load(GOLDEN / "golden.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope="session")
def reference() -> LLaDAModelLM:
    """The network of tests/golden/llada-tiny, in our classes."""
    return LLaDAModelLM.from_pretrained(GOLDEN, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def vocabulary() -> dict[str, Any]:
    """A byte-level vocabulary trained on the project's greetings."""
    lines = (ROOT / "assets" / "data" / "percakapan" / "sapaan.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[:200]]
    return train_vocabulary((text for row in rows for text in row.get("turns", [])), VOCABULARY_SIZE)


@pytest.fixture(scope="session")
def tokenizer(vocabulary: dict[str, Any]) -> LLaDATokenizer:
    return LLaDATokenizer(vocabulary)


@pytest.fixture
def checkpoint(tmp_path: Path, vocabulary: dict[str, Any], build: Builder) -> Path:
    """A whole checkpoint in several shards, with its manifest."""
    folder = tmp_path / "model-kecil"
    tokenizer = save_vocabulary(vocabulary, folder)
    model = build(vocab_size=VOCABULARY_SIZE, mask_token_id=tokenizer.special.mask, eos_token_id=tokenizer.special.eos)
    model.save_pretrained(folder, max_shard_size="40KB")
    write_manifest(folder)
    return folder
