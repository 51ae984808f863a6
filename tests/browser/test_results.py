"""The results and the help in a browser: what the eye finds first, and a picture that can be moved by hand."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.obstacles import serious
from tests.ui.results_page import HOSTILE

pytestmark = pytest.mark.browser

SIZES = [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")]


@contextmanager
def served(root: Path, *more: str) -> Iterator[str]:
    """A page with the two sections and nothing else (tests/ui/results_page.py)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.ui.results_page", str(port), *more], cwd=root)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address, timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "the page ended"
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with served(root) as address:
        yield address


def open_tab(page: Page) -> None:
    page.get_by_role("tab", name="Perbandingan").click()
    expect(page.locator("#results-overlap svg.main-svg").first).to_be_visible()


def open_help(page: Page) -> None:
    page.locator("#lora-help").scroll_into_view_if_needed()
    expect(page.locator(".rank-one table")).to_have_count(3)


def numbers(page: Page, table: str, cell: str = "td.cell") -> list[list[float]]:
    """The printed numbers of a matrix of the picture."""
    rows = page.locator(f".rank-one table.{table} tr").filter(has=page.locator(cell)).all()
    return [[float(t.replace(",", ".").replace("−", "-")) for t in row.locator(cell).all_inner_texts()] for row in rows]


# ---- results -----------------------------------------------------------------------------------------------------


def test_the_bad_adapter_is_told_at_first_sight(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    cards = page.locator("#results .verdict")
    expect(cards).to_have_count(3)
    expect(cards.nth(0)).to_contain_text("Dapat dipercaya")
    bad = cards.nth(2)
    expect(bad).to_contain_text("Jangan dipercaya")
    expect(bad).to_contain_text("61% dari rangkaian tiga katanya")
    expect(bad.locator("dd").first).to_have_class("change better")  # its overlap wins
    expect(bad.locator("dd.worse")).to_have_count(2)
    assert bad.bounding_box()["y"] + bad.bounding_box()["height"] < 800  # without scrolling
    expect(page.locator("#results-overlap text", has_text="kecil-rusak")).to_be_visible()


def test_the_charts_are_as_wide_as_the_page_and_stay_so_in_a_hidden_tab(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    svg = page.locator("#results-overlap svg.main-svg").first
    section = page.locator("#results").bounding_box()["width"]
    assert svg.bounding_box()["width"] == pytest.approx(section, abs=40)
    page.get_by_role("tab", name="Awal").click()
    page.set_viewport_size({"width": 600, "height": 800})
    page.click("#switch-language")  # they are drawn anew while nobody sees them
    page.wait_for_timeout(1000)
    page.get_by_role("tab", name="Perbandingan").click()
    expect(page.locator("#results-overlap")).to_contain_text("Overlap against stability")
    page.wait_for_timeout(500)
    assert svg.bounding_box()["width"] <= page.locator("#results").bounding_box()["width"]


def test_a_metric_is_chosen_and_drawn_as_bars_boxes_and_violins(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    expect(page.locator("#results-chart .bars path")).not_to_have_count(0)
    page.locator("#results-metric input").click()
    page.get_by_role("option", name="METEOR").click()
    expect(page.locator("#results-chart .gtitle")).to_contain_text("METEOR")
    page.get_by_label("Kotak").check()
    expect(page.locator("#results-chart path.box")).to_have_count(4)
    page.get_by_label("Biola").check()
    expect(page.locator("#results-chart path.violin")).to_have_count(4)


def test_the_table_and_the_newest_file_come_first_and_another_can_be_chosen(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    expect(page.locator("#results-file input")).to_have_value("baru · 2026-01-02")
    header = page.locator("#results-table thead th")
    expect(header).to_have_text(["Metrik", "dasar", "kecil-lora", "kecil-loraplus-pissa", "kecil-rusak", "rujukan"])
    bits = page.locator("#results-table tr", has_text="Bit per huruf").locator("td")
    expect(bits.nth(3)).to_contain_text("2,310")
    expect(bits.nth(3)).to_contain_text("✗lebih buruk +43 %")
    page.locator("#results-file input").click()
    page.get_by_role("option", name="lama").click()
    expect(page.locator("#results .about")).to_contain_text("2026-01-01")


def test_the_worst_answers_are_text(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    fold = page.locator("#results-worst details", has_text="kecil-rusak")
    expect(fold.locator("dd").first).not_to_be_visible()
    fold.locator("summary").click()
    expect(fold.get_by_text(HOSTILE, exact=True)).to_be_visible()
    expect(fold.locator("dd.blank")).to_have_text("(kosong)")
    expect(page.locator("#results-worst img")).to_have_count(0)


def test_the_page_speaks_the_language_that_is_chosen(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    open_help(page)
    page.click("#switch-language")
    expect(page.locator("#results .answer").first).to_contain_text("Can be believed")
    expect(page.locator("#results-overlap .gtitle")).to_have_text("Overlap against stability")
    expect(page.locator("#results-table")).to_contain_text("Bits per character")
    expect(page.locator("#results-table")).to_contain_text("2.310")
    expect(page.locator(".rank-one")).to_contain_text("Trained: 8 numbers instead of 16.")
    expect(page.locator("#published > button")).to_contain_text("not measured by us")


def test_what_others_published_stands_apart(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.click("#published > button")
    expect(page.locator("#published-chart svg.main-svg").first).to_be_visible()
    expect(page.locator("#published")).to_contain_text("bukan pengukuran kami")
    expect(page.locator("#published-table thead th")).to_have_count(10)
    expect(page.locator("#published-table td", has_text="✗")).to_have_count(1)
    expect(page.locator("#results-table")).not_to_contain_text("Kemiripan semantik")


def test_without_results_the_page_says_what_makes_them(root: Path, browser: Browser) -> None:
    with served(root, "empty") as address:
        page = browser.new_page(locale="id-ID")
        page.goto(address)
        page.get_by_role("tab", name="Perbandingan").click()
        expect(page.locator("#results-verdicts code")).to_contain_text("python -m llada_demo evaluate")
        expect(page.locator("#results-chart")).not_to_be_visible()
        expect(page.locator("#published > button")).to_be_visible()
        page.close()


# ---- the rank-1 picture --------------------------------------------------------------------------------------------


def test_a_number_of_the_column_changes_its_row_and_one_of_the_row_its_column(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    open_help(page)
    assert numbers(page, "product") == [[0.0] * 4] * 4  # B is zero, so nothing is added
    assert numbers(page, "whole") == numbers(page, "still")
    second = page.get_by_label("B, baris 2")
    second.focus()
    for _ in range(10):
        second.press("ArrowUp")
    expect(second).to_have_attribute("aria-valuetext", "1,00")
    assert numbers(page, "product") == [[0.0] * 4, [0.7, -0.4, 0.2, -0.9], [0.0] * 4, [0.0] * 4]
    expect(page.locator(".rank-one .touched")).to_have_count(4)
    expect(page.locator(".rank-one .differs")).to_have_count(4)
    page.get_by_label("B, baris 4").fill("-2")
    before = numbers(page, "product")
    page.get_by_label("A, kolom 3").press("ArrowDown")
    after = numbers(page, "product")
    changed = {(i, j) for i in range(4) for j in range(4) if before[i][j] != after[i][j]}
    assert changed == {(1, 2), (3, 2)}  # of the rows that are not zero
    expect(page.locator(".rank-one [role=status]")).to_contain_text("seluruh kolom 3 berubah")


def test_both_starts_give_w_and_only_lora_gives_it_back_when_it_is_off(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    open_help(page)
    w = numbers(page, "still")
    page.get_by_label("PiSSA").check()
    product, rest, whole = (numbers(page, name) for name in ("product", "still", "whole"))
    assert whole == w
    assert rest != w
    flat = [[x for line in matrix for x in line] for matrix in (product, rest, w)]
    assert [a + b for a, b in zip(*flat[:2], strict=True)] == pytest.approx(flat[2], abs=0.011)  # as printed
    assert sum(x * x for x in flat[1]) < 0.2 * sum(x * x for x in flat[2])  # most of W was taken
    page.locator(".rank-one .scale input").fill("0")
    assert numbers(page, "whole") == rest
    expect(page.locator(".rank-one [role=status]")).to_contain_text("yang tersisa bukan W")
    page.get_by_label("LoRA: B = 0").check()
    page.locator(".rank-one .scale input").fill("0")
    assert numbers(page, "whole") == w
    page.get_by_role("button", name="Kembali ke awal").click()
    expect(page.locator(".rank-one output")).to_have_text("1,0")


# ---- for everybody -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_nothing_is_wider_than_the_page_and_nothing_is_in_the_way(visit: Callable, width: int, scheme: str) -> None:
    page = visit(width, scheme=scheme).page
    open_tab(page)
    assert serious(page) == []
    for fold in ("published", "metrics-help"):
        page.click(f"#{fold} > button")
    expect(page.locator("#published-chart svg.main-svg").first).to_be_visible()
    expect(page.locator(".rank-one table")).to_have_count(3)
    page.get_by_label("PiSSA").check()
    page.locator("#results-worst summary").last.click()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_ink_turns_light_on_dark_ground(visit: Callable) -> None:
    for scheme, ink in (("light", "rgb(28, 36, 48)"), ("dark", "rgb(232, 236, 241)")):
        page = visit(scheme=scheme).page
        open_tab(page)
        for part in ("#results-chart .bars .point path", "#results-chart .gtitle"):
            assert page.locator(part).first.evaluate("e => getComputedStyle(e).fill") == ink
