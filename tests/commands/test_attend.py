"""`attend`: a table, a matrix as JSON, and a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llada_demo.__main__ import main

TEXT = "Ani pergi ke pasar."


def test_without_a_file_the_strongest_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attend", TEXT, "--mask", "causal", "--dtype", "float32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["Ani", "pergi", "ke", "pasar", "."]
    assert lines[0].split()[1:3] == ["<|startoftext|>", "100%"]


def test_a_matrix_and_a_page_are_written(tmp_path: Path) -> None:
    out, page = tmp_path / "a.json", tmp_path / "a.html"
    assert main(["attend", TEXT, "--layer", "2", "--head", "1", "--out", str(out), "--dtype", "float32"]) == 0
    assert len(json.loads(out.read_text(encoding="utf-8"))["attention"]) == 6
    assert main(["attend", TEXT, "--out", str(page), "--dtype", "float32"]) == 0
    assert "pasar" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("flags", [["--mask", "half"], ["--layer", "99"], ["--head", "1"], ["--out", "x.exe"]])
def test_what_is_not_there_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
    assert main(["attend", TEXT, "--dtype", "float32", *flags]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
