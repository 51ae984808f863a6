"""A film draws what the trace says, in few bytes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Step, Trace
from llada_demo.engine import Engine
from llada_demo.export.film import film


@pytest.fixture(scope="module")
def trace(engine: Engine) -> Trace:
    options = SamplingOptions(gen_length=32, steps=16, block_length=8, constraints={3: "laut"})
    return engine.trace([{"role": "user", "content": "Apa itu ombak?"}], options)


def test_the_frames_say_what_the_steps_say(trace: Trace) -> None:
    shown = film(trace)
    assert shown["head"]["question"] == "Apa itu ombak?"
    assert shown["head"]["fixed"]["3"].strip() == "laut"
    for step, frame in zip(trace.steps, shown["frames"], strict=True):
        assert (tuple(frame["p"]), tuple(frame["t"]), frame["f"]) == (step.positions, step.tokens, step.forwards)
        assert frame["c"] == [round(1000 * c) for c in step.confidences]
        assert tuple(frame.get("u", ())) == step.unasked
        assert [row[0] for row in frame["o"]] == [at for at, _ in step.candidates]
    assert shown["end"]["cells"] == [text for _, text in trace.answer]


def test_every_token_is_named_before_or_when_it_is_used_and_once(trace: Trace) -> None:
    named: set[int] = set()
    for frame in film(trace)["frames"]:
        fresh = {int(token) for token in frame.get("n", {})}
        assert not fresh & named
        named |= fresh
        assert {*frame["t"], *(token for row in frame["o"] for token in row[1::2])} <= named


def test_what_stands_behind_the_first_end_is_folded(trace: Trace) -> None:
    end = len(trace.answer) // 2
    cells = [(token, "kata") for token in range(end)] + [(trace.eos, "<|endoftext|>"), (5, "sisa")]
    assert film(dataclasses.replace(trace, answer=tuple(cells)))["end"]["tail"] == end


def test_a_step_by_hand_is_marked(trace: Trace) -> None:
    hand = Step(0, 0, (1,), (5,), (1.0,), 3, 0, by_hand=True, masked=(2,))
    (frame,) = film(dataclasses.replace(trace, steps=(hand,)))["frames"]
    assert (frame["h"], frame["m"]) == (1, [2])


def test_a_recorded_run_without_candidates_takes_under_8_kb_and_a_live_one_under_40(engine: Engine) -> None:
    """Block length as in the presets: candidates are those of the open block only."""
    options = SamplingOptions(gen_length=128, steps=64, block_length=8, end_rule="forbid")
    trace = engine.trace([{"role": "user", "content": "Ceritakan tentang laut."}], options)

    def size(data: Any) -> int:
        return len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())

    assert len(trace.steps) == 64
    assert size(film(trace, candidates=False)) < 8 * 1024
    assert any(step.candidates for step in trace.steps)
    assert size(film(trace)) < 40 * 1024
