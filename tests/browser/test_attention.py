"""The attention tab as a lecturer uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

WORD = "#attention-board .pane:nth-child({}) .word"


def open_tab(page: Page) -> None:
    """Opens the tab, and waits for the sentence that stands there."""
    page.get_by_role("tab", name="Atensi").click()
    expect(page.locator(WORD.format(1)).nth(6)).to_have_text("Dia")
    expect(page.locator("#attention-board .thumb")).to_have_count(5)


def explorer(page: Page, expression: str, arg: Any = None) -> Any:
    """A value of the explorer's, for example `explorer(page, "e.layer")`."""
    script = f"(a) => {{ const e = document.querySelector('#attention-board .attention').llada; return {expression}; }}"
    return page.evaluate(script, arg)


def read(page: Page, text: str) -> None:
    """Reads a sentence, and waits until it is on the panes."""
    page.fill("#attention-text textarea", text)
    page.press("#attention-text textarea", "Enter")
    last = text.rstrip(".").split()[-1]
    expect(page.locator(WORD.format(1), has_text=last).first).to_be_visible()


def word(page: Page, text: str, pane: int = 1) -> Any:
    return page.locator(WORD.format(pane)).get_by_text(text, exact=True)


def pick(page: Page, name: str, value: str) -> None:
    page.locator(f"#attention-board select[data-name={name}]").select_option(value)


def ink(page: Page) -> int:
    """How many pixels of the canvas are not empty."""
    return explorer(
        page,
        "e.context.getImageData(0, 0, e.canvas.width, e.canvas.height).data.filter((v, i) => i % 4 === 3 && v).length",
    )


def save(page: Page, kind: str) -> bytes:
    pick(page, "save-as", kind)
    with page.expect_download() as download:
        page.locator("#attention-board [data-name=save]").click()
    return Path(download.value.path()).read_bytes()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_a_word_shows_in_both_panes_what_it_looks_at(visit: Callable, width: int, scheme: str) -> None:
    page = visit(width, scheme=scheme).page
    open_tab(page)
    told = page.locator("#attention-board .told")
    expect(told.nth(0)).to_contain_text("Dia melihat")  # its word is locked
    explorer(page, "(e.locked.clear(), e.draw())")
    assert ink(page) == 0
    word(page, "apel").hover()
    for pane in (0, 1):
        expect(told.nth(pane)).to_contain_text("apel melihat")
    assert ink(page) > 100
    word(page, "Ani").click()
    word(page, "Dia").click()
    expect(page.locator("#attention-board .word[aria-selected=true]")).to_have_count(4)
    page.mouse.move(0, 0)
    expect(told.nth(1)).to_contain_text("Ani, Dia melihat")
    shares = [explorer(page, f"[...e.shares('{regime}').to]") for regime in ("full", "causal")]
    assert sum(shares[0]) == pytest.approx(1, abs=1e-3)
    assert all(share == 0 for share in shares[1][7:])  # nothing goes ahead
    expect(told.nth(1)).to_contain_text("Ke depan: 0 %")
    assert explorer(page, "e.panes.scrollWidth <= e.panes.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_words_are_reached_by_keyboard(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    explorer(page, "(e.locked.clear(), e.draw())")
    page.locator(WORD.format(1)).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#attention-board .told").first).to_contain_text("pergi melihat")
    page.keyboard.press("Enter")
    assert explorer(page, "[...e.locked]") == [2]
    page.keyboard.press("End")
    page.keyboard.press("Space")
    assert explorer(page, "e.locked.size") == 2
    page.keyboard.press("Escape")
    assert explorer(page, "e.locked.size") == 0
    page.keyboard.press("f")
    expect(page.locator("#attention-board .attention")).to_have_class("attention presenting")
    page.keyboard.press("Escape")
    expect(page.locator("#attention-board .attention")).to_have_class("attention")


def test_layers_and_heads_are_shown_previewed_and_ranked(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    mean = explorer(page, "[...e.matrix('full')]")
    page.locator("#attention-board .thumb").nth(2).hover()
    assert explorer(page, "[...e.matrix('full')]") != mean
    page.mouse.move(0, 0)
    assert explorer(page, "[...e.matrix('full')]") == mean
    page.locator("#attention-board .thumb").nth(2).click()
    expect(page.locator("#attention-board .thumb")).to_have_count(4)  # its heads now
    assert explorer(page, "e.layer") == 2
    heads = [explorer(page, f"[...e.matrix('full', {{ layer: 2, head: {head} }})]") for head in range(4)]
    page.locator("#attention-board .thumb").nth(3).click()
    assert explorer(page, "[...e.matrix('full')]") == heads[3]
    page.mouse.move(0, 0)
    pick(page, "head", "max")
    assert explorer(page, "[...e.matrix('full')]") == [max(of) for of in zip(*heads, strict=True)]
    pick(page, "head", "mean")
    assert explorer(page, "[...e.matrix('full')]") == pytest.approx(
        [sum(of) / 4 for of in zip(*heads, strict=True)], abs=1e-4
    )
    pick(page, "layer", "rollout")
    assert explorer(page, "[...e.matrix('causal')].slice(0, 10)") == [1, *[0] * 9]
    word(page, "Ani").click()
    page.get_by_role("button", name="Peringkat kepala: Dia → Ani").click()
    rows = page.locator("#attention-board .ranks tr")
    expect(rows).to_have_count(9)
    expect(page.locator("#attention-board .answers")).to_contain_text("20 kepala; median")
    rows.nth(1).get_by_role("button").click()
    assert explorer(page, "typeof e.head") == "number"


def test_weak_words_become_blanks(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.locator("#attention-board [data-name=view-blanks]").click()
    page.mouse.move(0, 0)
    blanks = page.locator(WORD.format(1) + ".blank")
    counts = []
    for mass in ("0", "0.5", "1"):
        page.locator("#attention-board input[data-name=mass]").fill(mass)
        counts.append(blanks.count())
    assert counts[0] == 6  # all words but the chosen one; signs stay
    assert counts[0] > counts[1] > counts[2] == 0
    pick(page, "by", "share")
    page.locator("#attention-board input[data-name=share]").fill("0.5")
    assert blanks.count() == 6
    pick(page, "relation", "to")
    page.locator("#attention-board input[data-name=share]").fill("0.01")
    ahead = page.locator(WORD.format(2))
    expect(ahead.nth(7)).to_have_accessible_name("__")  # the causal pane keeps nothing that follows
    expect(page.locator(WORD.format(1)).nth(7)).to_have_accessible_name("membeli")


def test_a_masked_pronoun_is_guessed_under_both_masks(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.get_by_role("button", name="Topengkan Dia").click()
    columns = page.locator("#attention-board .guess")
    expect(columns).to_have_count(4)  # one name and two, each with both masks
    expect(columns.nth(2)).to_contain_text("Ani dan Budi pergi ke pasar. ____ membeli apel.")
    expect(columns.nth(0).locator(".watched li")).to_have_count(3)
    word(page, "Dia").click()
    word(page, "apel").click()
    page.get_by_role("button", name="Topengkan apel").click()
    expect(columns).to_have_count(2)
    expect(columns.nth(1)).to_contain_text("Ani pergi ke pasar. Dia membeli ____.")


def test_the_scheme_needs_no_weights(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.locator("#attention-board [data-name=view-scheme]").click()
    expect(page.locator("#attention-board .pane")).to_have_count(3)
    seen = {
        regime: explorer(page, f"[...Array(e.size).keys()].filter((j) => e.allowed('{regime}', 6, j))")
        for regime in ("full", "causal", "blocks")
    }
    assert seen == {"full": list(range(10)), "causal": list(range(7)), "blocks": list(range(8))}
    page.locator("#attention-board input[data-name=block]").fill("1")
    assert explorer(page, "[...Array(e.size).keys()].filter((j) => e.allowed('blocks', 6, j))") == list(range(7))
    for view in ("arcs", "blanks", "matrix"):
        page.locator(f"#attention-board [data-name=view-{view}]").click()
        expect(page.locator("#attention-board .pane")).to_have_count(2)
        page.locator("#attention-board [data-name=view-scheme]").click()


def test_the_steps_of_a_trace_are_those_of_its_board(visit: Callable) -> None:
    page = visit().page
    page.get_by_role("tab", name="Visualisasi").click()
    expect(page.locator("#unmasking-board .note")).to_contain_text("Rekaman")
    page.get_by_role("tab", name="Atensi").click()
    expect(page.locator(WORD.format(1)).nth(6)).to_have_text("Dia")
    page.click("#from-board")
    masks = page.locator(WORD.format(1) + ".mask")
    expect(masks.first).to_be_visible()
    expect(page.locator("#attention-board .told").first).to_contain_text("Ke topeng")
    before = masks.count()
    page.locator("#attention-player .player").focus()
    page.keyboard.press("Home")
    length = page.evaluate("document.querySelector('#attention-player .player').llada.head.length")
    expect(masks).to_have_count(length)
    assert length > before
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    left = page.evaluate(
        "document.querySelector('#attention-player .player').llada.now.filter((c) => c === null).length"
    )
    assert left < length
    expect(masks).to_have_count(left)
    page.keyboard.press("End")
    expect(masks).not_to_have_count(left)


def test_what_is_on_the_screen_is_saved(visit: Callable, tmp_path: Path) -> None:
    page = visit().page
    open_tab(page)
    page.mouse.move(0, 0)
    assert save(page, "PNG").startswith(b"\x89PNG")
    svg = save(page, "SVG").decode()
    assert "membeli" in svg
    assert svg.count("<path") >= explorer(page, "e.size")
    data = json.loads(save(page, "JSON"))
    assert data["words"][1] == "Ani"
    assert data["locked"] == [6]
    for rows in data["attention"].values():
        assert all(sum(row) == pytest.approx(1, abs=1e-3) for row in rows)
    file = tmp_path / "attention.html"
    file.write_bytes(save(page, "HTML"))
    other = page.context.new_page()
    other.context.set_offline(True)
    complaints: list[str] = []
    other.on("console", lambda m: complaints.append(m.text))
    other.on("pageerror", lambda e: complaints.append(str(e)))
    other.goto(file.as_uri())
    expect(other.locator(".told").first).to_contain_text("Dia melihat")
    other.get_by_text("apel", exact=True).first.hover()
    expect(other.locator(".told").nth(1)).to_contain_text("apel melihat")
    assert complaints == []
    other.context.set_offline(False)
    other.close()


def test_what_cannot_be_read_is_told_and_stays_in_the_box(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    long = "kata " * 300
    page.fill("#attention-text textarea", long)
    page.press("#attention-text textarea", "Enter")
    expect(page.get_by_text("paling banyak 256").first).to_be_visible()
    assert page.input_value("#attention-text textarea") == long
    expect(page.locator(WORD.format(1)).nth(6)).to_have_text("Dia")  # the panes stay as they were
    for text in ("😀", "...", "Halo"):
        page.fill("#attention-text textarea", text)
        page.press("#attention-text textarea", "Enter")
        expect(page.locator(WORD.format(1)).nth(1)).to_have_text(text)


def test_hostile_words_are_characters(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.fill("#attention-text textarea", "<img src=x onerror=alert(1)> ${1+1} </script> <|mdm_mask|>")
    page.press("#attention-text textarea", "Enter")
    expect(page.locator(WORD.format(1), has_text="onerror")).to_be_visible()
    assert page.locator("#attention-board img").count() == 0
    assert page.locator(WORD.format(1) + ".mask").count() == 0
    assert "onerror" in save(page, "HTML").decode()
