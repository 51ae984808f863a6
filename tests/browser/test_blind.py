"""The blind vote in a browser: two boards without names, one choice, and names only after it."""

from __future__ import annotations

import csv
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from page_of import page_of
from playwright.sync_api import Page, expect
from random_adapter import write_adapter

from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from tests.browser.obstacles import serious_in_both
from tests.browser.test_many import fits, open_section, with_only

pytestmark = pytest.mark.browser

NAMES = ("uji-rahasia", "uji-tertutup-yang-bernama-panjang")
QUESTION = "Apa itu hujan?"


@pytest.fixture(scope="module")
def adapted(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    place = tmp_path_factory.mktemp("adapters")
    folders = [write_adapter(place / name, engine.model, seed=seed) for seed, name in enumerate(NAMES, 1)]
    settings = Settings(
        adapters=tuple(map(str, folders)), device="cpu", dtype="float32", votes=str(place / "votes.sqlite")
    )
    return with_only(Engine.load(settings), NAMES)


@pytest.fixture(scope="module")
def address(adapted: Engine) -> Iterator[str]:
    with page_of(adapted) as address:
        yield address


@pytest.fixture
def votes(adapted: Engine) -> Path:
    """The file of the votes, empty at first."""
    path = Path(adapted.settings.votes)
    path.unlink(missing_ok=True)
    return path


def opened(visit: Callable, *args: object, **more: object) -> Page:
    page = visit(*args, **more).page
    open_section(page, "Tebak buta")
    expect(page.locator("#blind-boards .hint")).to_contain_text("Tulis pertanyaan")
    page.wait_for_timeout(1000)
    return page


def whole(page: Page, question: str = QUESTION) -> None:
    """Asks, and waits until both have answered."""
    page.fill("#blind-question textarea", question)
    page.press("#blind-question textarea", "Enter")
    expect(page.locator("#blind-boards .blind")).to_have_attribute("data-state", "whole", timeout=120_000)


def names(page: Page) -> list[str]:
    return page.locator("#blind-boards .name").all_inner_texts()


def listen(page: Page) -> None:
    """Every byte that the server sends from now on is kept in window.heard, whatever the page makes of it."""
    page.evaluate("""() => {
      window.heard = "";
      const fetched = window.fetch;
      window.fetch = async (...asked) => {
        const answer = await fetched(...asked);
        if (!answer.body) return answer;
        const [ours, theirs] = answer.body.tee();
        const reader = ours.pipeThrough(new TextDecoderStream()).getReader();
        (async () => {
          for (let part = await reader.read(); !part.done; part = await reader.read()) window.heard += part.value;
        })().catch(() => {}); // a stream that the page ends
        return new Response(theirs, answer);
      };
    }""")


def secrets_of(engine: Engine) -> list[str]:
    return [word for row in engine.shelf.listed() for word in (row["name"], row["sha256"], row["sha256"][:6])]


def test_nothing_that_reaches_the_browser_before_the_vote_tells_a_name(
    visit: Callable, adapted: Engine, votes: Path
) -> None:
    page = opened(visit)
    listen(page)
    whole(page)
    heard = page.evaluate("window.heard")
    assert "process_completed" in heard  # the whole stream was heard, not only its beginning
    assert heard.count("process_generating") > 3
    assert heard.count("writing") > 0
    seen = heard + page.locator("#blind-boards").inner_html()
    assert not [word for word in (*secrets_of(adapted), "adapter") if word in seen]
    assert names(page) == ["", ""]
    page.click("#blind-left")
    expect(page.locator("#blind-boards .name").first).not_to_be_empty()
    heard = page.evaluate("window.heard")
    assert [word for word in NAMES if word in heard]  # and now they are there


def test_a_vote_is_given_by_key_and_then_names_and_standings_are_told(visit: Callable, votes: Path) -> None:
    page = opened(visit)
    page.keyboard.press("2")  # nothing to vote on yet
    page.fill("#blind-question textarea", "Berapa ")
    page.type("#blind-question textarea", "1 + 2?")
    expect(page.locator("#blind-question textarea")).to_have_value("Berapa 1 + 2?")
    whole(page)
    expect(page.locator("#blind-boards .hint")).to_contain_text(re.compile("Tekan"))
    page.keyboard.press("2")
    expect(page.locator("#blind-boards .hint")).to_have_text("Anda memilih kanan. Terima kasih, suara Anda dicatat.")
    assert set(names(page)) < {"Model dasar", *NAMES}
    expect(page.locator("#blind-boards .board").nth(1)).to_have_class(re.compile("chosen"))
    right = names(page)[1]
    row = page.locator("#blind-standings tbody tr").first
    expect(row).to_contain_text(right)
    expect(row).to_contain_text("100 % [21 % – 100 %]")
    page.locator("#blind-standings summary").click()
    expect(page.locator("#blind-standings details tbody tr")).to_have_count(1)
    for button in page.locator("#blind-votes button").all():
        expect(button).to_be_disabled()
    page.keyboard.press("1")
    page.wait_for_timeout(500)
    with closing(sqlite3.connect(votes)) as base:
        assert base.execute('SELECT choice, question, "right" FROM votes').fetchall() == [
            ("right", QUESTION, None if right == "Model dasar" else right)
        ]


def test_a_stopped_pair_cannot_be_voted_on(
    visit: Callable, adapted: Engine, votes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = adapted.model.forward

    def slowly(*args: Any, **kwargs: Any) -> Any:  # as a large model: else the answers may be whole before the click
        time.sleep(0.1)
        return at_once(*args, **kwargs)

    monkeypatch.setattr(adapted.model, "forward", slowly)
    page = opened(visit)
    page.click("#blind-surprise")
    expect(page.locator("#blind-question textarea")).not_to_have_value("")
    expect(page.locator("#blind-boards .text").first).to_contain_text("░")
    page.click("#blind-question .stop-button")
    expect(page.locator("#blind-boards .hint")).to_contain_text("Dihentikan")
    for button in page.locator("#blind-votes button").all():
        expect(button).to_be_disabled()
    expect(page.locator("#blind-question .submit-button")).to_be_visible()
    assert names(page) == ["", ""]
    assert not votes.exists()


def test_two_pages_vote_at_once_and_a_choice_is_kept_to(visit: Callable, votes: Path) -> None:
    pages = [opened(visit), opened(visit)]
    pages[0].click("#blind-settings > button")
    pages[0].click("#blind-among input")
    for name in ("Model dasar", NAMES[0]):
        pages[0].locator("ul[role=listbox] [role=option]").filter(has_text=name).click()
    for page in pages:
        page.fill("#blind-question textarea", QUESTION)
        page.press("#blind-question textarea", "Enter")
    for page in pages:
        expect(page.locator("#blind-boards .blind")).to_have_attribute("data-state", "whole", timeout=120_000)
    for page in pages:
        page.click("#blind-tie")
        expect(page.locator("#blind-boards .hint")).to_contain_text("suara Anda dicatat")
    assert set(names(pages[0])) == {"Model dasar", NAMES[0]}
    with pages[1].expect_download() as download:
        pages[1].click("#blind-csv")
    table = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    assert [row["choice"] for row in csv.DictReader(table.splitlines())] == ["tie", "tie"]


def test_a_locked_file_costs_one_sentence_and_no_reveal(visit: Callable, votes: Path) -> None:
    page = opened(visit)
    with closing(sqlite3.connect(votes, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        whole(page)
        page.click("#blind-left")
        expect(page.locator(".toast-body")).to_contain_text("sedang dipakai proses lain")
        expect(page.locator("#blind-boards .hint")).to_contain_text("tidak dapat dicatat")
    expect(page.locator(".toast-body")).to_have_count(1)
    assert all(names(page))


def test_the_section_says_where_votes_are_kept_in_both_languages(visit: Callable, votes: Path) -> None:
    page = opened(visit)
    expect(page.locator("#blind-kept")).to_contain_text("tanpa nama dan tanpa alamat")
    whole(page)
    page.click("#blind-both-bad")
    page.click("#switch-language")
    expect(page.locator("#blind-kept")).to_contain_text("no name and no address")
    expect(page.locator("#blind-boards .hint")).to_have_text("You found both bad. Thank you, your vote is kept.")
    expect(page.locator("#blind-standings h3")).to_have_text("Standings")
    expect(page.locator("#blind-both-bad")).to_have_text("4 · Both are bad")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_nothing_about_the_vote_is_a_serious_obstacle(visit: Callable, votes: Path, width: int, scheme: str) -> None:
    page = opened(visit, width, scheme=scheme, reduced_motion="reduce")
    page.click("#blind-settings > button")
    assert serious_in_both(page) == []
    whole(page)
    assert serious_in_both(page) == []
    assert fits(page)
    page.click("#blind-right")
    expect(page.locator("#blind-standings table").first).to_be_visible()
    page.locator("#blind-standings summary").click()
    assert serious_in_both(page) == []
    assert fits(page)
