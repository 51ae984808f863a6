"""The page of a comparison, opened from a disk without a network: in step, and marked where the panes part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from llada_demo.bench.panes import made_up_adapter
from llada_demo.core.comparison import ComparisonRecord
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from llada_demo.export.comparison import comparison_page

pytestmark = pytest.mark.browser

VERMILION = "rgb(213, 94, 0)"


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> ComparisonRecord:
    """Base and three adapters, of which the last does nothing."""
    engine = Engine.load(Settings(dtype="float32", device="cpu"))
    engine.shelf.add(made_up_adapter(engine.model, tmp_path_factory.mktemp("a") / "gaya", 8, size=0.05))
    options = SamplingOptions(gen_length=32, steps=16, block_length=16)
    messages = [{"role": "user", "content": "Apa itu ombak?"}]
    comparison = engine.compare(messages, options, ["gaya", "gaya:0.3", "gaya:0"], 3)
    for _ in comparison:
        pass
    return comparison.record()


@pytest.fixture
def opened(browser: Browser, record: ComparisonRecord, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """opened(width, language): the page, standing at its first frame. What it complains about fails."""
    (tmp_path / "x.html").write_text(comparison_page(record), encoding="utf-8")
    contexts, complaints = [], []

    def open_page(width: int = 1280, language: str = "id-ID") -> Page:
        size = {"width": width, "height": 800}
        contexts.append(browser.new_context(offline=True, viewport=size, locale=language, reduced_motion="reduce"))
        page = contexts[-1].new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("request", lambda r: complaints.append(r.url) if not r.url.startswith("file:") else None)
        page.goto((tmp_path / "x.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def shown(page: Page) -> list[int]:
    """The frame that each pane shows."""
    return page.evaluate("[...document.querySelectorAll('.player:not(.shared)')].map((root) => root.llada.at)")


def pane(page: Page, number: int) -> Any:
    return page.locator(".player:not(.shared)").nth(number)


@pytest.mark.parametrize("width", [375, 1280])
def test_panes_are_in_step_and_marked_where_they_part(
    opened: Callable[..., Page], record: ComparisonRecord, width: int
) -> None:
    page = opened(width)
    expect(page.locator(".title")).to_have_text(["Dasar", "gaya", "gaya:0.3", "gaya:0"])
    where = record.panes[1].divergence
    assert where
    marked = pane(page, 1).locator("[data-differs]")
    for step in range(1, len(record.panes[0].trace.steps) + 1):
        page.keyboard.press("ArrowRight")
        lengths = [len(one.trace.steps) for one in record.panes]
        assert shown(page) == [min(step, length) for length in lengths]
        assert marked.count() == int(step > where.step)
    cell = pane(page, 1).locator(".board .cell").nth(where.position)
    expect(cell).to_have_attribute("data-differs", "")
    assert cell.evaluate("(cell) => getComputedStyle(cell).outlineColor") == VERMILION
    expect(pane(page, 1).locator(".parting")).to_have_text(
        f"Berbeda dari dasar sejak langkah {where.step + 1}, posisi {where.position}"
    )
    page.keyboard.press("Home")
    expect(pane(page, 1).locator(".parting")).to_have_text("Sejauh ini sama dengan dasar")
    assert marked.count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_base_is_not_compared_with_itself_and_an_equal_pane_says_so(
    opened: Callable[..., Page], record: ComparisonRecord
) -> None:
    page = opened()
    page.keyboard.press("End")
    assert shown(page) == [len(one.trace.steps) for one in record.panes]
    expect(pane(page, 0).locator(".parting")).to_be_hidden()
    expect(pane(page, 3).locator(".parting")).to_have_text("Sejauh ini sama dengan dasar")
    assert page.locator("[data-differs]").count() == 2


def test_the_page_speaks_english_and_tells_the_figures(opened: Callable[..., Page], record: ComparisonRecord) -> None:
    page = opened(language="en-GB")
    page.keyboard.press("End")
    expect(page.locator(".title").first).to_have_text("Base")
    expect(pane(page, 1).locator(".parting")).to_contain_text("Differs from the base from step")
    nats = record.panes[1].figures["nats_under_base"]
    expect(pane(page, 1).locator(".note")).to_contain_text(f"{nats:.2f} nats per token under the base")


@pytest.mark.parametrize("width", [375, 1280])
def test_one_row_of_controls_is_for_all_and_stays_in_reach(
    opened: Callable[..., Page], record: ComparisonRecord, width: int
) -> None:
    page = opened(width)
    play = page.locator(".control.play:visible")
    expect(play).to_have_count(1)
    boards = [board.bounding_box() for board in page.locator(".board").all()]
    if width == 1280:
        assert len({box["y"] for box in boards}) == 1  # side by side
    else:
        assert len({box["x"] for box in boards}) == 1  # one below the other
        expect(play).to_be_in_viewport()
    play.click()
    for number in (0, 3):
        expect(pane(page, number).locator(".line")).not_to_contain_text("Langkah 0 ")
    page.keyboard.press("End")  # the button has the focus, and steps the clock of all
    assert shown(page) == [len(one.trace.steps) for one in record.panes]


def test_end_tokens_are_shown_in_all_panes_at_once(opened: Callable[..., Page], record: ComparisonRecord) -> None:
    page = opened()
    folded = [len(one.trace.answer) - one.trace.tail for one in record.panes]
    assert any(folded)
    tails = [pane(page, number).locator(".cell.tail:visible") for number in range(len(folded))]
    assert [tail.count() for tail in tails] == [0] * len(folded)
    page.locator(".ends:visible input").check()
    assert [tail.count() for tail in tails] == folded


def test_a_presentation_shows_all_panes(opened: Callable[..., Page]) -> None:
    page = opened()
    page.keyboard.press("f")
    for number in range(4):
        expect(pane(page, number).locator(".board")).to_be_visible()
        expect(pane(page, number).locator(".panel")).to_be_hidden()
    assert page.locator(".board").first.evaluate("(board) => parseFloat(getComputedStyle(board).fontSize)") >= 32
    page.keyboard.press("Escape")
    expect(pane(page, 0).locator(".panel")).to_be_visible()
