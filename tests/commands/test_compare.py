"""`compare`: base and adapters on the screen and as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llada_demo.__main__ import main
from llada_demo.bench.panes import made_up_adapter
from llada_demo.core.comparison import read_comparison
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine

SHORT = ["--gen-length", "16", "--steps", "8", "--block-length", "8", "--dtype", "float32", "--device", "cpu"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two adapters whose folders have the same name."""
    place, model = tmp_path_factory.mktemp("adapters"), Engine.load(Settings(dtype="float32", device="cpu")).model
    return [str(made_up_adapter(model, place / side / "gaya", rank, size=0.05)) for side, rank in (("a", 2), ("b", 8))]


def test_every_text_stands_under_its_name_and_the_figures_beside(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "x.json", tmp_path / "x.html"
    asked = f"{folders[0]}:0.8, {folders[1]}, {folders[0]}+{folders[1]}:0.5"
    given = ["compare", "Apa itu hujan?", "--adapters", asked, "--system-prompt", "", "--candidates", "1", *SHORT]
    assert main([*given, "--out", str(out)]) == 0
    record = read_comparison(out.read_text(encoding="utf-8"))
    assert [pane.adapter for pane in record.panes] == [None, "gaya:0.8", "b-gaya", "gaya+b-gaya:0.5"]
    assert (record.question, record.system_prompt) == ("Apa itu hujan?", "")
    told = capsys.readouterr()
    assert told.out == "".join(f"{pane.adapter or 'base'}\n{pane.text}\n\n" for pane in record.panes)
    lines = told.err.splitlines()
    assert len(lines) == 4
    for pane, line in zip(record.panes, lines, strict=True):
        assert line.startswith(f"{pane.adapter or 'base'}: ")
        assert f"nats under base {pane.figures['nats_under_base']}" in line
        if pane.divergence:
            assert f"from step {pane.divergence.step + 1}, position {pane.divergence.position}" in line
    assert main([*given, "--out", str(page)]) == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().out == told.out


def test_names_that_are_loaded_need_no_path(
    folders: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLADA_ADAPTERS", folders[0])
    assert main(["compare", "Halo!", "--adapters", "gaya:0", *SHORT]) == 0
    told = capsys.readouterr()
    assert "gaya:0\n" in told.out
    assert "gaya:0: the same as the base in every step" in told.err


def test_a_text_with_gaps_is_filled_in_by_all(folders: list[str], tmp_path: Path) -> None:
    out = tmp_path / "x.json"
    given = ["--adapters", folders[0], "--out", str(out), "--dtype", "float32"]
    assert main(["compare", "Langit berwarna [mask:1].", *given]) == 0
    panes = json.loads(out.read_text(encoding="utf-8"))["panes"]
    assert all(pane["text"].startswith("Langit berwarna") for pane in panes)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--adapters", "pantun"], "there is no pantun"),
        (["--adapters", ","], "Choose 1 to 3 adapters"),
        (["--adapters", "DIR,DIR:1.0"], "gaya is in this comparison already"),
        (["--adapters", "DIR:0.1,DIR:0.2,DIR:0.3,DIR:0.4"], "not 4"),
        (["--adapters", "DIR:3"], "from 0 to 2"),
        (["--adapters", "DIR+"], "no adapter ''"),
        (["--adapters", "DIR", "--out", "x.gif"], "--out must end in"),
        (["--adapters", "DIR", "--candidates", "-1"], "--candidates"),
        (["--adapters", "DIR", "--steps", "7"], "steps (7)"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(
    flags: list[str],
    says: str,
    folders: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "C.UTF-8")
    flags = [flag.replace("DIR", folders[0]) for flag in flags]
    assert main(["compare", "Halo!", *SHORT, *flags]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert list(tmp_path.iterdir()) == []
