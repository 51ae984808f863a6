"""What stands between the internet and Gradio: it limits, checks, adds headers and keeps internals in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from llada_demo.server.answer import Answer
from llada_demo.server.body import check_json, counted, declared_length, read, replayed
from llada_demo.server.faults import Refused
from llada_demo.server.rate import Buckets, visitor

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
API = "/gradio_api/"
UPLOADS = ("/gradio_api/upload", "/upload")
STATIC = ("/assets/", "/static/", "/svelte/", "/theme.css", "/favicon.ico", "/gradio_api/custom_component/")

BODY_BYTES = 1 << 20  # a page sends its whole conversation with every message: room for a long one
ZIP_BYTES = 256 << 20  # of an adapter that is sent; a larger one can be given as a folder


@dataclass(frozen=True)
class Limits:
    """How much one visitor may send, and how often: generous for a person, narrow for a program."""

    body_bytes: int = 6 * 2**20  # a recording that is opened has at most 5 MB
    uploads_max_bytes: int | None = None  # None: the upload route is closed
    requests_per_second: float = 30.0  # refill of a visitor's bucket; static files are not counted
    burst: int = 120

    @classmethod
    def of_app(cls, public: bool) -> Limits:
        """Those of the application. Only where it isn't public may a file be sent: the zip of an adapter."""
        if public:
            return cls(body_bytes=BODY_BYTES, requests_per_second=10, burst=60)
        return cls(body_bytes=BODY_BYTES, uploads_max_bytes=ZIP_BYTES)


def security_headers(frame_ancestors: str) -> dict[str, str]:
    """The headers of every answer; `frame_ancestors` says which pages may show this one in a frame.

    Gradio's scripts and styles are inline, and gr.HTML compiles its templates: hence the two unsafe words.
    `connect-src 'self'` covers websockets to the same host. There is no X-Frame-Options, because it cannot
    name the host that frames a Space.
    """
    policy = {
        "default-src": "'self'",
        "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "form-action": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "frame-ancestors": frame_ancestors,
    }
    return {
        "content-security-policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }


class Guard:
    """ASGI middleware that refuses what no honest page sends, before Gradio has to take it apart.

    Bodies are read whole (they are small), except uploads, which are counted while they stream. Answers pass
    through as they come, except those with status 500, of which only a sentence and an id leave.
    """

    def __init__(self, app: ASGIApp, limits: Limits | None = None, frame_ancestors: str = "'self'") -> None:
        self.app = app
        self.limits = limits or Limits()
        self.headers = security_headers(frame_ancestors)
        self.buckets = Buckets(self.limits.requests_per_second, self.limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = Answer(scope, send, self.headers)
        try:
            self._admit(scope)
            checked = await self._checked(scope, receive)
            if checked is not None:
                await self.app(scope, checked, answer.send)
                await answer.finish()
        except Refused as refused:
            await answer.refuse(refused)
        except Exception as error:
            await answer.fail(error)

    def _admit(self, scope: Scope) -> None:
        """Refuses what method, rate or path forbid, without reading a byte of the body."""
        if scope["method"] not in METHODS:
            allowed = {"allow": ", ".join(METHODS)}
            raise Refused(405, "Metode ini tidak dilayani.", "This method is not served.", allowed)
        if not scope["path"].startswith(STATIC):
            host, _ = scope.get("client") or ("", 0)
            wait = self.buckets.wait(visitor(host))
            if wait:
                raise Refused(
                    429,
                    "Terlalu banyak permintaan; tunggu sebentar, lalu coba lagi.",
                    "Too many requests; wait a moment, then try again.",
                    {"retry-after": str(math.ceil(wait))},
                )
        if _is_upload(scope) and self.limits.uploads_max_bytes is None:
            raise Refused(403, "Unggahan berkas ditutup di sini.", "File uploads are closed here.")

    async def _checked(self, scope: Scope, receive: Receive) -> Receive | None:
        """What the app receives in place of the raw body; None when the client has left."""
        headers = Headers(scope=scope)
        if _is_upload(scope):
            limit = self.limits.uploads_max_bytes or 0
            declared_length(headers, limit)
            return counted(receive, limit)
        declared_length(headers, self.limits.body_bytes)
        body = await read(receive, self.limits.body_bytes)
        if body is None:
            return None
        if body and scope["method"] == "POST" and scope["path"].startswith(API):
            check_json(headers.get("content-type", ""), body)
        return replayed(body, receive)


def _is_upload(scope: Scope) -> bool:
    return scope["path"].rstrip("/") in UPLOADS
