"""The body of a request: counted however it arrives, and valid JSON where JSON is asked for."""

from __future__ import annotations

import json
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from llada_demo.server.faults import Refused


def declared_length(headers: Headers, limit: int) -> None:
    """Refuses by Content-Length alone, before a byte is read. What it doesn't declare is counted later."""
    declared = headers.get("content-length", "0")
    if not declared.isdecimal():
        raise Refused(400, "Content-Length bukan bilangan.", "Content-Length is not a number.")
    if len(declared) > 18 or int(declared) > limit:
        raise _too_large(limit)


async def read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, at most `limit` bytes; None when the client left before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once and then what `receive` has to say: that the client has left."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def counted(receive: Receive, limit: int) -> Receive:
    """A `receive` that passes a long body on piece by piece, and refuses it at the piece that is too much."""
    total = 0

    async def count() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise _too_large(limit)
        return message

    return count


def check_json(content_type: str, body: bytes) -> None:
    """Refuses a body that is not JSON by its type or by its text; NaN and Infinity are not JSON."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "Kirim badan permintaan sebagai application/json.", "Send the body as application/json.")
    try:
        json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(
            400, "Badan permintaan bukan JSON yang sah.", "The body of the request is not valid JSON."
        ) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _too_large(limit: int) -> Refused:
    return Refused(
        413,
        f"Permintaan terlalu besar: paling banyak {limit} bita.",
        f"The request is too large: at most {limit} bytes.",
    )
