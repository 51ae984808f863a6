"""Many prompts in a browser: a table that fills, is sorted and filtered, is stopped, and is taken home."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from page_of import page_of
from playwright.sync_api import Page, expect
from random_adapter import write_adapter

from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from tests.browser.obstacles import serious_in_both

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hit=1>"
LONG = "Ceritakan " + "tentang hujan dan laut " * 12
PROMPTS = ["Apa itu hujan?", "=1+1", HOSTILE, LONG.strip(), "Siapa kamu?", "Halo!"]
REFERENCES = "prompt,jawaban\nHalo!,Halo juga\nSiapa kamu?,Saya asisten\n"


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def with_only(engine: Engine, names: Sequence[str]) -> Engine:
    """The engine without the adapters that come with the model."""
    for row in engine.shelf.listed():
        if row["name"] not in names:
            engine.shelf.remove(row["name"])
    return engine


@pytest.fixture(scope="module")
def adapted(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    place = tmp_path_factory.mktemp("adapters")
    names = ("uji-surat", "uji-puitis-yang-bernama-panjang")
    folders = [write_adapter(place / name, engine.model, seed=seed) for seed, name in enumerate(names, 1)]
    return with_only(Engine.load(Settings(adapters=tuple(map(str, folders)), device="cpu", dtype="float32")), names)


@pytest.fixture(scope="module")
def address(adapted: Engine) -> Iterator[str]:
    with page_of(adapted) as address:
        yield address


def open_section(page: Page, name: str) -> None:
    """Opens a part of the comparison tab; on a narrow screen from the menus of those that find no room."""
    for tabs, title in (("tabs", "Perbandingan"), ("compare-tabs", name)):
        tab = page.locator(f"#{tabs} > .tab-wrapper [role=tab]", has_text=title)
        if not tab.count():
            page.locator(f"#{tabs} > .tab-wrapper .overflow-menu > button").click()
            tab = page.locator(f"#{tabs} > .tab-wrapper .overflow-dropdown button", has_text=title)
        tab.click()
        page.wait_for_timeout(500)


def opened(visit: Callable, *args: Any, length: int = 8, **more: Any) -> Page:
    """The section, with answers of `length` tokens."""
    page = visit(*args, **more).page
    open_section(page, "Banyak pertanyaan")
    expect(page.locator("#many-board .empty")).to_be_visible()
    page.click("#many-settings > button")
    number = page.locator("#many-option-gen-length input[type=number]")
    expect(number).to_be_visible()
    page.wait_for_timeout(1000)  # what is typed before it is whole is overwritten
    number.fill(str(length))
    number.press("Tab")
    steps = page.locator("#many-option-steps input[type=number]")
    expect(steps).to_have_value(str(length))
    page.fill("#many-option-seed input, #many-option-seed textarea", "5")
    page.keyboard.press("Tab")
    page.click("#many-settings > button")
    page.wait_for_timeout(500)
    put_away(page)  # what had to change for this length
    return page


def put_away(page: Page) -> None:
    """Closes all messages."""
    page.evaluate("document.querySelectorAll('.toast-close').forEach((button) => button.click())")
    expect(page.locator(".toast-body")).to_have_count(0)


def asked(page: Page, text: str) -> None:
    """Runs what is written, to its end."""
    page.fill("#many-prompts textarea", text)
    before = page.evaluate("document.querySelector('#many-board .many').llada.run ?? null")
    page.click("#many-run")
    page.wait_for_function(
        "(before) => { const { run, over } = document.querySelector('#many-board .many').llada;"
        " return over && run !== before; }", arg=before, timeout=120_000,
    )  # fmt: skip
    expect(page.locator("#many-run")).to_be_enabled()


def chosen(page: Page, name: str, data: bytes) -> None:
    with page.expect_file_chooser() as picker:
        page.click("#many-open")
    picker.value.set_files({"name": name, "mimeType": "text/csv", "buffer": data})


def numbers(page: Page) -> list[int]:
    """The rows that are seen, by the number of their prompt."""
    return [int(text.split()[0]) for text in page.locator("#many-board tbody tr:visible td.number").all_inner_texts()]


def saved(page: Page, kind: str) -> bytes:
    with page.expect_download() as download:
        page.click(f"#many-{kind}")
    assert download.value.suggested_filename.endswith(f".{kind}")
    return Path(download.value.path()).read_bytes()


def told(page: Page) -> str:
    """The one sentence of a warning, which is put away."""
    bodies = page.locator(".toast-body")
    expect(bodies).to_have_count(1)
    text = bodies.inner_text()
    put_away(page)
    return text


def test_a_file_is_run_stopped_half_way_and_keeps_its_rows(visit: Callable) -> None:
    page = opened(visit, length=64)
    chosen(page, "uji.csv", ("prompt\n" + "Apa itu hujan?\n" * 40).encode())
    expect(page.locator("#many-file")).to_contain_text("uji.csv: 40 prompt.")
    page.click("#many-run")
    rows = page.locator("#many-board tbody tr")
    expect(rows.nth(3)).to_be_visible(timeout=120_000)
    expect(page.locator("#many-board .status")).to_contain_text("dari 40 · sisa kira-kira")
    page.click("#many-stop")
    expect(page.locator("#many-board .status")).to_contain_text("Dihentikan")
    expect(page.locator("#many-run")).to_be_enabled()
    kept = rows.count()
    assert 4 <= kept < 40
    page.wait_for_timeout(3000)
    assert rows.count() == kept
    assert len(json.loads(saved(page, "json"))["rows"]) == kept
    page.click("#many-drop")
    expect(page.locator("#many-prompts textarea")).to_have_value("")
    expect(page.locator("#many-prompts textarea")).to_be_enabled()
    expect(page.locator("#many-drop")).to_have_count(0)


def test_rows_are_sorted_filtered_and_opened_and_a_prompt_is_only_text(visit: Callable) -> None:
    page = opened(visit)
    asked(page, "\n".join(PROMPTS))
    assert sorted(numbers(page)) == numbers(page) == [1, 2, 3, 4, 5, 6]
    assert page.locator("#many-board img").count() == 0
    assert page.evaluate("window.hit") is None
    expect(page.locator("#many-board tbody tr").nth(2).locator("td.prompt .text")).to_have_text(HOSTILE)
    heads = page.locator("#many-board th")
    heads.nth(1).locator("button").click()
    expect(heads.nth(1)).to_have_attribute("aria-sort", "ascending")
    expect(heads.nth(0)).to_have_attribute("aria-sort", "none")
    shown = page.locator("#many-board td.prompt .text").all_inner_texts()
    assert shown == page.evaluate("(texts) => [...texts].sort((a, b) => a.localeCompare(b, 'id'))", shown)
    page.focus("#many-board th:nth-child(1) button")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(heads.nth(0)).to_have_attribute("aria-sort", "descending")
    assert numbers(page) == [6, 5, 4, 3, 2, 1]

    row = page.locator("#many-board tbody tr", has=page.locator(".expand")).first
    text = row.locator("td.prompt .text")
    clamped = text.bounding_box()["height"]
    text.click()
    expect(row.locator(".expand")).to_have_attribute("aria-expanded", "true")
    assert text.bounding_box()["height"] > clamped
    row.locator(".expand").press("Enter")
    expect(row.locator(".expand")).to_have_attribute("aria-expanded", "false")

    marks = page.locator("#many-board tbody tr:has(mark)").count()
    page.get_by_label("Hanya yang berbeda").check()
    assert len(numbers(page)) == marks > 0
    assert page.locator("#many-board td.answer:nth-child(3) mark").count() == 0  # the base


def test_only_rows_that_differ_are_left_and_none_is_told(visit: Callable) -> None:
    page = opened(visit)
    page.fill("#many-scale-1 input", "0")
    page.keyboard.press("Tab")
    page.wait_for_timeout(500)
    asked(page, "Halo!\nSiapa kamu?")
    expect(page.locator("#many-board .note").last).to_have_text("0 berbeda")
    page.get_by_label("Hanya yang berbeda (0)").check()
    assert numbers(page) == []
    expect(page.locator("#many-board .empty")).to_have_text("Tidak ada baris yang berbeda.")


def test_a_formula_stays_text_in_the_table_that_is_taken_home(visit: Callable) -> None:
    page = opened(visit)
    asked(page, "\n".join(PROMPTS))
    data = saved(page, "csv")
    assert data.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(data.decode("utf-8-sig").splitlines())
    assert head[:6] == ["number", "prompt", "reference", "seed", "base", "adapter uji-surat"]
    assert [row[1] for row in rows] == ["'" + text if text.startswith("=") else text for text in PROMPTS]
    assert [row[3] for row in rows] == ["5", "6", "7", "8", "9", "10"]
    shown = page.locator("#many-board td.answer:last-child .text").all_inner_texts()
    assert [row[5].split() for row in rows] == [text.split() for text in shown]


def test_scores_stand_where_references_are_and_rows_are_sorted_by_them(visit: Callable) -> None:
    page = opened(visit)
    asked(page, REFERENCES)
    heads = page.locator("#many-board th")
    expect(heads.nth(3).locator(".note")).to_contain_text("rata-rata 0,")
    means = heads.locator(".note").all_inner_texts()
    page.get_by_label("Nilai", exact=True).select_option("chrF++")
    expect(page.locator("#many-board .score").first).to_contain_text("chrF++ 0,")
    assert heads.locator(".note").all_inner_texts() != means
    scores = page.locator("#many-board td.answer:last-child .score")
    heads.nth(4).locator("button").click()
    expect(heads.nth(4)).to_have_attribute("aria-sort", "descending")
    values = [float(text.split()[-1].replace(",", ".")) for text in scores.all_inner_texts()]
    assert len(values) == 2
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("pasted", [True, False])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nama,umur\nAni,7\nBudi,8\n", "Tidak ada kolom prompt"),
        ("prompt\n" + "Apa itu hujan?\n" * 10_000, "Ada 10000 prompt; paling banyak 200"),
        ("prompt\n" + "Apa itu hujan? " * 100_000, "lebih dari 700 KB"),
    ],
    ids=["other columns", "10,000 rows", "1.5 MB"],
)
def test_what_cannot_be_run_is_told_in_one_sentence(visit: Callable, text: str, says: str, pasted: bool) -> None:
    page = opened(visit, permissions=["clipboard-read", "clipboard-write"])
    if pasted:
        page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
        page.focus("#many-prompts textarea")
        page.keyboard.press("Control+V")
        page.click("#many-run")
    else:
        chosen(page, "uji.csv", text.encode())
    assert says in told(page)
    expect(page.locator("#many-board .empty")).to_be_visible()
    expect(page.locator("#many-run")).to_be_enabled()
    if pasted:
        expect(page.locator("#many-prompts textarea")).to_have_value(text)


def test_special_letters_of_a_file_arrive_as_they_were(visit: Callable) -> None:
    page = opened(visit)
    chosen(page, "<b>kafe</b>.csv", "prompt;jawaban\nDi mana café “Élan”?;Di Jakarta\n".encode("cp1252"))
    expect(page.locator("#many-prompts textarea")).to_have_value("Di mana café “Élan”?")
    expect(page.locator("#many-file")).to_contain_text("<b>kafe</b>.csv: 1 prompt, 1 dengan rujukan.")
    expect(page.locator("#many-file")).to_contain_text("Windows-1252")
    page.click("#switch-language")
    expect(page.locator("#many-file")).to_contain_text("1 with references")


def test_a_row_asks_for_its_panes(visit: Callable) -> None:
    page = opened(visit)
    asked(page, "Halo!\nSiapa kamu?")
    page.evaluate("document.addEventListener('llada-compare', (event) => (window.heard = event.detail))")
    page.get_by_role("button", name="Buka di panel: 2").click()
    heard = page.evaluate("window.heard")
    assert (heard["prompt"], heard["seed"], heard["adapters"]) == ("Siapa kamu?", 6, ["uji-surat"])
    assert (heard["options"]["seed"], heard["options"]["gen_length"]) == (6, 8)
    expect(page.locator("#compare-prompt textarea")).to_have_value("Siapa kamu?")
    expect(page.locator("#compare-board .parting:visible")).to_have_count(1)


def test_the_table_speaks_the_language_of_the_page(visit: Callable) -> None:
    page = opened(visit)
    asked(page, "Halo!\nSiapa kamu?")
    before = page.locator("#many-board td.answer .text").all_inner_texts()
    page.click("#switch-language")
    expect(page.locator("#many-board .status")).to_contain_text("2 prompts done in")
    expect(page.locator("#many-board th").nth(2)).to_contain_text("Base")
    expect(page.get_by_label("Only rows that differ")).to_be_visible()
    assert page.locator("#many-board td.answer .text").all_inner_texts() == before


def test_two_hundred_rows_are_drawn_and_sorted(visit: Callable) -> None:
    """Rows that a server would send are drawn without one: 200 of four answers each."""
    page = opened(visit)
    page.evaluate("""async () => {
      const systems = [null, "a", "b", "c:0.5"];
      const head = { systems, total: 200, references: true, measures: ["ROUGE-L", "chrF++"], notes: [], options: {} };
      let text = JSON.stringify({ run: "12345678", head }) + "\\n";
      const words = "air turun dari awan ke bumi lalu mengalir ke laut ".repeat(6);
      for (let at = 0; at < 200; at += 1) {
        const answers = systems.map((_, i) => (i ? [words, `kata ${at}`, "."] : [`${words}${at}.`]));
        const row = { at, seed: at, prompt: `Prompt ${at}`, reference: words, answers, error: null,
          scores: systems.map((_, i) => [((at * 7 + i) % 200) / 200, 0.5]) };
        text += JSON.stringify({ row }) + "\\n";
        llada.many.take(text);
      }
      llada.many.take(text + '{"end":true}\\n');
    }""")
    assert len(numbers(page)) == 200
    expect(page.locator("#many-board .status")).to_contain_text("200 prompt selesai")
    page.locator("#many-board th").nth(4).locator("button").click()
    first = page.locator("#many-board tbody tr").first.locator("td.answer .score").nth(1)
    expect(first).to_have_text("ROUGE-L 1,00")
    assert fits(page)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_nothing_about_many_prompts_is_a_serious_obstacle(visit: Callable, width: int, scheme: str) -> None:
    page = opened(visit, width, scheme=scheme, reduced_motion="reduce")
    assert serious_in_both(page) == []
    asked(page, REFERENCES + f'"{LONG}",Hujan itu air\n')
    assert serious_in_both(page) == []
    assert fits(page)
    page.locator("#many-board .expand").first.click()
    page.get_by_label("Hanya yang berbeda").check()
    assert serious_in_both(page) == []
    assert fits(page)
