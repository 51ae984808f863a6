"""`GET /health` (the process is alive) and `GET /ready` (the model can generate a token)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

logger = logging.getLogger("llada_demo.server")

Ready = Callable[[], str | None]
STILL_CHECKING = "The check has not finished yet."
CHECK_FAILED = "The check itself failed; see the log."


class Readiness:
    """Asks `ready` at most once in `seconds`, in a thread, however often it is polled.

    A check may generate a token: polls that arrive meanwhile share the one that runs, and wait for it
    `patience` seconds at most.
    """

    def __init__(self, ready: Ready, seconds: float = 5.0, patience: float = 10.0) -> None:
        self.ready = ready
        self.seconds = seconds
        self.patience = patience
        self._sentence: str | None = None
        self._until = float("-inf")
        self._check: asyncio.Task[None] | None = None

    async def sentence(self) -> str | None:
        """Why no token can be generated now; None when one can."""
        if self._check is None:
            if time.monotonic() < self._until:
                return self._sentence
            self._check = asyncio.create_task(self._ask())
        done, _ = await asyncio.wait({self._check}, timeout=self.patience)
        return self._sentence if done else STILL_CHECKING

    async def _ask(self) -> None:
        try:
            self._sentence = await to_thread.run_sync(self.ready)
        except Exception:
            logger.exception("the readiness check failed")
            self._sentence = CHECK_FAILED
        finally:
            self._until = time.monotonic() + self.seconds
            self._check = None


def health_routes(ready: Ready, seconds: float = 5.0) -> list[Route]:
    """The two routes. `ready` returns None, or one sentence on what is missing; it may block."""
    readiness = Readiness(ready, seconds)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def is_ready(request: Request) -> Response:
        reason = await readiness.sentence()
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)

    return [Route("/health", health), Route("/ready", is_ready)]
