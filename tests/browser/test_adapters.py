"""Adapters on the page as a visitor uses them: chosen, read about, added, unloaded."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_of import page_of
from playwright.sync_api import Page, expect
from random_adapter import write_adapter

from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from tests.browser.obstacles import serious

pytestmark = pytest.mark.browser

QUESTION = "Apa itu hujan?"
ANSWER = "#conversation .bot.message"
HOSTILE = "<img src=x onerror=window.hit=1>"
CARD = f"""---
language: id
---

# <b>Puitis</b> {HOSTILE}

{HOSTILE}
<script>window.hit = 2</script>
<form action="https://example.com"><input name="sandi"></form>
![gambar](https://example.com/x.png) [klik](javascript:window.hit=3) ${{window.hit=4}}
{"x" * 400}
"""


@pytest.fixture(scope="module")
def folders(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By name: two that the page begins with, one of them hostile, and two that visitors bring."""
    place = tmp_path_factory.mktemp("adapters")
    cards = {"uji-surat": "# Surat resmi\n\nUntuk surat.\n", "uji-puitis": CARD, "bawaan-saya": "", "kiriman": ""}
    return {
        name: write_adapter(place / name, engine.model, seed=seed, card=card)
        for seed, (name, card) in enumerate(cards.items(), 1)
    }


@pytest.fixture(scope="module")
def adapted(folders: dict[str, Path]) -> Engine:
    first = (str(folders["uji-surat"]), str(folders["uji-puitis"]))
    return Engine.load(Settings(adapters=first, device="cpu", dtype="float32"))


@pytest.fixture(scope="module")
def address(adapted: Engine) -> Iterator[str]:
    with page_of(adapted) as address:
        yield address


def choose(page: Page, name: str, tab: str = "") -> None:
    """Chooses an adapter and waits for its card; "Tanpa" is the base."""
    page.click(f"#{tab}adapter input")
    page.locator("ul[role=listbox] [role=option]").filter(has_text=name).click()
    expect(page.locator(f"#{tab}adapter-card summary")).to_have_count(0 if name == "Tanpa" else 1)


def scale(page: Page, value: str, tab: str = "") -> None:
    number = page.locator(f"#{tab}adapter-scale input[type=number]")
    number.fill(value)
    number.press("Tab")
    page.wait_for_timeout(300)


def open_door(page: Page) -> None:
    page.click("#adapter-add > button")
    expect(page.locator("#adapter-source")).to_be_visible()
    page.wait_for_timeout(1000)  # what is typed before it is whole is overwritten


def answered(page: Page) -> str:
    """The answer to QUESTION, as the first of a conversation."""
    page.click("#clear")
    expect(page.locator(ANSWER)).to_have_count(0)
    page.fill("#message textarea", QUESTION)
    page.press("#message textarea", "Enter")
    expect(page.locator("#status")).to_contain_text("benih")
    expect(page.locator("#message .submit-button")).to_be_visible()
    return page.locator(ANSWER).last.inner_text()


def saved(page: Page, kind: str) -> str:
    with page.expect_download() as download:
        page.click(f"#download-{kind}")
    return Path(download.value.path()).read_text(encoding="utf-8")


def written(page: Page) -> Any:
    """Writes QUESTION on the board of the unmasking tab: the answer, and what the player says of its origin."""
    before = page.evaluate("mainReel.run")
    page.fill("#film-prompt textarea", QUESTION)
    page.press("#film-prompt textarea", "Enter")
    page.wait_for_function("(before) => mainReel.run !== before && mainReel.player.end", arg=before)
    return page.evaluate("mainReel.player.end.cells.join('')"), page.locator("#unmasking-board .note").inner_text()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_the_answer_is_that_of_the_engine_with_this_adapter(visit: Callable, adapted: Engine) -> None:
    page = visit().page
    page.click("#settings > button")
    expect(page.locator("#option-seed")).to_be_visible()
    page.wait_for_timeout(1000)
    page.fill("#option-seed input, #option-seed textarea", "7")
    page.keyboard.press("Tab")
    base = answered(page)
    assert "adapter" not in page.locator("#status").inner_text()

    choose(page, "uji-surat")
    scale(page, "0.75")
    changed = answered(page)
    assert changed != base
    expect(page.locator("#status")).to_contain_text("adapter uji-surat:0.75")
    record = json.loads(saved(page, "json"))["messages"][1]
    assert (record["about"]["adapter"], record["options"]["seed"]) == ("uji-surat:0.75", 7)
    assert "adapter `uji-surat:0.75`" in saved(page, "markdown")
    asked = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": QUESTION}]
    run = adapted.start(asked, SamplingOptions.from_dict(record["options"]), "uji-surat:0.75")
    assert len(list(run)) > 0
    assert run.text.split() == changed.split()

    scale(page, "0")
    assert answered(page) == base
    choose(page, "Tanpa")
    assert answered(page) == base


def test_the_film_is_written_with_the_adapter_of_its_tab_and_names_it(visit: Callable) -> None:
    page = visit().page
    page.get_by_role("tab", name="Visualisasi").click()
    expect(page.locator("#unmasking-board .note")).to_contain_text("Rekaman")
    page.click("#film-settings > button")
    page.wait_for_timeout(1000)
    page.fill("#film-option-seed input, #film-option-seed textarea", "7")
    page.keyboard.press("Tab")
    base, origin = written(page)
    assert "uji" not in origin
    choose(page, "uji-surat", "film-")
    changed, origin = written(page)
    assert changed != base
    assert "uji-surat" in origin
    page.click("#side-by-side > button")
    page.wait_for_timeout(1000)
    page.click("#run-both")
    page.wait_for_function("() => leftReel.player?.end && rightReel.player?.end")
    for side in ("left", "right"):
        expect(page.locator(f"#{side}-board .note")).to_contain_text("uji-surat")


def test_a_hostile_card_is_shown_as_it_was_written(visit: Callable) -> None:
    page = visit(375).page
    choose(page, "uji-puitis")
    card = page.locator("#adapter-card")
    card.locator("summary").click()
    shown = card.locator("pre").inner_text()
    assert shown == CARD.split("---\n")[2].strip()
    assert "sha-256" in card.inner_text().lower()
    assert card.locator("img, form, script, a, b, input").count() == 0
    assert page.locator("#adapter img").count() == 0
    assert page.evaluate("window.hit") is None
    assert fits(page)


@pytest.mark.parametrize("width", [375, 1280])
def test_the_choice_is_seen_beside_the_preset_and_reached_by_keyboard(visit: Callable, width: int) -> None:
    page = visit(width).page
    expect(page.locator("#adapter input")).to_have_value(re.compile("Tanpa adapter"))
    expect(page.locator("#adapter-scale")).to_have_count(0)
    page.focus("#adapter input")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#adapter input")).to_have_value(re.compile("kecil-lora|uji-"))
    expect(page.locator("#adapter-scale")).to_be_visible()
    page.focus("#adapter-card summary")
    page.keyboard.press("Enter")
    expect(page.locator("#adapter-card dl")).to_be_visible()
    assert fits(page)


def test_a_choice_survives_the_switch_of_language(visit: Callable) -> None:
    page = visit().page
    choose(page, "uji-surat")
    page.click("#switch-language")
    expect(page.locator("#adapter-card summary")).to_have_text("Card of the adapter uji-surat")
    expect(page.locator("#adapter input")).to_have_value("uji-surat · Surat resmi")
    page.click("#adapter input")
    expect(page.locator("ul[role=listbox] [role=option]").first).to_contain_text("No adapter (base model)")


def test_a_visitor_adds_and_unloads_for_everybody(visit: Callable, folders: dict[str, Path]) -> None:
    page, other = visit().page, visit().page
    open_door(page)
    source = page.locator("#adapter-source input, #adapter-source textarea")
    source.fill(HOSTILE)
    page.click("#adapter-load")
    expect(page.locator(".toast-body").first).to_contain_text("tidak ada")
    expect(source).to_have_value(HOSTILE)
    assert page.locator(".toast-body img").count() == 0

    source.fill(str(folders["bawaan-saya"]))
    page.click("#adapter-load")
    expect(page.locator("#adapter-report")).to_contain_text("bawaan-saya terpasang")
    expect(page.locator("#adapter input")).to_have_value("bawaan-saya")
    expect(source).to_have_value("")
    page.get_by_role("tab", name="Visualisasi").click()
    choose(page, "bawaan-saya", "film-")
    choose(other, "bawaan-saya")  # the list is that of now when it opens

    page.get_by_role("tab", name="Obrolan").click()
    page.click("#adapter-unload")
    expect(page.locator("#adapter-report")).to_contain_text("dilepaskan")
    expect(page.locator("#adapter input")).to_have_value(re.compile("Tanpa"))
    page.get_by_role("tab", name="Visualisasi").click()
    expect(page.locator("#film-adapter input")).to_have_value(re.compile("Tanpa"))
    other.fill("#message textarea", QUESTION)
    other.press("#message textarea", "Enter")
    expect(other.locator(".toast-body").first).to_contain_text("'bawaan-saya' tidak ada")
    expect(other.locator("#message textarea")).to_have_value(QUESTION)


def test_a_zip_is_sent_from_the_visitors_disk(visit: Callable, folders: dict[str, Path], tmp_path: Path) -> None:
    page = visit(375).page
    packed = shutil.make_archive(str(tmp_path / "kiriman"), "zip", folders["kiriman"])
    open_door(page)
    with page.expect_file_chooser() as picker:
        page.click("#adapter-upload")
    picker.value.set_files(packed)
    expect(page.locator("#adapter-report")).to_contain_text("kiriman terpasang")
    expect(page.locator("#adapter input")).to_have_value("kiriman")
    assert fits(page)
    page.click("#adapter-unload")
    expect(page.locator("#adapter-report")).to_contain_text("dilepaskan")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (375, "light")])
def test_nothing_about_adapters_is_a_serious_obstacle(visit: Callable, width: int, scheme: str) -> None:
    page = visit(width, scheme=scheme, reduced_motion="reduce").page
    choose(page, "uji-surat")
    page.click("#adapter-card summary")
    open_door(page)
    page.fill("#adapter-source input, #adapter-source textarea", "x")
    assert serious(page) == []
    page.get_by_role("tab", name="Visualisasi").click()
    expect(page.locator("#unmasking-board .note")).to_contain_text("Rekaman")
    choose(page, "uji-surat", "film-")
    page.click("#film-adapter-card summary")
    assert serious(page) == []
    assert fits(page)
