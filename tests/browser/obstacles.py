"""What keeps somebody from using the page, as axe-core finds it."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def serious(page: Page) -> list[tuple[str, Any]]:
    """What axe-core calls serious or critical: the rule, and where it is broken."""
    found = Axe().run(page).response["violations"]
    return [
        (rule["id"], [node["target"] for node in rule["nodes"]])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


def serious_in_both(page: Page) -> list[tuple[str, Any]]:
    """The same in this colour scheme and in the other one; the page is left as it was."""
    here = serious(page)
    _switch(page)
    there = serious(page)
    _switch(page)
    return here + there


def _switch(page: Page) -> None:
    page.evaluate("window.llada.switchTheme()")
    page.wait_for_timeout(300)  # colours take a moment to change
