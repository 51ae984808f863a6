"""One answer on its way out: it gets the security headers, and never tells of internals."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import Message, Scope, Send

from llada_demo.server.faults import Refused, is_requests_fault

logger = logging.getLogger("llada_demo.server")

DIRECT_CALLS = ("/gradio_api/run/", "/gradio_api/api/")  # events outside the queue: one answer, no stream
HELD_BYTES = 16 * 1024  # of an answer with status 500: enough for the sentence of an event that failed


class Answer:
    """The sending side of one request: messages pass at once; a status of 500 is held back and replaced."""

    def __init__(self, scope: Scope, send: Send, headers: Mapping[str, str]) -> None:
        self.scope = scope
        self.headers = headers
        self.started = False
        self.ended = False
        self._send = send
        self._held: bytes | None = None

    async def send(self, message: Message) -> None:
        """What the app calls."""
        if message["type"] == "http.response.start" and message["status"] == 500:
            self._held = b""
        elif self._held is None:
            await self._pass(message)
        else:
            self._held = (self._held + message.get("body", b""))[:HELD_BYTES]

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            MutableHeaders(scope=message).update(self.headers)
        elif message["type"] == "http.response.body":
            self.ended = not message.get("more_body", False)
        await self._send(message)

    async def refuse(self, refused: Refused, request_id: str | None = None) -> None:
        """Answers with the sentence, in the language that the browser asks for first, as Gradio does."""
        wanted = Headers(scope=self.scope).get("accept-language", "").lower()
        content = {"error": refused.in_language("id" if wanted.startswith("id") else "en")}
        if request_id is not None:
            content["request_id"] = request_id
        response = JSONResponse(content, refused.status, refused.headers)
        await response(self.scope, _nothing_more, self._pass)

    async def fail(self, error: Exception) -> None:
        """Logs an exception of the app under a new id, and answers with it: 400 or 500, by whose fault it is.

        An answer that has begun cannot be replaced. Where it is the request's fault, Gradio has told the
        client in the stream before it raised, so the stream ends in peace; otherwise it is cut, which the
        client sees.
        """
        request_id = secrets.token_hex(8)
        place = f"{self.scope['method']} {self.scope['path'][:200]!r}"
        malformed = is_requests_fault(error)
        if malformed:
            logger.warning("request %s: %s could not be taken apart: %r", request_id, place, error)
        else:
            logger.error("request %s: %s failed", request_id, place, exc_info=error)
        if not self.started:
            await self.refuse(_malformed() if malformed else _internal(), request_id)
        elif not malformed:
            raise error
        elif not self.ended:
            await self._pass({"type": "http.response.body", "body": b"", "more_body": False})

    async def finish(self) -> None:
        """Replaces an answer with status 500 of an app that did not raise.

        Gradio gives one for an event that was called directly and failed. In the queue the same failure is a
        message in a stream with status 200; here its sentence is kept, and the status says: not with this
        input.
        """
        if self._held is None:
            return
        request_id = secrets.token_hex(8)
        path = self.scope["path"]
        logger.error("request %s: %r was answered with status 500", request_id, path[:200])
        direct = path.startswith(DIRECT_CALLS)
        await self.refuse(_event_failed(self._held) if direct else _internal(), request_id)


def _event_failed(body: bytes) -> Refused:
    """The sentence that Gradio has put under "error": raised for the visitor to read, or absent."""
    try:
        sentence = json.loads(body)["error"]
    except (ValueError, LookupError, TypeError):
        sentence = None
    if isinstance(sentence, str):
        return Refused(422, sentence, sentence)
    return Refused(422, "Masukan ini tidak dapat diproses.", "These inputs could not be processed.")


def _malformed() -> Refused:
    return Refused(400, "Permintaan ini tidak dapat dibaca.", "This request could not be read.")


def _internal() -> Refused:
    return Refused(
        500,
        "Terjadi kesalahan di peladen. Sebutkan request_id bila melaporkannya.",
        "Something went wrong on the server. Quote the request_id when you report it.",
    )


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}
