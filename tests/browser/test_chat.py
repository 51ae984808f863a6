"""The chat tab as a visitor uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

ANSWER = "#conversation .bot.message"
SLOW = {"gen-length": "192", "block-length": "64", "steps": "192"}  # long enough to press Stop in the middle


def type_and_enter(page: Page, text: str) -> None:
    page.fill("#message textarea", text)
    page.press("#message textarea", "Enter")


def send(page: Page, text: str) -> None:
    """Sends a message and waits until it is in the conversation."""
    before = page.locator("#conversation .user.message").count()
    type_and_enter(page, text)
    expect(page.locator("#conversation .user.message")).to_have_count(before + 1)


def finished(page: Page) -> str:
    """Waits for the end of the answer and gives its text."""
    expect(page.locator("#status")).to_contain_text(re.compile("benih|seed"))
    expect(page.locator("#message .submit-button")).to_be_visible()
    return page.locator(ANSWER).last.inner_text()


def open_settings(page: Page) -> None:
    """Opens the settings. They are built when they open, and what is typed before that is done is overwritten."""
    page.click("#settings > button")
    expect(page.locator("#option-seed")).to_be_visible()
    page.wait_for_timeout(1000)


def type_number(page: Page, name: str, value: str) -> None:
    """Types a number into the field of a slider, as fast as a person does, and leaves the field."""
    number = page.locator(f"#option-{name} input[type=number]")
    number.fill(value)
    page.wait_for_timeout(200)
    number.press("Tab")


def slow_down(page: Page) -> None:
    """Settings with which an answer takes some seconds, made by hand."""
    open_settings(page)
    for name, value in SLOW.items():
        type_number(page, name, value)
        if name == "gen-length":  # 64 steps do not fit 48 blocks, and are mended
            expect(page.locator("#option-steps input[type=number]")).to_have_value("48")
    page.click("#option-end-rule input")
    page.get_by_role("option", name="forbid").click()
    expect(page.locator("#option-steps input[type=number]")).to_have_value("192")


@pytest.mark.parametrize("width", [375, 1280])
def test_a_question_is_answered_stopped_regenerated_and_read_in_english(visit: Callable, width: int):
    page = visit(width).page
    # Masks turn into words: what the bubble shows, frame by frame.
    page.evaluate(
        """(answer) => {
          window.frames_ = [];
          new MutationObserver(() => {
            const bubble = [...document.querySelectorAll(answer)].pop();
            if (bubble && bubble.innerText.trim()) window.frames_.push(bubble.innerText);
          }).observe(document.body, { subtree: true, childList: true, characterData: true });
        }""",
        ANSWER,
    )
    send(page, "Apa itu fotosintesis?")
    text = finished(page)
    frames = page.evaluate("window.frames_")
    assert frames[0].count("░") > 20
    assert any("░" in frame and re.search(r"\w", frame) for frame in frames)
    assert "░" not in text

    # Stop in mid-answer keeps what is written.
    slow_down(page)
    send(page, "Ceritakan tentang seekor kucing.")
    stop = page.locator("#message .stop-button")
    expect(stop).to_be_visible()
    expect(page.locator(ANSWER).last).to_contain_text(re.compile(r"[a-z]{2,}.*░|░.*[a-z]{2,}", re.S))
    stop.click()
    expect(page.locator("#message .submit-button")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("dihentikan")
    kept = page.locator(ANSWER).last.inner_text()
    assert re.search(r"\w", kept)
    assert "░" not in kept
    page.wait_for_timeout(700)
    assert page.locator(ANSWER).last.inner_text() == kept

    # Regenerate: another answer to the same question, in the same place.
    page.click("#preset label:nth-child(1)")
    page.locator("#option-end-rule input").click()
    page.get_by_role("option", name="free").click()
    page.click("#regenerate")
    expect(page.locator("#status")).not_to_contain_text("dihentikan")
    finished(page)
    assert page.locator(ANSWER).count() == 2
    assert page.locator("#conversation .user.message").count() == 2

    page.click("#switch-language")
    expect(page.locator("#regenerate")).to_have_text("Regenerate")
    expect(page.locator("#about")).to_contain_text("Answered by")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_browsers_language_comes_first(visit: Callable):
    expect(visit(language="en-US").page.locator("#clear")).to_have_text("Clear")
    expect(visit(language="id-ID").page.locator("#clear")).to_have_text("Bersihkan")


def test_escape_stops_and_the_same_seed_gives_the_same_answer(visit: Callable):
    page = visit().page
    send(page, "Halo!")
    first = finished(page)
    page.click("#same-seed")
    expect(page.locator(ANSWER).last).to_contain_text("░")
    assert finished(page) == first
    slow_down(page)
    send(page, "Ceritakan tentang hujan.")
    expect(page.locator("#message .stop-button")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_contain_text("dihentikan")


def test_an_invalid_combination_is_mended_and_told(visit: Callable):
    page = visit().page
    open_settings(page)
    type_number(page, "block-length", "15")
    expect(page.locator(".toast-body").first).to_contain_text("kelipatan")
    expect(page.locator("#option-block-length input[type=number]")).to_have_value("16")  # the nearest divisor of 64


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)>", "<script>window.hit = 1</script>", "${1 + 1} **tebal** <|eot_id|>"],
)
def test_hostile_text_is_shown_as_it_was_typed(visit: Callable, text: str):
    page = visit().page
    send(page, text)
    bubble = page.locator("#conversation .user.message").last
    expect(bubble).not_to_be_empty()
    assert bubble.inner_text().replace("\u2060", "").strip() == text
    finished(page)
    assert page.evaluate("window.hit") is None
    assert page.locator("#conversation .message img").count() == 0


@pytest.mark.parametrize(
    ("text", "says"), [("   ", "kosong"), ("panjang " * 1200, "karakter"), ("kata " * 900, "terlalu panjang")]
)
def test_a_message_that_cannot_be_answered_stays_in_the_box(visit: Callable, text: str, says: str):
    page = visit().page
    type_and_enter(page, text)
    expect(page.locator(".toast-body").first).to_contain_text(says)
    expect(page.locator("#message textarea")).to_have_value(text)
    assert page.locator(ANSWER).count() == 0


def test_undo_returns_the_message_and_clear_empties_the_conversation(visit: Callable):
    page = visit().page
    send(page, "Siapa namamu?")
    finished(page)
    page.click("#undo")
    expect(page.locator("#message textarea")).to_have_value("Siapa namamu?")
    expect(page.locator(ANSWER)).to_have_count(0)
    page.press("#message textarea", "Enter")
    finished(page)
    page.click("#clear")
    expect(page.locator(ANSWER)).to_have_count(0)


def test_an_earlier_message_can_be_edited_and_is_answered_anew(visit: Callable):
    page = visit().page
    for text in ("Halo", "Apa itu awan?"):
        send(page, text)
        finished(page)
        expect(page.locator("#status")).to_contain_text("benih")
    page.locator("#conversation .icon-button[title=Edit]").first.click()
    page.locator("#conversation textarea").first.fill("Selamat pagi")
    page.locator("#conversation .icon-button[title=Kirim]").first.click()
    expect(page.locator("#conversation .user.message")).to_have_count(1)
    expect(page.locator("#conversation .user.message")).to_have_text("Selamat pagi")
    finished(page)
    expect(page.locator(ANSWER)).to_have_count(1)


def test_the_conversation_is_saved_with_what_repeats_it(visit: Callable, tmp_path: Path):
    page = visit().page
    send(page, "Halo")
    answer = finished(page)
    saved = {}
    for kind in ("json", "markdown"):
        with page.expect_download() as download:
            page.click(f"#download-{kind}")
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        saved[kind] = path.read_text(encoding="utf-8")
    record = json.loads(saved["json"])["messages"][1]
    assert record["content"] == answer
    assert record["options"]["seed"] >= 0
    assert len(record["about"]["sha256"]) == 64
    assert answer in saved["markdown"]


def test_an_example_starts_a_conversation(visit: Callable):
    page = visit(375).page
    page.locator("#conversation .example").first.click()
    assert finished(page)


def test_two_visitors_do_not_see_each_other(visit: Callable):
    one, two = visit().page, visit().page
    send(one, "Halo, saya Budi.")
    send(two, "Apa itu laut?")
    finished(one)
    finished(two)
    expect(one.locator("#conversation .user.message")).to_have_text("Halo, saya Budi.")
    expect(two.locator("#conversation .user.message")).to_have_text("Apa itu laut?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_has_a_name_and_the_theme_follows_the_system(visit: Callable, scheme: str):
    page = visit(scheme=scheme, reduced_motion="reduce").page
    open_settings(page)
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    page.click("#switch-theme")
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "light")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea, select')]
          .filter((e) => e.checkVisibility() && !(e.innerText || e.ariaLabel || e.title || e.labels?.length
            || e.getAttribute('aria-labelledby') || e.placeholder))
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []


def test_nothing_of_the_conversation_stays_in_the_browser(visit: Callable):
    page = visit().page
    send(page, "Kalimat rahasia saya.")
    finished(page)
    stored = page.evaluate("JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage}) + document.cookie")
    assert "rahasia" not in stored


def test_the_last_answer_shows_how_it_was_written(visit: Callable):
    page = visit().page
    page.click("#show-writing")
    expect(page.locator(".toast-body").first).to_contain_text("Belum ada jawaban")
    send(page, "Apa itu laut?")
    text = finished(page)
    page.click("#show-writing")
    expect(page.locator("#chat-board .question")).to_have_text("Apa itu laut?")
    cells = page.evaluate("chatReel.player.end.cells.slice(0, chatReel.player.end.tail).join('')")
    assert cells.strip() == text.strip()
