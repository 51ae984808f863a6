"""The small page, in this process or served by another one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from running import Served
from small_app import build_app, small_demo
from starlette.testclient import TestClient

from llada_demo.server.guard import Guard, Limits

UNLIMITED = Limits(requests_per_second=1e9, burst=10**9)


@pytest.fixture(scope="session")
def page() -> Guard:
    """The whole application, as it is served, without a limit on how often."""
    return build_app(small_demo(), ready=lambda: None, limits=UNLIMITED)


@pytest.fixture(scope="session")
def visitor(page: Guard) -> Iterator[TestClient]:
    """A client of the page. An exception that leaves the application fails the test."""
    with TestClient(page, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def served(free_port: int) -> Iterator[Callable[[int], Served]]:
    """Starts a server with a graceful timeout of so many seconds."""
    started: list[Served] = []

    def start(grace: int) -> Served:
        started.append(Served(free_port, grace))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()
