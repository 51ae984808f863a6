"""The command line, as another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(root: Path, *args: str, **env: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "llada_demo", *args]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LLADA_")}
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, env={**clean, **env})


def test_chat_prints_the_answer_and_nothing_else_the_same_twice(root: Path):
    first, second = (run(root, "chat", "Apa itu fotosintesis?", "--seed", "1") for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert first.stdout.strip()
    assert first.stdout == second.stdout
    assert first.stderr == ""


@pytest.mark.parametrize(
    ("args", "env", "says"),
    [
        (("chat", ""), {}, "empty"),
        (("chat", "Halo", "--steps", "7"), {}, "steps (7)"),
        (("chat", "Halo", "--constraints", "Tentu"), {}, "position:word"),
        (("chat", "Halo", "--model", "/tidak/ada"), {}, "/tidak/ada"),
        (("chat", "Halo"), {"LLADA_DEVICE": "tpu"}, "LLADA_DEVICE"),
        (
            ("doctor",),
            {"LLADA_MODEL": "nobody/nothing", "HF_ENDPOINT": "http://127.0.0.1:9"},
            "nobody/nothing",
        ),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_exit_code_2(root: Path, args, env, says: str):
    done = run(root, *args, **env, LANG="C.UTF-8")
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_doctor_says_what_runs_where_and_that_it_answers(root: Path):
    done = run(root, "doctor", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["answers"] == "yes"
    assert report["device"] in ("cpu", "cuda")
    assert "M parameters" in report["model"]


def test_the_page_refuses_a_missing_model_with_one_line(root: Path):
    env = {**os.environ, "LLADA_MODEL": "/tidak/ada"}
    done = subprocess.run([sys.executable, "app.py"], cwd=root, capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
