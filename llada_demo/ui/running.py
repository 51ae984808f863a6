"""How often a browser hears of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

UPDATE_EVERY = 0.2  # seconds: a browser gets at most 5 updates a second, however fast the model is


def paced(run: Any) -> Iterator[tuple[bool, Any]]:
    """(first?, step or None): before the first step, and then at most every UPDATE_EVERY seconds."""
    yield True, None
    last = time.monotonic()
    for step in run:
        if time.monotonic() - last >= UPDATE_EVERY:
            last = time.monotonic()
            yield False, step
