"""The embedded model, and the application as `python app.py` serves it: tests talk to the real thing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported, and for the applications that tests start
    os.environ["OMP_NUM_THREADS"] = "1"  # two workers with two threads each would wait for each other

from llada_demo.core.settings import Settings
from llada_demo.engine import Engine


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A test that passed only at its second try is told with its reason: it may be a fault that comes and goes."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"tried again: {report.nodeid}", "-")
        said = [line for line in report.longreprtext.splitlines() if line.startswith("E ")]
        terminalreporter.write_line("\n".join([*said[:40], report.longreprtext[-200:]]))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The embedded model in float32, in which a run is the same on every machine."""
    return Engine.load(Settings(dtype="float32", device="cpu"))


@pytest.fixture(scope="session")
def address(root: Path) -> Iterator[str]:
    """The running application."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {k: v for k, v in os.environ.items() if not k.startswith("LLADA_")}
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=root,
        env={**env, "GRADIO_SERVER_PORT": str(port), "LLADA_DTYPE": "float32"},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address + "/health", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "the application ended"
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(20)
