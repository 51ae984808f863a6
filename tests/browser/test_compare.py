"""The comparison tab as a lecturer uses it: four panes on one clock, and what can be done with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from page_of import page_of
from playwright.sync_api import Browser, Locator, Page, expect
from random_adapter import write_adapter

from llada_demo.core.comparison import ComparisonRecord, read_comparison
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from llada_demo.ui.compare_link import EXAMPLES, Wish
from tests.browser.obstacles import serious_in_both

pytestmark = pytest.mark.browser

NAMES = ("kecil-lora", "kecil-loraplus-pissa", "kecil-surat", "kecil-rusak")
HOSTILE = "<img src=x onerror=window.hit=1> ${alert(1)} </script><b>x"
SHORT = Wish("Apa itu hujan?", ("kecil-lora", "kecil-surat:0.5"), SamplingOptions(gen_length=16, steps=16, seed=3))
PANE = "#compare-board .pane:visible"


@pytest.fixture(scope="module")
def adapted(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """With the adapters of the examples; where one does not come with the model, a made-up one of its name."""
    loaded = Engine.load(Settings(device="cpu", dtype="float32"))
    place = tmp_path_factory.mktemp("adapters")
    there = {row["name"] for row in loaded.shelf.listed()}
    for seed, name in enumerate(NAMES, 1):
        if name not in there:
            loaded.shelf.add(write_adapter(place / name, engine.model, seed=seed))
    return loaded


@pytest.fixture(scope="module")
def address(adapted: Engine) -> Iterator[str]:
    with page_of(adapted) as address:
        yield address


def open_tab(page: Page) -> None:
    """Opens the tab, on a narrow screen from the menu of those that find no room."""
    tab = page.locator("#tabs > .tab-wrapper [role=tab]", has_text="Perbandingan")
    if not tab.count():
        page.locator("#tabs > .tab-wrapper .overflow-menu > button").click()
        tab = page.locator("#tabs > .tab-wrapper .overflow-dropdown button", has_text="Perbandingan")
    tab.click()
    expect(page.locator("#compare-form")).to_be_visible()
    page.wait_for_timeout(500)


def follow(page: Page, address: str, wish: Wish) -> None:
    """Opens a link, and waits until everything is written."""
    page.goto(f"{address}/?compare={quote(wish.to_json())}")
    whole(page, 1 + len(wish.adapters))


def whole(page: Page, panes: int) -> None:
    expect(page.locator(f"{PANE} .figures")).to_have_count(panes, timeout=120_000)
    expect(page.locator("#compare-prompt .submit-button")).to_be_visible()


def players(page: Page, expression: str) -> list[Any]:
    """A value of every pane's player as they stand, for example `players(page, "p.at")`."""
    panes = "[...document.querySelectorAll('#compare-board .pane:not([hidden]) .player')].map((root) => root.llada)"
    return page.evaluate(f"{panes}.map((p) => {expression})")


def titles(page: Page) -> list[str]:
    return page.locator(f"{PANE} .title").all_inner_texts()


def scale(page: Page, number: int) -> Locator:
    return page.locator(f"#compare-scale-{number} input[type=number]")


def slots(page: Page) -> list[str]:
    return [page.locator(f"#compare-adapter-{number} input").input_value() for number in (1, 2, 3)]


def saved(page: Page, kind: str) -> str:
    with page.expect_download() as download:
        page.click(f"#compare-{kind}")
    return Path(download.value.path()).read_text(encoding="utf-8")


def record(page: Page) -> ComparisonRecord:
    return read_comparison(saved(page, "json"))


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (375, 1)])
def test_an_example_is_written_in_four_panes_in_step(visit: Callable, width: int, columns: int) -> None:
    page = visit(width).page
    open_tab(page)
    page.locator("#compare-examples label").first.click()
    expect(page.locator("#compare-prompt .stop-button")).to_be_visible()
    expect(page.locator("#compare-board .asked .question")).to_have_text("Jelaskan tentang machine learning.")
    page.wait_for_function("document.querySelector('#compare-board .player')?.llada.frames.length > 3")
    assert len(set(players(page, "p.clock"))) == 1
    whole(page, 4)
    assert titles(page) == ["Dasar", *EXAMPLES["tiga"][1].adapters]
    assert slots(page) == list(EXAMPLES["tiga"][1].adapters)
    assert len({round(box["x"]) for box in map(Locator.bounding_box, page.locator(PANE).all())}) == columns
    now = record(page)
    assert now.panes[0].trace.options == EXAMPLES["tiga"][1].options
    for step in (0, 1, 7):
        page.evaluate(f"document.querySelector('#compare-board .player').llada.go({step})")
        assert players(page, "p.at") == [min(step, len(pane.trace.steps)) for pane in now.panes]
    page.locator(f"{PANE} .player").nth(2).focus()
    page.keyboard.press("End")
    assert players(page, "p.at") == [len(pane.trace.steps) for pane in now.panes]
    assert fits(page)


def test_where_a_pane_parts_from_the_base_is_marked_and_so_are_its_words(visit: Callable, address: str) -> None:
    page = visit().page
    follow(page, address, SHORT)
    for at, pane in enumerate(record(page).panes):
        shown = page.locator(PANE).nth(at)
        answer = shown.locator(".answer")
        assert answer.inner_text() == (pane.text or "(kosong)")
        marked = "".join(answer.locator("mark").all_inner_texts())
        differs = "".join(piece.text for piece in pane.pieces if piece.differs)
        assert "".join(marked.split()) == "".join(differs.split())
        assert answer.evaluate("(p) => getComputedStyle(p).textDecorationLine") == "none"
        for mark in answer.locator("mark").all():
            assert mark.evaluate("(m) => getComputedStyle(m).textDecorationLine") == "underline"
        forwards = shown.locator(".figures dd").first
        assert forwards.inner_text() == str(pane.figures["forwards"])
        if pane.divergence is None:
            continue
        step, position = pane.divergence
        page.evaluate(f"document.querySelector('#compare-board .player').llada.go({step})")
        assert shown.locator("[data-differs]").count() == 0
        page.evaluate(f"document.querySelector('#compare-board .player').llada.go({step + 1})")
        expect(shown.locator(".parting")).to_have_text(
            f"Berbeda dari dasar sejak langkah {step + 1}, posisi {position}"
        )
        expect(shown.locator(".board .cell").nth(position)).to_have_attribute("data-differs", "")


def test_one_scale_moves_alone_when_they_are_unlocked(visit: Callable, address: str) -> None:
    page = visit().page
    follow(page, address, SHORT)
    expect(page.locator("#compare-lock input")).not_to_be_checked()
    expect(scale(page, 2)).to_have_value("0.5")
    for unlocked, number, value, expected in ((True, 1, "1.2", ["1.2", "0.5"]), (False, 2, "0.8", ["0.8", "0.8"])):
        page.locator("#compare-lock input").set_checked(not unlocked)
        scale(page, number).fill(value)
        scale(page, number).press("Tab")
        for slot, wanted in enumerate(expected, 1):
            expect(scale(page, slot)).to_have_value(wanted)
    page.press("#compare-prompt textarea", "Enter")
    expect(page.locator(f"{PANE} .title").nth(1)).to_have_text("kecil-lora:0.8")
    whole(page, 3)
    assert [pane.adapter for pane in record(page).panes] == [None, "kecil-lora:0.8", "kecil-surat:0.8"]


def test_slots_and_panes_change_places(visit: Callable, address: str) -> None:
    page = visit().page
    follow(page, address, SHORT)
    assert titles(page) == ["Dasar", "kecil-lora", "kecil-surat:0.5"]
    page.click("#compare-swap-1")
    expect(page.locator(f"{PANE} .title").nth(1)).to_have_text("kecil-surat:0.5")
    assert titles(page) == ["Dasar", "kecil-surat:0.5", "kecil-lora"]
    expect(page.locator("#compare-adapter-1 input")).to_have_value("kecil-surat")
    expect(scale(page, 1)).to_have_value("0.5")
    expect(scale(page, 2)).to_have_value("1")
    assert [pane.adapter for pane in record(page).panes] == [None, "kecil-surat:0.5", "kecil-lora"]
    page.evaluate("document.querySelector('#compare-board .player').llada.go(2)")
    assert players(page, "p.at") == [2, 2, 2]
    page.click("#compare-swap-2")  # with a slot that is not used
    expect(page.locator("#compare-adapter-3 input")).to_have_value("kecil-lora")
    assert titles(page) == ["Dasar", "kecil-surat:0.5", "kecil-lora"]
    assert page.locator(PANE).nth(2).get_attribute("data-slot") == "3"


@pytest.mark.parametrize("key", [True, False], ids=["escape", "button"])
def test_stop_keeps_what_is_written_and_it_can_be_saved(visit: Callable, address: str, key: bool) -> None:
    page = visit().page
    options = SamplingOptions(gen_length=128, steps=128, block_length=32, end_rule="forbid", seed=1)
    wish = Wish("Ceritakan tentang kucing.", ("kecil-lora",), options)
    page.goto(f"{address}/?compare={quote(wish.to_json())}")
    page.wait_for_function("document.querySelector('#compare-board .player')?.llada.frames.length > 2")
    if key:
        page.keyboard.press("Escape")
    else:
        page.click("#compare-prompt .stop-button")
    whole(page, 2)
    made = players(page, "p.frames.length")
    assert 2 < made[0] < 128
    page.wait_for_timeout(1000)
    assert players(page, "p.frames.length") == made
    expect(page.locator("#compare-prompt textarea")).to_have_value("Ceritakan tentang kucing.")
    assert len(record(page).panes[0].trace.steps) >= made[0]


def test_another_example_takes_the_place_of_what_is_being_written(visit: Callable, address: str) -> None:
    page = visit().page
    open_tab(page)
    page.locator("#compare-examples label").first.click()
    page.wait_for_function("document.querySelector('#compare-board .player')?.llada.frames.length > 2")
    page.locator("#compare-examples label").nth(1).click()
    expect(page.locator("#compare-board .asked .question")).to_have_text(EXAMPLES["gaya"][1].prompt)
    whole(page, 2)
    now = record(page)
    assert now.question == EXAMPLES["gaya"][1].prompt
    assert players(page, "p.frames.length") == [len(pane.trace.steps) for pane in now.panes]


def test_a_copied_link_opens_the_same_comparison(visit: Callable, address: str) -> None:
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    page = visit(**allowed).page
    wish = Wish('Isi: "a&b" [mask:2].', ("kecil-rusak:0.75", "kecil-lora"), SHORT.options, "Kamu singkat.")
    follow(page, address, wish)
    first = record(page)
    page.click("#compare-link")
    expect(page.locator("#compare-told")).to_have_text("Tautan disalin.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{address}/?compare=")
    other = visit(375, **allowed).page
    other.goto(link)
    whole(other, 3)
    again = record(other)
    assert [pane.text for pane in again.panes] == [pane.text for pane in first.panes]
    assert [pane.trace.steps for pane in again.panes] == [pane.trace.steps for pane in first.panes]
    assert (again.question, again.system_prompt) == (first.question, "Kamu singkat.")
    expect(other.locator("#compare-prompt textarea")).to_have_value(wish.prompt)
    assert slots(other) == ["kecil-rusak", "kecil-lora", "Tidak dipakai"]


@pytest.mark.parametrize(
    "text", ["{", '{"prompt": 1}', json.dumps(HOSTILE), Wish("x", (HOSTILE,), SHORT.options).to_json()]
)
def test_a_hostile_link_is_a_sentence(visit: Callable, address: str, text: str) -> None:
    page = visit().page
    page.goto(f"{address}/?compare={quote(text)}")
    expect(page.locator(".toast-body")).to_have_count(1)
    assert page.locator(".toast-body img").count() == 0
    expect(page.locator("#compare-prompt .submit-button")).to_be_visible()
    expect(page.locator("#compare-board")).to_be_hidden()
    assert page.evaluate("window.hit") is None


def test_a_browser_that_falls_behind_learns_that_the_run_is_over(visit: Callable, address: str) -> None:
    page = visit().page
    page.add_init_script("""document.addEventListener("click", ({ target }) => {
      const busy = () => { for (const began = performance.now(); performance.now() - began < 6000;); };
      if (target.closest("#compare-go")) setTimeout(busy, 100); // then all frames come at once
    }, true)""")
    follow(page, address, SHORT)


def test_what_is_saved_is_opened_again_and_plays_alone(
    visit: Callable, address: str, browser: Browser, tmp_path: Path
) -> None:
    page = visit().page
    follow(page, address, SHORT)
    first = record(page)
    (tmp_path / "good.json").write_text(first.to_json(), encoding="utf-8")
    (tmp_path / "bad.json").write_text(first.to_json()[:-20], encoding="utf-8")
    (tmp_path / "page.html").write_text(saved(page, "html"), encoding="utf-8")
    page.reload()
    page.wait_for_timeout(500)
    other = visit().page
    open_tab(other)
    for name in ("good.json", "bad.json"):
        with other.expect_file_chooser() as chooser:
            other.click("#compare-open")
        chooser.value.set_files(tmp_path / name)
        if name == "good.json":
            expect(other.locator("#compare-board .origin")).to_contain_text("Rekaman")
    expect(other.locator(".toast-body").first).to_contain_text("bukan JSON")
    assert record(other) == first
    assert [len(pane.trace.steps) for pane in first.panes] == players(other, "p.frames.length")
    context = browser.new_context(offline=True, locale="id-ID")
    alone = context.new_page()
    alone.goto((tmp_path / "page.html").as_uri())
    expect(alone.locator(".title")).to_have_text(["Dasar", "kecil-lora", "kecil-surat:0.5"])
    context.close()


def test_a_hostile_question_and_file_are_shown_as_they_were_written(
    visit: Callable, address: str, tmp_path: Path
) -> None:
    page = visit(375).page
    follow(page, address, Wish(HOSTILE, ("kecil-lora",), SHORT.options, HOSTILE))
    expect(page.locator("#compare-board .asked .question")).to_have_text(HOSTILE)
    data = json.loads(record(page).to_json())
    data["question"] = HOSTILE
    pane = data["panes"][1]
    pane["adapter"] = pane["trace"]["about"]["adapter"] = HOSTILE
    pane["text"], pane["pieces"] = HOSTILE, [[HOSTILE, True]]
    (tmp_path / "hostile.json").write_text(json.dumps(data), encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        page.click("#compare-open")
    chooser.value.set_files(tmp_path / "hostile.json")
    expect(page.locator(f"{PANE} .title").nth(1)).to_have_text(HOSTILE)
    expect(page.locator(f"{PANE} .answer").nth(1)).to_have_text(HOSTILE)
    page.click("#compare-link")
    expect(page.locator(".toast-body, #compare-told.shown").first).to_be_visible()
    assert page.locator("#compare-board img, #compare-board script, #compare-board b").count() == 0
    assert page.evaluate("window.hit") is None
    assert fits(page)


@pytest.mark.parametrize("width", [375, 1280])
def test_a_reference_gives_a_table_of_scores(visit: Callable, address: str, width: int) -> None:
    page = visit(width).page
    follow(page, address, SHORT)
    page.click("#compare-reference > button")
    expect(page.locator("#compare-reference-text textarea")).to_be_visible()
    page.wait_for_timeout(1000)
    page.fill("#compare-reference-text textarea", "Hujan adalah air yang jatuh dari awan.")
    page.click("#compare-measure")
    rows = page.locator("#compare-scores tbody tr")
    expect(rows).to_have_count(3, timeout=60_000)
    expect(rows.locator("th")).to_have_text(["Dasar", "kecil-lora", "kecil-surat:0.5"])
    page.click("#switch-language")
    expect(rows.locator("th").first).to_have_text("Base")
    expect(page.locator(f"{PANE} .figures dt").first).to_have_text("Forwards")
    assert fits(page)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_nothing_is_a_serious_obstacle(visit: Callable, address: str, width: int, scheme: str) -> None:
    page = visit(width, scheme=scheme, reduced_motion="reduce").page
    open_tab(page)
    assert serious_in_both(page) == []
    follow(page, address, SHORT)
    page.click("#compare-settings > button")
    page.click("#compare-reference > button")
    expect(page.locator("#compare-reference-text textarea")).to_be_visible()
    page.locator(f"{PANE} .board .cell").first.click()
    assert serious_in_both(page) == []
    assert fits(page)
    page.wait_for_timeout(500)
    page.fill("#compare-reference-text textarea", "Hujan.")
    page.click("#compare-measure")
    expect(page.locator("#compare-scores tbody tr")).to_have_count(3, timeout=60_000)
    assert serious_in_both(page) == []
    assert fits(page)
