"""The page as a whole: how its events hang together."""

from __future__ import annotations

from llada_demo.engine import Engine
from llada_demo.ui.page import build_page


def test_an_event_that_ends_work_runs_no_function_itself(engine: Engine) -> None:
    """Gradio would run the function first and cancel then, and so end what was begun in between: `.then` tidies up."""
    page, _ = build_page(engine)
    events = page.get_config_file()["dependencies"]
    ending = {tuple(target) for event in events if event["cancels"] for target in event["targets"]}
    working = {tuple(target) for event in events if event["backend_fn"] for target in event["targets"]}
    assert ending
    assert ending & working == set()
