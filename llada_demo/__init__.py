"""LLaDA Indonesia: chat with a masked diffusion language model, and see how it writes.

`Engine`, `SamplingOptions` and `Trace` are the public names; they are imported when first used, so that
`import llada_demo` stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llada_demo.core.options import SamplingOptions
    from llada_demo.core.trace import Trace
    from llada_demo.engine import Engine

__all__ = ["Engine", "SamplingOptions", "Trace"]
_HOMES = {
    "Engine": "llada_demo.engine",
    "SamplingOptions": "llada_demo.core.options",
    "Trace": "llada_demo.core.trace",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
