"""The embedded model, loaded once: most tests of the engine and the page talk to the real thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from llada_demo.core.settings import Settings
from llada_demo.engine import Engine


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The embedded model in float32, in which a run is the same on every machine."""
    return Engine.load(Settings(dtype="float32", device="cpu"))
