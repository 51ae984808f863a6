"""`evaluate`: real answers of the embedded model, counted; and what it says about bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llada_demo.__main__ import main


def test_the_report_holds_bits_beside_the_baselines_and_the_answers(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held, data = tmp_path / "held.jsonl", tmp_path / "data"
    data.mkdir()
    rows = (root / "assets/data/percakapan/heldout.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    held.write_text("".join(rows[:3]), encoding="utf-8")
    (data / "a.jsonl").write_text("".join(rows[3:40]), encoding="utf-8")
    out = tmp_path / "report.json"
    twin = str(root / "assets" / "model")  # not trained for it, but of the right kind
    command = ["evaluate", "--heldout", str(held), "--data", str(data), "--twin", twin, "--draws", "2"]
    command += ["--count", "2", "--gen-length", "16", "--steps", "4", "--dtype", "float32", "--out", str(out), "--show"]
    assert main(command) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    table = report["bits_per_character"]["held.jsonl"]
    assert table["texts"] == 3
    assert 0 < table["diffusion"] < table["left to right"]
    assert table["5-gram"] > 0
    assert report["answers"]["count"] == len(report["rows"]) == 2
    printed = capsys.readouterr().out
    assert all(row["text"] in printed for row in report["rows"])
    assert report["model"]["sha256"]


@pytest.mark.parametrize("flags", [["--count", "0"], ["--draws", "-1"], ["--prompts", "/no/such/file"]])
def test_bad_input_is_one_sentence(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *flags]) == 2
    assert capsys.readouterr().err.count("\n") == 1
