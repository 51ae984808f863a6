"""A server in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Served:
    """A server in a process of its own, and the address that it printed."""

    def __init__(self, port: int, grace: int) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRADIO_SERVER_PORT": str(port)}
        program = [sys.executable, str(ROOT / "tests/server/small_app.py"), str(grace)]
        self.process = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline().strip()
        self.url = self.first_line.rpartition(" ")[2]

    def stop(self, sig: signal.Signals) -> None:
        self.process.send_signal(sig)

    def ended(self, seconds: float) -> int:
        """The exit status, which must come within `seconds`."""
        return self.process.wait(timeout=seconds)
