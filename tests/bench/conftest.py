"""The tiny random network whose reference answers are recorded in tests/golden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from llada_demo.diffusion import Tokens
from llada_demo.model import LLaDAModelLM

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "llada-tiny"


@pytest.fixture(scope="session")
def network() -> LLaDAModelLM:
    return LLaDAModelLM.from_pretrained(GOLDEN, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    return json.loads((GOLDEN / "golden.json").read_text())


@pytest.fixture(scope="session")
def tokens(golden: dict[str, Any]) -> Tokens:
    return Tokens(golden["mask_token_id"], golden["eos_token_id"], (golden["eos_token_id"],))
