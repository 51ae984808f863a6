"""/health: the process lives. /ready: a token can be generated. Polling them costs next to nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from llada_demo.server.health import health_routes


def client(ready: Callable[[], str | None], seconds: float = 5.0) -> TestClient:
    return TestClient(Starlette(routes=health_routes(ready, seconds)))


def test_a_living_process_says_ok_without_asking_the_model() -> None:
    def never() -> None:
        raise AssertionError("asked")

    answer = client(never).get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_says_what_is_missing() -> None:
    assert client(lambda: None).get("/ready").status_code == 200
    answer = client(lambda: "The model is loading.").get("/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "reason": "The model is loading."}


def test_a_check_that_fails_is_not_ready_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    answer = client(broken).get("/ready")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text


def test_polls_share_one_answer_until_it_is_old() -> None:
    asked: list[float] = []
    with client(lambda: asked.append(0.0), seconds=0.3) as poll:
        for _ in range(5):
            assert poll.get("/ready").status_code == 200
        assert len(asked) == 1
        time.sleep(0.35)
        poll.get("/ready")
    assert len(asked) == 2


def test_a_slow_check_runs_once_and_blocks_nobody() -> None:
    begun, may_end = threading.Event(), threading.Event()
    asked: list[float] = []

    def slow() -> str | None:
        asked.append(0.0)
        begun.set()
        may_end.wait(10)
        return None

    with client(slow) as poll, ThreadPoolExecutor() as pool:
        polls = [pool.submit(poll.get, "/ready") for _ in range(3)]
        assert begun.wait(5)
        assert poll.get("/health").status_code == 200
        may_end.set()
        assert [one.result(5).status_code for one in polls] == [200, 200, 200]
    assert len(asked) == 1
