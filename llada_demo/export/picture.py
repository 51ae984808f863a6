"""A frame of a run as a picture: the same states and colours as in the player, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from llada_demo.core.trace import Trace

SIZES = {"wide": (1280, 720), "square": (1080, 1080)}
PAPER, INK, QUIET, LINE = (255, 255, 255), (28, 36, 48), (90, 100, 114), (217, 222, 229)
HATCH, NEW, OLD, GIVEN = (138, 143, 152), (230, 159, 0), (0, 114, 178), (232, 234, 238)  # Okabe-Ito
FADE = 10  # steps after which a committed word has the text's colour
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "arial.ttf")
LARGEST, SMALLEST = 44, 9  # pixels of the text

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Cell = tuple[float, float, float]  # x, y, width


@dataclass(frozen=True)
class Layout:
    """Where every cell stands; the same in all frames, so that nothing moves."""

    size: tuple[int, int]
    font_size: int
    cells: tuple[Cell | None, ...]  # None: behind the end of the text
    texts: tuple[str, ...]


class Painter:
    """Draws frames of one trace. size: a name in SIZES."""

    def __init__(self, trace: Trace, size: str = "wide", title: str = "") -> None:
        self.trace, self.title = trace, title or trace.question
        self.layout = _layout(trace, SIZES[size])
        self.texts = {**trace.texts, **dict(trace.answer)}

    def frame(self, count: int) -> Image.Image:
        """The answer after `count` steps, as an RGB picture."""
        image = Image.new("RGB", self.layout.size, PAPER)
        draw = ImageDraw.Draw(image)
        self._caption(draw, count)
        made = self._made(count)
        for at, cell in enumerate(self.layout.cells):
            if cell:
                self._cell(draw, cell, at, made.get(at), count)
        return image

    def _made(self, count: int) -> dict[int, tuple[int, float, bool, int]]:
        """{position: (step, confidence, given, token)} of what stands after `count` steps."""
        made = {at: (0, 0.0, True, token) for at, token in self.trace.fixed.items()}
        for number, step in enumerate(self.trace.steps[:count], 1):
            for at in step.masked:
                made.pop(at, None)
            for at, token, sure in zip(step.positions, step.tokens, step.confidences, strict=True):
                made[at] = (number, sure, step.by_hand, token)
        return made

    def _cell(
        self, draw: ImageDraw.ImageDraw, cell: Cell, at: int, made: tuple[int, float, bool, int] | None, count: int
    ) -> None:
        x, y, width = cell
        height = self.layout.font_size * 1.25
        box = (x, y, x + width, y + height)
        if made is None:
            _hatch(draw, box)
            return
        number, sure, given, token = made
        fresh = number == count and not given
        if given or fresh:
            draw.rounded_rectangle(box, 4, fill=GIVEN if given else NEW)
        colour = INK if given or fresh else _mix(OLD, INK, min(1.0, (count - number) / FADE))
        final = token == self.trace.answer[at][0]
        text = self.layout.texts[at] if final else _visible(self.texts.get(token, ""))
        draw.text((x, y), text, font=font(self.layout.font_size), fill=colour)
        if not given:
            draw.rectangle((x, y + height + 1, x + width, y + height + 1 + 3 * sure), fill=colour)

    def _caption(self, draw: ImageDraw.ImageDraw, count: int) -> None:
        width, height = self.layout.size
        margin, steps = _margin(self.layout.size), self.trace.steps
        draw.text((margin, margin * 0.6), _short(self.title, font(30), width - 2 * margin), font=font(30), fill=INK)
        answer = self.trace.answer_at(count)
        forwards = steps[count - 1].forwards if count else 0
        line = f"{count}/{len(steps)}   ░ {answer.count(None)}   {forwards} NFE   {self.trace.about.get('model', '')}"
        draw.text((margin, height - margin), line, font=font(22), fill=QUIET)
        top = height - margin - 18
        draw.rectangle((margin, top, width - margin, top + 4), fill=LINE)
        draw.rectangle((margin, top, margin + (width - 2 * margin) * count / max(1, len(steps)), top + 4), fill=OLD)


@lru_cache(maxsize=64)
def font(size: int) -> Font:
    """A font of the system, or the one that Pillow brings."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _layout(trace: Trace, size: tuple[int, int]) -> Layout:
    """The largest text with which the whole answer fits."""
    texts = tuple(_visible(text) for _, text in trace.answer)
    for font_size in range(LARGEST, SMALLEST - 1, -1):
        cells, bottom = _flow(trace, texts[: trace.tail], size, font_size)
        if bottom <= size[1] - 1.6 * _margin(size):
            break
    return Layout(size, font_size, (*cells, *[None] * (len(texts) - trace.tail)), texts)


def _flow(trace: Trace, texts: Sequence[str], size: tuple[int, int], font_size: int) -> tuple[list[Cell], float]:
    """Cells line by line, and where the last line ends."""
    margin, face = _margin(size), font(font_size)
    x, y, space, line = float(margin), margin * 1.9, font_size * 0.34, font_size * 1.75
    cells: list[Cell] = []
    for at, text in enumerate(texts):
        width = max(face.getlength(text), font_size * 0.5)
        x += space if at and trace.answer[at][1][:1].isspace() else 2
        if x + width > size[0] - margin:
            x, y = float(margin), y + line
        cells.append((x, y, width))
        x += width
        if "\n" in trace.answer[at][1]:
            x, y = float(margin), y + line
    return cells, y + line


def _hatch(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, outline=LINE)
    height = bottom - top
    at = left - height
    while at < right:
        start, stop = max(left, at), min(right, at + height)
        draw.line((start, bottom - (start - at), stop, bottom - (stop - at)), fill=HATCH)
        at += 7


def _visible(text: str) -> str:
    return "".join(text.split()) + "↵" if "\n" in text else text.strip()


def _short(text: str, face: Font, width: float) -> str:
    """As much of a text as fits into one line."""
    text = " ".join(text.split())
    while text and face.getlength(text) > width:
        text = text[: max(0, len(text) - 4)].rstrip("…") + "…" if len(text) > 4 else ""
    return text


def _margin(size: tuple[int, int]) -> int:
    return size[1] // 12


def _mix(start: Sequence[int], end: Sequence[int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue
