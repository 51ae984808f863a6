"""What every tab that runs the model needs: its place in the queue, its pace, its button, and what a failure says."""

from __future__ import annotations

import functools
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ParamSpec

import gradio as gr

from llada_demo.core.errors import UserError
from llada_demo.ui.words import TEXTS, pick, say, shielded

UPDATE_EVERY = 0.2  # seconds: a browser gets at most 5 updates a second, however fast the model is
# Of an event that is no endpoint and shows no spinner.
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Answers that are written at the same time; more wait in the queue.
QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 16}

P = ParamSpec("P")
Handler = Callable[..., Any] | None  # None: only the browser's part, `js`

log = logging.getLogger(__name__)


def paced(run: Iterable[Any]) -> Iterator[tuple[bool, Any]]:
    """(first?, step or None): before the first step, and then at most every UPDATE_EVERY seconds."""
    yield True, None
    last = time.monotonic()
    for step in run:
        if time.monotonic() - last >= UPDATE_EVERY:
            last = time.monotonic()
            yield False, step


def watched(run: Iterable[Any], language: str) -> Iterator[bool]:
    """Runs to the end and says when to show a frame (True: the first). A failure ends it, and the visitor is told
    what they can mend (an adapter that was unloaded meanwhile); else they get a number, and the log the rest."""
    try:
        for first, _ in paced(run):
            yield first
    except UserError as error:
        warn(error, language)
    except Exception:
        number = uuid.uuid4().hex[:8]
        log.exception("request %s failed", number)
        gr.Warning(say("failed", language, id=number))


def warn(error: UserError, language: str) -> None:
    """Tells the visitor of an error; what it quotes of a stranger stays plain text."""
    gr.Warning(shielded(error.in_language(language)))


def told_once(handler: Callable[P, Iterator[Any]]) -> Callable[P, Iterator[Any]]:
    """The handler's frames, and a last one without the values of the one before: Gradio sends the last frame twice,
    and whole.

    Updates stay in it. What a frame no longer has, Gradio's client also takes out of those before it that still wait
    to be shown, so a browser that falls behind would never learn of the last updates.
    """

    def light(part: Any) -> Any:
        return part if isinstance(part, dict) and part.get("__type__") == "update" else gr.skip()

    @functools.wraps(handler)
    def frames(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        frame = None
        for frame in handler(*args, **kwargs):
            yield frame
        yield tuple(map(light, frame)) if isinstance(frame, tuple) else light(frame)

    return frames


def end_first(events: Sequence[Any], work: Any, tidy: Handler, given: Any, shown: Any, **more: Any) -> Any:
    """On any of `events`, the events `work` end, and then `tidy` runs: no frame that is still under way comes after.

    One event with a function and `cancels` would do it the other way round (Gradio runs the function first), and end
    what was begun in between.
    """
    return gr.on(events, None, cancels=work, **PRIVATE).then(tidy, given, shown, **more, **PRIVATE)


def send_or_stop(send: str, language: str, writing: bool, **value: Any) -> Any:
    """The update of a box whose button sends (the word `send` of TEXTS), or stops what is being written."""
    word, stop = (pick(TEXTS[key], language) for key in (send, "stop"))
    return gr.update(submit_btn=False if writing else word, stop_btn=stop if writing else False, **value)
