"""The README says what is there: tree, commands, variables, links."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from llada_demo.__main__ import COMMANDS


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def tree(readme: str) -> list[str]:
    """The paths of the file tree, folders with a slash at the end."""
    block = readme.split("## The files")[1].split("```")[1]
    paths, folders = [], []
    for line in block.strip("\n").splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        paths.append("".join(folders) + name)
        if name.endswith("/"):
            folders.append(name)
    return paths


def test_every_path_of_the_tree_exists_and_has_a_line(root: Path, readme: str):
    for path in tree(readme):
        assert (root / path).exists(), path
    for line in readme.split("## The files")[1].split("```")[1].strip("\n").splitlines():
        assert len(line.split(maxsplit=1)) == 2 or line.strip() in ("llada_demo/", "assets/"), line


def test_every_module_and_asset_of_the_page_is_in_the_tree(root: Path, readme: str):
    named = set(tree(readme))
    there = [p for p in (root / "llada_demo").rglob("*.py") if p.name != "__init__.py"]
    there += [p for p in (root / "assets" / "ui").iterdir() if p.is_file()]
    missing = [str(p.relative_to(root)) for p in there if str(p.relative_to(root)) not in named]
    assert missing == []


def test_nothing_unexpected_stands_at_the_top(root: Path):
    files = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in files.splitlines()}
    agreed = {"app.py", "llada_demo", "assets", "tests", "requirements.txt", "README.md", "LICENSE", "pyproject.toml"}
    assert {t for t in top if not t.startswith(".")} <= agreed


def test_every_command_is_in_the_table_and_exists(readme: str):
    assert set(re.findall(r"`python -m llada_demo (\w+)", readme)) == set(COMMANDS)
    for name in COMMANDS:
        assert importlib.import_module(f"llada_demo.commands.{name}").HELP


def test_every_variable_that_is_read_is_explained(root: Path, readme: str):
    source = "".join(p.read_text(encoding="utf-8") for p in (root / "llada_demo").rglob("*.py"))
    read = set(re.findall(r'"(LLADA_[A-Z_]+)"', source))
    assert read == set(re.findall(r"^\| `(LLADA_[A-Z_]+)`", readme, re.M))


def test_ci_runs_the_readmes_test_command(root: Path, readme: str):
    commands = re.findall(r"```bash\n(.+)\n```", readme)
    assert len(commands) == 2
    tested = commands[1].replace("pip install", "pip install --quiet")
    assert tested in (root / ".ci" / "run").read_text(encoding="utf-8")


def test_links_to_files_lead_somewhere(root: Path, readme: str):
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        if "://" not in target:
            assert (root / target).exists(), target


def test_the_front_matter_is_that_of_a_space(readme: str):
    front = yaml.safe_load(readme.split("---")[1])
    assert front["sdk"] == "gradio"
    assert front["app_file"] == "app.py"
    assert len(front["short_description"]) <= 60


def test_no_figure_is_left_open(readme: str):
    assert not re.search(r"\bNUMBERS\b|TODO|FIXME|\bXX+\b", readme)


@pytest.mark.parametrize("path", ["README.md", "assets/model/README.md"])
def test_the_project_speaks_of_itself_only(root: Path, path: str):
    assert not re.search(r"/(work|tmp|root)/", (root / path).read_text(encoding="utf-8"))
