"""A run as a file: HTML that plays by itself, GIF, MP4, PNG of one frame, JSON. Each is one entry of EXPORTS."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from llada_demo.core.errors import UserError
from llada_demo.core.trace import Trace
from llada_demo.export.film import film
from llada_demo.export.page import player_page
from llada_demo.export.picture import SIZES, Painter

STEP_MS, FIRST_MS, LAST_MS = 110, 700, 2000
FPS = 30
COLOURS = 32  # of a GIF
SAME = 255  # the palette's index that shows the frame before

Work = Generator[tuple[int, int], None, bytes]  # yields (frames done, frames in all), returns the file's bytes


def export(trace: Trace, kind: str, size: str = "wide", step: int | None = None) -> Work:
    """A run as a file, frame by frame: it can be watched, and left in the middle.

    kind: a name in EXPORTS; size: one in SIZES; step: of a PNG, the last by default. Raises UserError for a name
    that is not there.
    """
    check_names(kind, size)
    return EXPORTS[kind](trace, size, step)


def check_names(kind: str, size: str) -> None:
    """Raises UserError for a format or a size that is not there."""
    for name, there in ((kind, EXPORTS), (size, SIZES)):
        if name not in there:
            raise UserError(
                f"{name!r} tidak ada. Yang ada: {', '.join(there)}.",
                f"There is no {name!r}. There are: {', '.join(there)}.",
            )


def finish(work: Work, report: Callable[[int, int], None] = lambda done, of: None) -> bytes:
    """The bytes of a work that is done in one go, with a word after each frame."""
    while True:
        try:
            report(*next(work))
        except StopIteration as end:
            return end.value


def to_json(trace: Trace, size: str, step: int | None) -> Work:
    """The trace itself; `read_trace` opens it again."""
    yield 1, 1
    return trace.to_json().encode()


def to_html(trace: Trace, size: str, step: int | None) -> Work:
    """A page that needs nothing else: the player, its look, and the film."""
    yield 1, 1
    return player_page(film(trace, recorded=True)).encode()


def to_png(trace: Trace, size: str, step: int | None) -> Work:
    """The frame after `step` steps."""
    yield 1, 1
    count = len(trace.steps) if step is None else max(0, min(step, len(trace.steps)))
    return _saved(Painter(trace, size).frame(count), "PNG")


def to_gif(trace: Trace, size: str, step: int | None) -> Work:
    """An animation that stops at its end. A frame holds what is new in it; all else is transparent."""
    painter, count = Painter(trace, size), len(trace.steps) + 1
    palette = _palette([painter.frame(i) for i in sorted({0, count // 4, count // 2, 3 * count // 4, count - 1})])
    frames, before = [], None
    for i in range(count):
        picture = np.asarray(painter.frame(i).quantize(palette=palette, dither=Image.Dither.NONE))
        frames.append(Image.fromarray(picture if before is None else np.where(picture == before, SAME, picture)))
        frames[-1].putpalette(palette.getpalette() or [])
        before = picture.astype(np.uint8)
        yield i + 1, count
    times = [FIRST_MS, *[STEP_MS] * (count - 2), LAST_MS] if count > 1 else LAST_MS
    more = {"append_images": frames[1:], "duration": times, "disposal": 1, "transparency": SAME, "optimize": False}
    return _saved(frames[0], "GIF", save_all=True, **more)


def to_mp4(trace: Trace, size: str, step: int | None) -> Work:
    """H.264, FPS pictures a second."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        stream.pix_fmt = "yuv420p"
        stream.width, stream.height = SIZES[size]
        painter, at, last = Painter(trace, size), 0, len(trace.steps)
        for i in range(last + 1):
            picture = av.VideoFrame.from_image(painter.frame(i)).reformat(format="yuv420p")
            shown = FIRST_MS if i == 0 else LAST_MS if i == last else STEP_MS
            for _ in range(max(1, round(shown * FPS / 1000))):
                picture.pts = at
                at += 1
                container.mux(stream.encode(picture))
            yield i + 1, last + 1
        container.mux(stream.encode())
    return file.getvalue()


EXPORTS: Mapping[str, Callable[[Trace, str, int | None], Work]] = {
    "html": to_html,
    "gif": to_gif,
    "mp4": to_mp4,
    "png": to_png,
    "json": to_json,
}


def _palette(samples: Sequence[Image.Image]) -> Image.Image:
    """One palette for colours that occur in some frames only."""
    width, height = samples[0].size
    sheet = Image.new("RGB", (width, height * len(samples)))
    for i, sample in enumerate(samples):
        sheet.paste(sample, (0, height * i))
    return sheet.quantize(COLOURS, dither=Image.Dither.NONE)


def _saved(image: Image.Image, kind: str, **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()
