"""The plan of the house, executable: imports run down, and a few things stand nowhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "llada_demo").rglob("*.py"))
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

# From the ground up. A room imports itself and what lies below; rooms of one floor do not know each other.
FLOORS = (("core",), ("model",), ("diffusion", "attention", "adapters"), ("engine",), ("server",), ("ui",))
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
BESIDE = ("learning", "evaluation", "export", "bench", "commands")  # not imported by the house, except:
SHOWN = {("ui", "export"), ("ui", "evaluation")}  # files to take home, scores beside a text, results on a page
LONG_FUNCTIONS: dict[str, str] = {}  # "file:name" -> why it is better in one piece
TAGS = "a|b|br|button|div|h[1-6]|head|html|i|img|input|li|p|script|span|style|svg|table|td|tr|ul"
HTML = re.compile(rf"</?({TAGS})\b[^>]*>")


def room(name: str) -> str:
    """The room of `llada_demo.core.options` and `llada_demo/core/options.py` is `core`; else none."""
    parts = name.removesuffix(".py").replace("/", ".").split(".")
    return parts[1] if len(parts) > 1 and parts[1] in (*FLOOR, *BESIDE) else ""


def imports(file: str) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, in full."""
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = file.removesuffix(".py").split("/")[: -node.level] if node.level else []
            module = ".".join([*package, *(node.module or "").split(".")]).strip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_every_room_is_on_the_plan() -> None:
    rooms = {path.name for path in (ROOT / "llada_demo").iterdir() if (path / "__init__.py").exists()}
    assert rooms <= {*FLOOR, *BESIDE}


@pytest.mark.parametrize("file", TREES)
def test_no_arrow_runs_up(file: str) -> None:
    here = room(file)
    for name in imports(file):
        there = room(name) if name.startswith("llada_demo.") else ""
        if there in ("", here):
            continue
        arrow = f"{file} imports {name}"
        if here in FLOOR and there in FLOOR:
            assert FLOOR[there] < FLOOR[here], arrow
        elif here in FLOOR:
            assert (here, there) in SHOWN, arrow
        elif here == "export":
            assert there == "core", arrow
        elif here in BESIDE and here != "commands":
            assert there not in ("server", "ui", "commands"), arrow


@pytest.mark.parametrize("file", TREES)
def test_heavy_packages_stay_in_their_rooms(file: str) -> None:
    for name in imports(file):
        top = name.split(".")[0]
        assert not (room(file) in ("core", "export") and top in ("torch", "transformers", "gradio")), name
        assert top != "gradio" or room(file) in ("ui", "server"), name


def test_importing_core_loads_neither_torch_nor_gradio() -> None:
    code = "import sys, llada_demo.core.trace; print({'torch', 'transformers', 'gradio'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


@pytest.mark.parametrize("file", TREES)
def test_no_function_is_longer_than_a_screen_without_a_reason(file: str) -> None:
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if f"{file}:{node.name}" in LONG_FUNCTIONS:
                continue
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} in line {node.lineno} has {length} lines"


@pytest.mark.parametrize("file", TREES)
def test_no_html_stands_in_a_string(file: str) -> None:
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not HTML.search(node.value), f"line {node.lineno}"


@pytest.mark.parametrize("file", TREES)
def test_no_code_comes_with_a_checkpoint(file: str) -> None:
    assert not {"pickle", "dill", "cloudpickle", "joblib"} & {name.split(".")[0] for name in imports(file)}
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.keyword | ast.Constant):
            assert "trust_remote_code" not in (getattr(node, "arg", ""), getattr(node, "value", ""))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            assert any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords)


@pytest.mark.parametrize("file", TREES)
def test_no_error_is_swallowed_whole(file: str) -> None:
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            silent = all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
            assert not (silent and caught in ("everything", "Exception", "BaseException")), f"line {node.lineno}"
