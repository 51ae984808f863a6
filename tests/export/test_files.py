"""Files from a run: each is decoded again and compared with the run."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import av
import numpy as np
import pytest
from PIL import Image

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Trace, read_trace
from llada_demo.engine import Engine
from llada_demo.export.files import EXPORTS, FIRST_MS, FPS, LAST_MS, SIZES, STEP_MS, export, finish
from llada_demo.export.picture import Painter


@pytest.fixture(scope="module")
def trace(engine: Engine) -> Trace:
    options = SamplingOptions(gen_length=32, steps=8, block_length=16, temperature=0.3, constraints={5: "laut"})
    return engine.trace([{"role": "user", "content": "Apa itu ombak?"}], options)


def test_json_gives_the_same_trace_back(trace: Trace) -> None:
    assert read_trace(finish(export(trace, "json")).decode()) == trace


@pytest.mark.parametrize("size", SIZES)
def test_a_gif_has_every_frame_its_time_and_its_pixels(trace: Trace, size: str) -> None:
    image = Image.open(io.BytesIO(finish(export(trace, "gif", size))))
    count = len(trace.steps) + 1
    assert (image.size, image.n_frames) == (SIZES[size], count)
    assert "loop" not in image.info
    painter = Painter(trace, size)
    for i in range(count):
        image.seek(i)
        assert image.info["duration"] == (FIRST_MS if i == 0 else LAST_MS if i == count - 1 else STEP_MS)
        wanted = np.asarray(painter.frame(i)).astype(int)
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - wanted).mean() < 2


def test_an_mp4_is_decoded_with_all_its_pictures(trace: Trace) -> None:
    with av.open(io.BytesIO(finish(export(trace, "mp4")))) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    times = [FIRST_MS, *[STEP_MS] * (len(trace.steps) - 1), LAST_MS]
    assert len(frames) == sum(round(ms * FPS / 1000) for ms in times)
    last = np.asarray(Painter(trace).frame(len(trace.steps))).astype(int)
    assert np.abs(np.asarray(frames[-1]).astype(int) - last).mean() < 4


def test_a_page_needs_nothing_else_and_is_small(engine: Engine) -> None:
    options = SamplingOptions(gen_length=128, steps=64, block_length=16, end_rule="forbid")
    trace = engine.trace([{"role": "user", "content": "Ceritakan tentang laut."}], options, candidates=5)
    page = finish(export(trace, "html")).decode()
    assert len(trace.steps) == 64
    assert len(page.encode()) < 120_000
    assert not re.search(r"(?:src|href)\s*=|https?://(?!www\.w3\.org)", page)
    assert "%%" not in page


def test_token_text_cannot_leave_the_script_of_a_page(trace: Trace) -> None:
    text = "</script><script>alert(1)</script>"
    hostile = dataclasses.replace(trace, answer=tuple((token, text) for token, _ in trace.answer))
    page = finish(export(hostile, "html")).decode()
    assert "<script>alert" not in page
    told = json.loads(re.search(r'id="film">(.*?)</script>', page, re.S)[1])
    assert told["end"]["cells"][0] == text


def test_no_cell_moves_between_pictures_and_all_fit(trace: Trace) -> None:
    long = dataclasses.replace(trace, answer=tuple((1, " katakatakatakata") for _ in trace.answer))
    for size, (width, height) in SIZES.items():
        cells = [cell for cell in Painter(long, size).layout.cells if cell]
        assert len(cells) == len(long.answer)
        assert all(x >= 0 and x + w <= width and y < height for x, y, w in cells)


def test_a_picture_shows_the_step_that_was_asked_for(trace: Trace) -> None:
    first = Image.open(io.BytesIO(finish(export(trace, "png", step=0))))
    assert np.array_equal(np.asarray(first), np.asarray(Painter(trace).frame(0)))


def test_an_export_can_be_watched_and_left_in_the_middle(trace: Trace) -> None:
    work = export(trace, "gif")
    assert next(work) == (1, len(trace.steps) + 1)
    work.close()


@pytest.mark.parametrize(("kind", "size"), [("exe", "wide"), ("gif", "poster")])
def test_an_unknown_name_is_refused_with_those_that_there_are(trace: Trace, kind: str, size: str) -> None:
    with pytest.raises(UserError, match=", ".join(EXPORTS if kind == "exe" else SIZES)):
        export(trace, kind, size)
