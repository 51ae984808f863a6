"""The application around the Blocks, and the server that runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import socket
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from gradio.routes import App
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from llada_demo.server.guard import Guard, Limits
from llada_demo.server.health import Ready, health_routes
from llada_demo.server.listen import address_of, claim, wanted_address
from llada_demo.server.spaces import on_space, zero_gpu

# Nothing is written to the visitor's disk, nothing is published that the page does not need.
QUIET: Mapping[str, Any] = {
    "footer_links": [],
    "run_history": False,
    "show_error": False,
    "ssr_mode": False,
    "enable_monitoring": False,
    "mcp_server": False,
    "pwa": False,
    "app_kwargs": {"openapi_url": None},
}
MOUNTABLE = set(inspect.signature(gr.mount_gradio_app).parameters) - {"app", "blocks", "path"}
SET_BEFORE_MOUNTING = ("max_threads", "state_session_capacity")  # launch() takes them, mounting does not


def frame_ancestors() -> str:
    """Who may show the page in a frame: itself, and on a Space also the hub."""
    return "'self' https://huggingface.co https://*.hf.space" if on_space() else "'self'"


def build_app(
    demo: gr.Blocks,
    *,
    ready: Ready,
    launch_options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> Guard:
    """The ASGI application: guard, `/health`, `/ready`, and `demo` at "/".

    `launch_options` are those of `demo.launch()` that shape the page (theme, css, js, head, i18n,
    max_threads, ...). An option that could have no effect here is refused.
    """
    options = {**QUIET, "root_path": os.environ.get("GRADIO_ROOT_PATH"), **(launch_options or {})}
    unknown = set(options) - MOUNTABLE - set(SET_BEFORE_MOUNTING)
    if unknown:
        raise TypeError(f"launch options without effect here: {sorted(unknown)}; known: {sorted(MOUNTABLE)}")
    for name in SET_BEFORE_MOUNTING:
        if name in options:
            setattr(demo, name, options.pop(name))
    demo._queue.max_thread_count = demo.max_threads
    demo.api_open = False  # nobody jumps the queue: an event with a queue is reached through it alone
    app = FastAPI(openapi_url=None, routes=list(health_routes(ready)))
    gr.mount_gradio_app(app, demo, path="/", **options)
    mounted = next(route.app for route in app.routes if isinstance(route, Mount))
    assert isinstance(mounted, App)
    demo.server_app = mounted  # as launch() does
    return Guard(app, limits, frame_ancestors())


def serve(
    demo: gr.Blocks,
    *,
    ready: Ready,
    launch_options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    host: str | None = None,
    port: int | None = None,
    grace: int = 10,
) -> None:
    """Serves `demo` until SIGTERM or SIGINT, prints its address when it is ready, and returns.

    On the signal no new connection is accepted; streams that run get `grace` seconds to finish. A second
    SIGINT ends the process at once. `host` and `port` left out are those of GRADIO_SERVER_NAME and
    GRADIO_SERVER_PORT, else this machine alone and the first free port from 7860 to 7869. A port in use
    raises `UserError`.
    """
    host, port = wanted_address(host, port)
    if zero_gpu():
        _launch(demo, ready, launch_options or {}, limits, host, port)
        return
    listener = claim(host, port)
    with listener:
        streams = Streams(build_app(demo, ready=ready, launch_options=launch_options, limits=limits))
        server = Server(settings(streams, grace), streams, end_heartbeats=demo.server_app.stop_event.set)
        server.run(sockets=[listener])


def settings(app: ASGIApp, grace: int) -> uvicorn.Config:
    """How uvicorn runs `app`. Only a Space, or who sets FORWARDED_ALLOW_IPS, has a proxy to believe.

    Elsewhere a visitor could write any address into X-Forwarded-For, and so escape the rate limit.
    """
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=on_space() or "FORWARDED_ALLOW_IPS" in os.environ,
        forwarded_allow_ips="*" if on_space() else None,  # None: what FORWARDED_ALLOW_IPS says
        timeout_graceful_shutdown=grace,
    )


def _launch(
    demo: gr.Blocks,
    ready: Ready,
    launch_options: Mapping[str, Any],
    limits: Limits | None,
    host: str,
    port: int | None,
) -> None:
    """Serves through `demo.launch()`, where ZeroGPU hooks in to move the model into place."""
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "*")
    demo.api_open = False
    guard = Middleware(Guard, limits=limits, frame_ancestors=frame_ancestors())
    options = {**QUIET, **launch_options}
    around = {"routes": list(health_routes(ready)), "middleware": [guard]}
    options["app_kwargs"] = {**options["app_kwargs"], **around}
    demo.launch(server_name=host, server_port=port, quiet=True, **options)


class Streams:
    """Counts the requests that a shutdown waits for: all but the page's heartbeat, which has no end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "/heartbeat/" in scope["path"]:
            await self.app(scope, receive, send)
            return
        self.running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1


class Server(uvicorn.Server):
    """uvicorn, except that it waits for streams and not for heartbeats, and that Ctrl-C twice means now."""

    def __init__(self, config: uvicorn.Config, streams: Streams, end_heartbeats: Callable[[], None]) -> None:
        super().__init__(config)
        self.streams = streams
        self.end_heartbeats = end_heartbeats

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            print(f"LLaDA Indonesia: {address_of(listener)}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams first, then heartbeats: the end of one is a visitor who left, and runs `unload` events."""
        heartbeats = asyncio.create_task(self._end_heartbeats_after_streams())
        await super().shutdown(sockets)
        heartbeats.cancel()

    async def _end_heartbeats_after_streams(self) -> None:
        while self.streams.running:
            await asyncio.sleep(0.05)
        self.end_heartbeats()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the shutdown, after which `serve` returns; a later SIGINT ends it now."""
        if self.should_exit and sig == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        self.should_exit = True
