"""Everybody can use the page: axe-core finds nothing serious in any tab."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.obstacles import serious

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")])
def test_no_tab_has_a_serious_obstacle(visit: Callable, width: int, scheme: str) -> None:
    page = visit(width, scheme=scheme).page
    assert serious(page) == []
    page.get_by_role("tab", name="Visualisasi").click()
    expect(page.locator("#unmasking-board .note")).to_contain_text("Rekaman")
    assert serious(page) == []
    page.click("#film-settings button")
    page.locator("#unmasking-board .board .cell").first.click()
    assert serious(page) == []
    page.get_by_role("tab", name="Atensi").click()
    expect(page.locator("#attention-board .told").first).to_contain_text("Dia melihat")
    assert serious(page) == []
    for view in ("matrix", "blanks", "scheme"):
        page.locator(f"#attention-board [data-name=view-{view}]").click()
        assert serious(page) == []
