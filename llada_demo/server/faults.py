"""Whose fault an exception is: ours, or that of a request that Gradio could not take apart.

Gradio answers many malformed requests with an unhandled KeyError, TypeError or UnicodeError (an unknown
endpoint, a component that isn't there, half a surrogate pair). A list of those would be out of date with its
next release. What they have in common is that they are raised before any of our code has run.
"""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Iterator

from llada_demo.core.errors import UserError

FRAMEWORK = sys.stdlib_module_names | {
    "anyio",
    "fastapi",
    "gradio",
    "gradio_client",
    "httpx",
    "jinja2",
    "orjson",
    "pydantic",
    "pydantic_core",
    "starlette",
}
GUARD = frozenset(f"{__package__}.{name}" for name in ("guard", "answer", "body"))  # messengers, not causes


class Refused(UserError):
    """A request that is answered with `status` (4xx) and this sentence, and goes no further."""

    def __init__(self, status: int, indonesian: str, english: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(indonesian, english)
        self.status = status
        self.headers = headers or {}


def is_requests_fault(error: BaseException) -> bool:
    """Whether only the framework was at work when `error` arose, taking apart what the client had sent.

    A full disk or memory is the machine's fault in any case; a file name longer than a disk allows is not.
    """
    for cause in _causes(error):
        if isinstance(cause, MemoryError):
            return False
        if isinstance(cause, OSError) and cause.errno != errno.ENAMETOOLONG:
            return False
        if not all(name in FRAMEWORK for name in _packages(cause)):
            return False
    return True


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was raised from, newest first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _packages(error: BaseException) -> Iterator[str]:
    """The top-level package of every frame that `error` passed through, the guard's own left out."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module not in GUARD:
            yield module.partition(".")[0]
