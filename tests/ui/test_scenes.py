"""The recorded scenes are this model's own runs, and say who made them."""

from __future__ import annotations

from pathlib import Path

import pytest

from llada_demo.core.trace import Trace
from llada_demo.engine import Engine
from llada_demo.ui.scenes import TRACES, read_scene, read_scenes

NAMES = sorted(path.stem for path in TRACES.glob("*.json"))


def test_there_are_eight_and_each_has_its_words_in_both_languages() -> None:
    scenes = read_scenes()
    assert len(scenes) >= 8
    for scene in scenes.values():
        assert all([*scene.title, *scene.note])
        assert (scene.other is None) == (not scene.sides)


@pytest.mark.parametrize("name", NAMES)
def test_its_options_give_the_same_run_again(name: str, engine: Engine) -> None:
    scene = read_scene(TRACES / f"{name}.json")
    for trace in filter(None, (scene.trace, scene.other)):
        assert trace.about["model"]
        assert trace.about["sha256"] == engine.loaded.sha256
        again = repeat(engine, trace)
        assert [step.positions for step in again.steps] == [step.positions for step in trace.steps]
        assert [step.tokens for step in again.steps] == [step.tokens for step in trace.steps]
        assert again.answer == trace.answer


def test_the_files_are_small(root: Path) -> None:
    assert sum(path.stat().st_size for path in TRACES.glob("*.json")) < 2**20


def repeat(engine: Engine, trace: Trace) -> Trace:
    run = engine.resume(trace, 0)
    for _ in run:
        pass
    return run.trace()
