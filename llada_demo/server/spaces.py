"""What differs on a Hugging Face Space: whether we are on one, and how a function borrows a ZeroGPU."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def on_space() -> bool:
    """Whether this process runs on a Hugging Face Space."""
    return bool(os.environ.get("SPACE_ID"))


def zero_gpu() -> bool:
    """Whether the Space lends a GPU call by call (ZeroGPU) and its package is there to ask for one."""
    asked = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    return asked and importlib.util.find_spec("spaces") is not None


def gpu(duration: int | Callable[..., int]) -> Callable[[Function], Function]:
    """Decorates a function or generator that needs the GPU, for `duration` seconds at most.

    `duration` may be a function of the same arguments, so that a short answer asks for little of a visitor's
    daily share. Outside ZeroGPU the function is returned as it is.
    """
    if not zero_gpu():
        return lambda function: function
    import spaces

    return spaces.GPU(duration=duration)
