"""A page small enough to test a server with. Run as a program, it serves itself: small_app.py GRACE."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import gradio as gr

from llada_demo.server import build_app, serve

__all__ = ["build_app", "small_demo"]


left = threading.Event()  # a visitor has closed the page


def count(steps: float, pause: float) -> Iterator[str]:
    """A stream: "1", "2", ... with a pause of some seconds before each, until a visitor leaves."""
    for step in range(int(steps)):
        if left.wait(pause):
            return
        yield str(step + 1)


def broken(value: str) -> str:
    raise RuntimeError(f"secret detail about {value}")


def refusing(value: str) -> str:
    raise gr.Error(f"{value} is too long")


def small_demo() -> gr.Blocks:
    """A stream, two events outside the queue, and a component with a server function."""
    with gr.Blocks() as demo:
        steps, pause, text = gr.Number(3), gr.Number(0.01), gr.Textbox()
        gr.HTML("", server_functions=[broken], elem_id="board")
        gr.Button().click(count, [steps, pause], text, api_name="count")
        gr.Button().click(broken, text, text, api_name="broken", queue=False)
        gr.Button().click(refusing, text, text, api_name="refusing", queue=False)
        demo.unload(left.set)
    demo.queue(default_concurrency_limit=4)
    return demo


if __name__ == "__main__":
    serve(small_demo(), ready=lambda: None, grace=int(sys.argv[1]))
    print("served", flush=True)
