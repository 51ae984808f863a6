"""The whole page of an engine, served by this process behind its guard."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from llada_demo.engine import Engine
from llada_demo.server import build_app  # before gradio: switches its analytics off
from llada_demo.server.guard import Limits
from llada_demo.server.serve import settings
from llada_demo.ui.page import build_page


@contextmanager
def page_of(engine: Engine) -> Iterator[str]:
    """Its address, while the block lasts. Public or not as the engine's settings say."""
    demo, options = build_page(engine)
    limits = Limits.of_app(engine.settings.public)
    app = build_app(demo, ready=engine.ready, launch_options=options, limits=limits)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(settings(app, grace=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server ended"
            time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            demo.server_app.stop_event.set()  # pages that are still open
            thread.join(20)
