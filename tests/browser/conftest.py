"""The page as `python app.py` serves it, in a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

expect.set_options(timeout=30_000)

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Visit:
    """A page, with everything that it complained about, every request that left this machine, and what it hears."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    streams: set[Request] = field(default_factory=set)  # of events that the server is still telling about

    def watch(self, address: str) -> None:
        """From now on the page's complaints and requests are noted."""
        page = self.page
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: self.complaints.append(str(e)))
        page.on("request", lambda r: None if _local(r.url, address) else self.outside.append(r.url))
        page.on("request", lambda r: self.streams.add(r) if "/queue/data" in r.url else None)
        for over in ("requestfinished", "requestfailed"):
            page.on(over, lambda r: self.streams.discard(r))

    def quiet(self) -> None:
        """Waits until the events of loading are over: a visitor reads before he types."""
        self.page.wait_for_timeout(1000)
        for _ in range(300):
            if not self.streams:
                return
            self.page.wait_for_timeout(100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser on a busy machine may miss its moment: what fails has two more tries. A real fault fails thrice."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium. Of a module: while it is open, no other test could run an event loop."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert path, "no Chromium: apt-get install chromium, or see the README's second command"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Visit]]:
    """visit(width, language, scheme): opens the page as a new visitor. What the page complains about fails."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def open_page(width: int = 1280, language: str = "id-ID", scheme: str = "light", **more: object) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, locale=language, color_scheme=scheme, **more
        )
        contexts.append(context)
        visit = Visit(context.new_page())
        visits.append(visit)
        page = visit.page
        page.set_default_timeout(30_000)
        visit.watch(address)
        page.goto(address)
        page.wait_for_selector("#message textarea")
        # The words follow the language in the first update after loading.
        page.wait_for_function("document.documentElement.lang !== '' && document.querySelector('#about h1')")
        visit.quiet()
        return visit

    yield open_page
    for context in contexts:
        context.close()
    for visit in visits:
        assert visit.complaints == []
        assert visit.outside == []


def _local(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:", address.replace("http", "ws")))
