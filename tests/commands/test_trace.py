"""`trace`: a run as a file, new or from a recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from llada_demo.__main__ import main
from llada_demo.core.trace import read_trace

SHORT = ["--gen-length", "16", "--steps", "4", "--dtype", "float32"]


def test_a_new_run_is_recorded_and_shown_in_another_form(tmp_path: Path) -> None:
    run, page = tmp_path / "run.json", tmp_path / "run.html"
    assert main(["trace", "Apa itu awan?", "--out", str(run), *SHORT]) == 0
    trace = read_trace(run.read_text(encoding="utf-8"))
    assert trace.question == "Apa itu awan?"
    assert all(len(best) == 5 for step in trace.steps for _, best in step.candidates)
    assert main(["trace", "--from", str(run), "--out", str(page)]) == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_text_with_gaps_is_filled_in(tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    assert main(["trace", "Langit berwarna [mask:1].", "--out", str(out), "--dtype", "float32"]) == 0
    answer = "".join(text for _, text in read_trace(out.read_text(encoding="utf-8")).answer)
    assert answer.startswith("Langit berwarna")


@pytest.mark.parametrize(
    "flags",
    [
        ["--out", "x.json"],
        ["Halo", "--from", "y.json", "--out", "x.json"],
        ["Halo", "--out", "x.exe"],
        ["Halo", "--out", "x.gif", "--size", "poster"],
        ["--from", "/no/such/file.json", "--out", "x.json"],
        ["Halo", "--out", "x.json", "--candidates", "-1"],
    ],
)
def test_bad_input_is_one_sentence_and_no_file(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["trace", *flags]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
