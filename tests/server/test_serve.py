"""The whole server: what it mounts, where it listens, and how it stops."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import gradio as gr
import httpx
import pytest
from running import Served
from small_app import small_demo
from starlette.testclient import TestClient

from llada_demo.core.errors import UserError
from llada_demo.server import build_app, listen, serve
from llada_demo.server.serve import settings


def start_count(url: str, steps: int, pause: float) -> None:
    """Joins the queue as the page does, with the session "s"."""
    call = {"data": [steps, pause], "fn_index": 0, "session_hash": "s"}
    httpx.post(f"{url}/gradio_api/queue/join", json=call).raise_for_status()


def messages(url: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """The messages of the session "s", each with the time at which it came."""
    query = {"session_hash": "s"}
    with httpx.stream("GET", f"{url}/gradio_api/queue/data", params=query, timeout=30) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                yield time.monotonic(), json.loads(line[5:])


def hold_heartbeat(url: str) -> threading.Thread:
    """Opens the endless stream that every open page holds; the thread ends with it."""
    open_now = threading.Event()

    def listen_on() -> None:
        with httpx.stream("GET", f"{url}/gradio_api/heartbeat/s", timeout=60) as stream:
            for _ in stream.iter_raw():
                open_now.set()

    thread = threading.Thread(target=listen_on, daemon=True)
    thread.start()
    assert open_now.wait(10)
    return thread


def seconds_for_answers(url: str, count: int) -> float:
    """How long small answers take on one connection; 0.04 s each where the network waits for more to send."""
    with httpx.Client() as client:
        client.get(f"{url}/health")
        begun = time.monotonic()
        for _ in range(count):
            client.get(f"{url}/health")
        return time.monotonic() - begun


# --- what is mounted


def test_options_of_launch_shape_the_page() -> None:
    demo = small_demo()
    options = {"theme": gr.themes.Soft(), "css": "b {color: red}", "head": "<meta name=x>", "max_threads": 7}
    with TestClient(build_app(demo, ready=lambda: None, launch_options=options)) as client:
        page = client.get("/").text
        assert "b {color: red}" in page
        assert client.get("/config").json()["head"] == "<meta name=x>"
    assert len(demo._queue.active_jobs) == 7


def test_an_option_without_effect_is_refused() -> None:
    with pytest.raises(TypeError, match="share"):
        build_app(small_demo(), ready=lambda: None, launch_options={"share": True})


def test_nothing_is_published_that_the_page_does_not_need(visitor: TestClient) -> None:
    config = visitor.get("/config").json()
    assert config["analytics_enabled"] is False
    assert config["footer_links"] == []
    for path in ("/monitoring", "/monitoring/summary", "/docs", "/openapi.json", "/gradio_api/mcp/"):
        assert visitor.get(path).status_code in (403, 404), path


def test_nobody_jumps_the_queue(visitor: TestClient) -> None:
    assert visitor.post("/gradio_api/run/count", json={"data": [1, 0]}).status_code == 404


def test_a_root_path_from_the_environment_reaches_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/demo")
    with TestClient(build_app(small_demo(), ready=lambda: None)) as client:
        assert client.get("/config").json()["root"].endswith("/demo")


# --- where it listens


def test_a_port_in_use_says_so_and_what_to_do() -> None:
    with listen.claim("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError) as caught:
            serve(small_demo(), ready=lambda: None, port=port)
    for language, words in (("id", "sudah dipakai"), ("en", "is in use")):
        sentence = caught.value.in_language(language)
        assert f"{port} {words}" in sentence
        assert f"GRADIO_SERVER_PORT={port + 1} python app.py" in sentence


def test_without_a_wish_the_next_free_port_is_used(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "DEFAULT_PORTS", range(free_port, free_port + 10))
    with listen.claim("127.0.0.1", None) as first, listen.claim("127.0.0.1", None) as second:
        assert listen.address_of(first) == f"http://127.0.0.1:{free_port}"
        assert free_port < second.getsockname()[1] < free_port + 10
        monkeypatch.setattr(listen, "DEFAULT_PORTS", range(free_port, free_port + 1))
        with pytest.raises(UserError, match=f"{free_port} is in use"):
            listen.claim("127.0.0.1", None)


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1"])
def test_a_port_that_is_no_port_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    with pytest.raises(UserError, match=f"GRADIO_SERVER_PORT={port}"):
        listen.wanted_address(None, None)


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(UserError, match=r"192\.0\.2\.1"):
        listen.claim("192.0.2.1", 0)


# --- whom it believes


def test_only_a_space_or_who_says_so_has_a_proxy_to_believe(
    visitor: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPACE_ID", "FORWARDED_ALLOW_IPS"):
        monkeypatch.delenv(name, raising=False)
    assert not settings(visitor.app, 1).proxy_headers
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.1")
    assert settings(visitor.app, 1).proxy_headers
    assert settings(visitor.app, 1).forwarded_allow_ips == "10.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/demo")
    assert settings(visitor.app, 1).forwarded_allow_ips == "*"


def test_zero_gpu_is_served_by_launch_behind_the_same_guard(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("spaces")
    package.__spec__ = ModuleSpec("spaces", None)
    package.gradio_auto_wrap = lambda function: function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", package)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    demo = small_demo()
    serve(demo, ready=lambda: None, port=free_port, launch_options={"prevent_thread_lock": True})
    try:
        url = f"http://127.0.0.1:{free_port}"
        assert httpx.get(f"{url}/ready").json() == {"status": "ready"}
        assert "frame-ancestors 'self'" in httpx.get(url).headers["content-security-policy"]
        assert httpx.post(f"{url}/gradio_api/upload").status_code == 403
        assert httpx.post(f"{url}/gradio_api/call/nope", json={"data": []}).status_code == 400
        start_count(url, steps=3, pause=0.01)
        assert [message["msg"] for _, message in messages(url)][-2:] == ["process_completed", "close_stream"]
    finally:
        demo.close()


# --- how it serves and stops


def test_a_stream_arrives_while_it_is_made_and_a_signal_lets_it_finish(
    served: Callable[[int], Served],
) -> None:
    server = served(10)
    assert server.first_line == f"LLaDA Indonesia: {server.url}"
    assert seconds_for_answers(server.url, 20) < 0.5
    page = hold_heartbeat(server.url)
    start_count(server.url, steps=20, pause=0.1)
    frames: list[float] = []
    last: dict[str, Any] = {}
    for when, last in messages(server.url):
        if last["msg"] == "process_generating":
            frames.append(when)
            if len(frames) == 3:
                server.stop(signal.SIGTERM)
        if last["msg"] == "process_completed":
            break
    finished = time.monotonic()
    assert last["success"]
    assert len(frames) == 20
    assert frames[-1] - frames[0] > 1.5  # 20 frames of 0.1 s: they came as they were made
    assert server.ended(5) == 0
    assert time.monotonic() - finished < 3
    page.join(5)
    assert not page.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health")


def test_a_stream_without_end_is_cut_when_the_grace_is_over(served: Callable[[int], Served]) -> None:
    server = served(1)
    start_count(server.url, steps=10_000, pause=0.05)
    first = next(messages(server.url))
    assert first
    begun = time.monotonic()
    server.stop(signal.SIGTERM)
    assert server.ended(6) == 0
    assert time.monotonic() - begun < 5


def test_a_second_interrupt_ends_at_once(served: Callable[[int], Served]) -> None:
    server = served(60)
    start_count(server.url, steps=10_000, pause=0.05)
    stream = messages(server.url)
    next(stream)
    server.stop(signal.SIGINT)
    for _, message in stream:
        if message["msg"] == "process_generating":  # still served after the first
            break
    time.sleep(0.3)
    assert server.process.poll() is None
    server.stop(signal.SIGINT)
    assert server.ended(2) == -signal.SIGINT
