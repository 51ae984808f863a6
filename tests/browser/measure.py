"""How quick player and attention explorer are: `python tests/browser/measure.py` prints JSON; figures, not a test."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import CDPSession, Page, sync_playwright  # noqa: E402

from llada_demo.core.options import SamplingOptions  # noqa: E402
from llada_demo.core.settings import Settings  # noqa: E402
from llada_demo.engine import Engine  # noqa: E402
from llada_demo.export.files import export, finish  # noqa: E402
from llada_demo.export.film import film  # noqa: E402

PORT = 7879
QUESTION = "Ceritakan tentang laut."
FRAMES = """(film) => {
  const root = document.body.appendChild(document.createElement("div"));
  const player = new window.llada.Player(root);
  player.load(film);
  player.pause?.();
  const times = [];
  for (let round = 0; round < 3; round += 1)
    for (let at = 0; at <= film.frames.length; at += 1) {
      const began = performance.now();
      player.go(at);
      root.getBoundingClientRect();
      times.push(performance.now() - began);
    }
  root.remove();
  return times;
}"""
CLICK = """(name) => new Promise((done) => {
  const title = document.querySelector("#unmasking-board .title");
  const before = title.textContent;
  const began = performance.now();
  const seen = () => title.textContent === before ? requestAnimationFrame(seen) : done(performance.now() - began);
  document.querySelectorAll("#scenes label")[name].click();
  seen();
})"""

ATTENTION = """([layers, heads, words]) => {
  const pack = (count) => {
    const numbers = new Uint16Array(count * words * words).map(() => Math.random() * 900);
    let text = "";
    for (const byte of new Uint8Array(numbers.buffer)) text += String.fromCharCode(byte);
    return btoa(text);
  };
  const seen = () => ({ means: pack(layers), rollout: pack(1), heads: pack(heads), sinks: [], ahead: 0.5 });
  const record = { words: [...Array(words).keys()].map((n) => ` kata${n}`), kinds: Array(words).fill("text"),
    layers, heads, layer: 0, scale: 65535, about: {}, seen: { full: seen(), causal: seen() } };
  const root = document.querySelector(".gradio-container").appendChild(document.createElement("div"));
  const explorer = new window.llada.Attention(root);
  let began = performance.now();
  explorer.show(record);
  root.getBoundingClientRect();
  const first = performance.now() - began;
  explorer.set({ layer: 0, head: "max" });
  const times = [];
  for (let at = 0; at < words; at += 1) {
    began = performance.now();
    explorer.hover(at);
    root.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  root.remove();
  return { first, times };
}"""


def main() -> None:
    engine = Engine.load(Settings(dtype="float32", device="cpu"))
    run = engine.trace([{"role": "user", "content": QUESTION}], long_run(128, 64))
    began = time.perf_counter()
    gif = finish(export(run, "gif"))
    seconds = time.perf_counter() - began
    wide = engine.trace([{"role": "user", "content": QUESTION}], long_run(208, 104))
    cells = film(wide)
    cells = {**cells, "frames": cells["frames"][:64]}
    with application(), page() as (tab, network):
        figures = {
            "frame_ms_p95": {f"{wide.options.gen_length} tokens": p95(tab.evaluate(FRAMES, cells))},
            "scene_ms": sorted(round(tab.evaluate(CLICK, at)) for at in (1, 2, 3, 4, 5, 1, 3, 5)),
            "live_bytes": live_bytes(tab, network),
            "attention": [attention(tab, *shape) for shape in ((5, 8, 128), (32, 32, 128))],
        }
    told = {
        "steps": len(run.steps),
        "film_bytes": {"live": size(film(run)), "recorded, no candidates": size(film(run, candidates=False))},
        "page_bytes": len(finish(export(run, "html"))),
        "gif": {"seconds": round(seconds, 2), "bytes": len(gif)},
    }
    print(json.dumps({**figures, **told}, indent=1))


def attention(tab: Page, layers: int, heads: int, words: int) -> dict[str, float]:
    """Random attention: from its arrival to the first picture, and from a hover to its picture."""
    found = tab.evaluate(ATTENTION, [layers, heads, words])
    first, hover = round(found["first"], 1), p95(found["times"])
    return {"layers": layers, "heads": heads, "words": words, "first_picture_ms": first, "hover_ms_p95": hover}


def long_run(length: int, steps: int) -> SamplingOptions:
    return SamplingOptions(gen_length=length, steps=steps, block_length=8, end_rule="forbid")


def live_bytes(tab: Page, network: CDPSession) -> dict[str, int]:
    """What the server sends while it writes 128 tokens in 64 steps, as it crosses the wire."""
    count = 0
    tab.click("#film-settings > button")
    for name, value in {"gen-length": "128", "steps": "64"}.items():
        number = tab.locator(f"#film-option-{name} input[type=number]")
        number.wait_for()
        tab.wait_for_timeout(1000)
        number.fill(value)
        tab.wait_for_timeout(200)
        number.press("Tab")
    tab.click("#film-option-end-rule input")
    tab.get_by_role("option", name="forbid").click()
    tab.wait_for_timeout(1000)

    def received(event: dict[str, Any]) -> None:
        nonlocal count
        count += event["encodedDataLength"] or event["dataLength"]

    network.on("Network.dataReceived", received)
    before = tab.evaluate("mainReel.run")
    tab.fill("#film-prompt textarea", QUESTION)
    tab.press("#film-prompt textarea", "Enter")
    tab.wait_for_function("(before) => mainReel.run !== before && mainReel.player.end", arg=before)
    tab.wait_for_timeout(500)
    return {"steps": tab.evaluate("mainReel.player.frames.length"), "bytes": count}


def p95(times: list[float]) -> float:
    return round(statistics.quantiles(times, n=20)[-1], 2)


def size(data: Any) -> int:
    return len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())


@contextmanager
def application() -> Iterator[None]:
    """The page, as it is served."""
    import os

    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env={**os.environ, "GRADIO_SERVER_PORT": str(PORT)}
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready", timeout=2).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise
                time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def page() -> Iterator[tuple[Page, CDPSession]]:
    """The visualizer in the system's Chromium."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        tab = browser.new_page(locale="id-ID", viewport={"width": 1280, "height": 800})
        network = tab.context.new_cdp_session(tab)
        network.send("Network.enable")
        tab.goto(f"http://127.0.0.1:{PORT}")
        tab.get_by_role("tab", name="Visualisasi").click()
        tab.locator("#unmasking-board .note").wait_for()
        tab.wait_for_timeout(1500)
        yield tab, network
        browser.close()


if __name__ == "__main__":
    main()
