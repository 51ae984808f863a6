"""The unmasking tab as a lecturer uses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from llada_demo.core.trace import Trace, read_trace

pytestmark = pytest.mark.browser

CELL = "#unmasking-board .board .cell"


def open_tab(page: Page) -> None:
    """Opens the tab and waits for the scene that plays in it until something else is asked for."""
    page.get_by_role("tab", name="Visualisasi").click()
    expect(page.locator("#unmasking-board .note")).to_contain_text("Rekaman")


def write(page: Page, text: str) -> None:
    """Asks, and waits until the answer is whole and its cells have their final widths."""
    page.fill("#film-prompt textarea", text)
    with new_run(page):
        page.press("#film-prompt textarea", "Enter")
    expect(page.locator("#film-prompt .submit-button")).to_be_visible()


@contextmanager
def new_run(page: Page) -> Iterator[None]:
    """Waits until another run than before stands on the board, whole."""
    before = page.evaluate("mainReel.run")
    yield
    page.wait_for_function("(before) => mainReel.run !== before && mainReel.player.end", arg=before)


def player(page: Page, expression: str) -> Any:
    """A value of the player's, for example `player(page, "p.at")`."""
    return page.evaluate(
        f"() => {{ const p = document.querySelector('#unmasking-board .player').llada; return {expression}; }}"
    )


def stand(page: Page, step: int) -> None:
    player(page, f"p.go({step})")


def save_as(page: Page, name: str) -> bytes:
    """The file that the page offers."""
    page.click("#save-as input")
    page.get_by_role("option", name=name, exact=True).click()
    with page.expect_download() as download:
        page.click("#save-trace")
    return Path(download.value.path()).read_bytes()


def saved(page: Page) -> Trace:
    return read_trace(save_as(page, "JSON").decode())


@pytest.mark.parametrize("width", [375, 1280])
def test_a_question_is_written_live_and_replayed_with_the_keyboard(visit: Callable, width: int) -> None:
    page = visit(width).page
    open_tab(page)
    write(page, "Apa itu fotosintesis?")
    expect(page.locator("#unmasking-board .question")).to_have_text("Apa itu fotosintesis?")
    page.locator("#unmasking-board .player").focus()
    page.keyboard.press("Home")
    assert player(page, "p.at") == 0
    masks = page.locator(f"{CELL}[data-state=mask]")
    assert masks.count() == player(page, "p.head.length")
    page.keyboard.press("ArrowRight")
    assert player(page, "p.at") == 1
    assert page.locator(f"{CELL}[data-state=new]").count() == len(player(page, "p.frames[0].p"))
    page.keyboard.press("End")
    assert player(page, "p.at === p.frames.length")
    page.keyboard.press("5")
    assert player(page, "p.speed") == 4
    page.keyboard.press("Space")
    assert player(page, "p.playing")
    page.keyboard.press("Space")
    assert not player(page, "p.playing")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_no_cell_moves_and_every_frame_is_the_models_canvas(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    write(page, "Ceritakan tentang seekor kucing.")
    trace = saved(page)
    boxes = "[...document.querySelectorAll('%s')].map((c) => c.getBoundingClientRect()).map((r) => [r.x, r.y, r.width])"
    first = None
    for step in range(len(trace.steps) + 1):
        stand(page, step)
        now = page.evaluate(boxes % CELL)
        first = first or now
        assert all(
            abs(a - b) <= 0.5 for old, new in zip(first, now, strict=True) for a, b in zip(old, new, strict=True)
        )
        shown = player(page, "p.now.map((cell, at) => cell === null ? null : p.textOf(at, cell))")
        for at, token in enumerate(trace.answer_at(step)):
            if token is None:
                assert shown[at] is None
            elif at not in trace.steps[-1].unasked:
                assert shown[at] == trace.answer[at][1]


def test_a_candidate_is_chosen_and_the_run_goes_on_from_there(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    write(page, "Apa itu hujan?")
    before = saved(page)
    stand(page, 2)
    at = before.steps[1].positions[0]
    page.locator(CELL).nth(at).click()
    expect(page.locator("#unmasking-board .where")).to_contain_text("langkah 2")
    choice = page.locator("#unmasking-board button.candidate").nth(2)
    chosen = dict(before.steps[1].candidates)[at][2].token
    choice.click()
    expect(page.locator("#unmasking-board .edits")).to_contain_text("1 perubahan")
    with new_run(page):
        page.click("#go-on")
    expect(page.locator("#unmasking-board .edits")).to_have_count(0)
    expect(page.locator("#film-prompt .submit-button")).to_be_visible()
    branch = saved(page)
    assert branch.steps[:2] == before.steps[:2]
    assert branch.steps[2].by_hand
    assert branch.answer[at][0] == chosen


def test_going_on_without_a_change_says_what_to_do(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    write(page, "Halo!")
    page.click("#go-on")
    expect(page.locator(".toast-body").first).to_contain_text("Belum ada yang berubah")


def test_a_fill_in_keeps_its_words(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    write(page, "Ibu kota Jawa Barat adalah [mask:2].")
    stand(page, 0)
    assert page.locator(f"{CELL}[data-state=mask]").count() == 2
    stand(page, 2)
    assert "Ibu kota Jawa Barat adalah" in "".join(player(page, "p.end.cells"))


def test_a_saved_run_is_opened_again_and_a_damaged_one_is_refused(visit: Callable, tmp_path: Path) -> None:
    page = visit().page
    open_tab(page)
    write(page, "Apa itu laut?")
    trace = saved(page)
    (tmp_path / "good.json").write_text(trace.to_json(), encoding="utf-8")
    (tmp_path / "bad.json").write_text(trace.to_json()[:-30], encoding="utf-8")
    for name in ("good.json", "bad.json"):
        with page.expect_file_chooser() as chooser:
            page.click("#open-trace")
        chooser.value.set_files(tmp_path / name)
        if name == "good.json":
            expect(page.locator("#unmasking-board .note")).to_contain_text("Rekaman")
    expect(page.locator(".toast-body").first).to_contain_text("bukan JSON")
    assert saved(page) == trace


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=window.hit=1>", "${alert(1)}", "</script><script>window.hit=1</script>"]
)
def test_hostile_token_text_is_shown_as_characters(visit: Callable, tmp_path: Path, text: str) -> None:
    page = visit().page
    open_tab(page)
    write(page, "Halo!")
    data = json.loads(saved(page).to_json())
    data["answer"][0][1] = text
    for token in data["texts"]:
        data["texts"][token] = text
    data["prompt"] = [[1, text]]
    (tmp_path / "hostile.json").write_text(json.dumps(data), encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        page.click("#open-trace")
    chooser.value.set_files(tmp_path / "hostile.json")
    expect(page.locator("#unmasking-board .question")).to_have_text(text)
    page.wait_for_timeout(500)
    player(page, "p.choose(0, true)")
    assert page.evaluate("window.hit") is None


def test_presentation_shows_the_board_large_and_escape_leaves_it(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    write(page, "Halo!")
    page.locator("#unmasking-board .player").focus()
    page.keyboard.press("f")
    size = "parseFloat(getComputedStyle(document.querySelector('#unmasking-board .board')).fontSize)"
    assert page.evaluate(size) >= 32
    expect(page.locator("#unmasking-board .legend")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#unmasking-board .legend")).to_be_visible()


def test_less_motion_does_not_play_by_itself(visit: Callable) -> None:
    page = visit(reduced_motion="reduce").page
    open_tab(page)
    write(page, "Halo!")
    player(page, "p.load({ head: p.head, frames: p.frames, end: p.end })")
    assert not player(page, "p.playing")
    assert player(page, "p.at") == 0


def test_every_file_is_saved_with_its_content_and_the_page_plays_without_a_network(
    visit: Callable, browser: Any, tmp_path: Path
) -> None:
    page = visit().page
    open_tab(page)
    write(page, "Apa itu awan?")
    steps = len(saved(page).steps)
    stand(page, 1)
    assert save_as(page, "GIF 1280×720")[:6] == b"GIF89a"
    assert b"ftyp" in save_as(page, "MP4 1080×1080")[:16]
    assert save_as(page, "PNG 1080×1080")[:4] == b"\x89PNG"
    (tmp_path / "run.html").write_bytes(save_as(page, "HTML"))
    context = browser.new_context(offline=True, locale="id-ID")
    alone = context.new_page()
    complaints: list[str] = []
    alone.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    alone.on("pageerror", lambda e: complaints.append(str(e)))
    alone.goto((tmp_path / "run.html").as_uri())
    expect(alone.locator(".player .question")).to_have_text("Apa itu awan?")
    expect(alone.locator(".player .line")).to_contain_text(f"Langkah {steps} dari {steps}")
    expect(alone.locator(".player .cell[data-state=mask]:not(.sample)")).to_have_count(0)
    assert complaints == []
    context.close()


def test_two_runs_share_a_clock_and_both_count_their_forwards(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.fill("#film-prompt textarea", "Apa itu awan?")
    page.click("#side-by-side > button")
    page.click("#run-both")
    for side in ("left", "right"):
        expect(page.locator(f"#{side}-board .player:not(.live)")).to_be_visible()
    left, right = (f"document.querySelector('#{side}-board .player').llada" for side in ("left", "right"))
    page.evaluate(f"{left}.go(3)")
    assert page.evaluate(f"{right}.at") == 3
    page.locator("#right-board .player").focus()
    page.keyboard.press("End")
    assert page.evaluate(f"[{left}.at, {right}.at]") == page.evaluate(f"[{left}.frames.length, {right}.frames.length]")
    for side in ("left", "right"):
        expect(page.locator(f"#{side}-board .line")).to_contain_text("perhitungan")
    expect(page.locator("#left-board .title")).to_have_text("Kiri ke kanan, seperti GPT")


def test_two_runs_are_stopped_and_keep_what_is_written(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.fill("#film-prompt textarea", "Ceritakan tentang seekor kucing.")
    page.click("#film-settings > button")
    for name, value in {"gen-length": "192", "steps": "192"}.items():
        number = page.locator(f"#film-option-{name} input[type=number]")
        expect(number).to_be_visible()
        page.wait_for_timeout(1000)
        number.fill(value)
        page.wait_for_timeout(200)
        number.press("Tab")
    page.click("#side-by-side > button")
    page.click("#run-both")
    page.wait_for_function("document.querySelector('#left-board .player')?.llada.frames.length > 2")
    page.click("#film-prompt .stop-button")
    expect(page.locator("#film-prompt .submit-button")).to_be_visible()
    frames = "document.querySelector('#left-board .player').llada.frames.length"
    written = page.evaluate(frames)
    page.wait_for_timeout(1000)
    assert 2 < page.evaluate(frames) == written < 192
    assert not page.evaluate("document.querySelector('#left-board .player').llada.end")


def test_any_two_recordings_are_shown_in_step(visit: Callable, tmp_path: Path) -> None:
    page = visit().page
    open_tab(page)
    (tmp_path / "first.json").write_text(saved(page).to_json(), encoding="utf-8")
    page.locator("#scenes label").nth(1).click()
    expect(page.locator("#unmasking-board .title")).to_have_text("Menghitung, dan keliru")
    with page.expect_file_chooser() as chooser:
        page.click("#open-beside")
    chooser.value.set_files(tmp_path / "first.json")
    expect(page.locator("#unmasking-other .question")).to_be_visible()
    page.locator("#unmasking-board .player").focus()
    page.keyboard.press("End")
    steps = "[p.frames.length, p.followers[0].frames.length, p.at, p.followers[0].at]"
    main, other, at, beside = player(page, steps)
    assert main != other
    assert (at, beside) == (main, other)
    for board in ("board", "other"):
        expect(page.locator(f"#unmasking-{board} .line")).to_contain_text("perhitungan")


def test_the_forward_process_masks_more_as_t_grows_and_the_model_fills_it_in(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.click("#forward-process > button")
    expect(page.locator("#forward-told")).to_contain_text("nat tiap topeng")
    masks = page.locator("#forward-board .board .cell[data-state=mask]")
    half = masks.count()
    number = page.locator("#forward-t input[type=number]")
    number.fill("0.9")
    page.wait_for_timeout(200)
    number.press("Tab")
    expect(page.locator("#forward-told")).not_to_contain_text(f"{half} dari")
    assert masks.count() > half > 0
    page.click("#forward-fill")
    expect(masks).to_have_count(0)


def test_a_scene_needs_one_click_and_says_that_it_is_recorded(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.locator("#scenes label").nth(6).click()
    expect(page.locator("#unmasking-other .title")).to_be_visible()
    titles = page.locator("#unmasking-boards .title").all_inner_texts()
    assert titles == ["Paling yakin dahulu", "Acak"]
    page.locator("#scenes label").nth(1).click()
    expect(page.locator("#unmasking-board .title")).to_have_text("Menghitung, dan keliru")
    expect(page.locator("#unmasking-other")).to_be_hidden()


def test_a_link_opens_a_scene_at_a_step(visit: Callable, address: str) -> None:
    page = visit().page
    page.goto(f"{address}/?trace=4-pantun&step=5")
    expect(page.locator("#unmasking-board .title")).to_have_text("Pantun")
    assert player(page, "[p.at, p.playing]") == [5, False]


def test_the_charts_are_drawn_when_they_are_opened(visit: Callable) -> None:
    page = visit().page
    open_tab(page)
    page.click("#charts > button")
    for name in ("confidence", "progress", "order"):
        expect(page.locator(f"#chart-{name} .js-plotly-plot")).to_be_visible()
        assert page.locator(f"#chart-{name}").bounding_box()["width"] < 1000
