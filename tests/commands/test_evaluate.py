"""`evaluate`: real answers of the embedded model, counted; adapters against it; and what it says about bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from llada_demo.__main__ import main
from llada_demo.commands import evaluate
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from llada_demo.evaluation import contest
from llada_demo.evaluation.results import read_results


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


# With --adapters


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of the embedded model with random weights."""
    torch.manual_seed(1)
    model = Engine.load(Settings(dtype="float32", device="cpu")).model
    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    folder = tmp_path_factory.mktemp("adapters") / "ngawur"
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture
def judge(adapter: Path) -> Any:
    """judge(out, *flags): the exit code of a small contest."""
    small = ["--dtype", "float32", "--device", "cpu", "--draws", "2", "--count", "3", "--at-once", "2"]
    short = ["--gen-length", "16", "--block-length", "16", "--steps", "4"]
    return lambda out, *flags: main(
        ["evaluate", "--adapters", f"{adapter},ngawur:0.5", "--out", str(out), *small, *short, *flags]
    )


def test_adapters_are_judged_and_a_run_that_was_cut_gives_the_same_result(
    judge: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(tmp_path / "whole.json") == 0
    printed = capsys.readouterr().out
    whole = read_results(tmp_path / "whole.json")
    assert [system["name"] for system in whole["systems"]] == ["base", "ngawur", "ngawur:0.5"]
    assert all(name in printed for name in ("METEOR (exact + stem)", "held-out bits/character", "few: Only 3 examples"))
    assert (
        whole["settings"]["options"] | {"temperature": 0.7, "steps": 4, "gen_length": 16}
        == whole["settings"]["options"]
    )
    lines: list[str] = []

    def cut(line: str) -> None:
        lines.append(line)
        if len(lines) == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(contest, "NEWS", 0.0)
        patched.setattr(evaluate, "_tell", cut)
        assert judge(tmp_path / "cut.json", "--name", "whole") == 1
    assert "are kept" in lines[-1]
    assert [path.name for path in tmp_path.glob("cut*")] == ["cut.partial.jsonl"]
    assert judge(tmp_path / "cut.json", "--name", "whole", "--seed", "9") == 2
    assert "--fresh" in capsys.readouterr().err
    assert judge(tmp_path / "cut.json", "--name", "whole", "--json") == 0
    out, err = capsys.readouterr()
    assert "were finished before" in err
    again = read_results(tmp_path / "cut.json")
    assert json.loads(out) == again
    assert timeless(again) == timeless(whole)
    assert not list(tmp_path.glob("*.partial.jsonl"))


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    """Without what the clock decides."""
    systems = [{key: value for key, value in system.items() if key != "seconds"} for system in document["systems"]]
    model = {key: value for key, value in document["model"].items() if key != "date"}
    return {**document, "date": "", "model": model, "systems": systems}


def test_a_result_holds_what_is_needed_to_judge_it(judge: Any, tmp_path: Path) -> None:
    assert judge(tmp_path / "a.json") == 0
    found = read_results(tmp_path / "a.json")
    assert found["name"] == "a"
    assert found["model"]["sha256"]
    settings = found["settings"]
    assert settings["heldout"]["count"] == 3
    assert settings["seeds"] == {"first": 0, "last": 2}
    assert "version:" in settings["metrics"]["bleu of the set"]
    assert settings["metrics"]["encoder"]["sha256"]
    assert {"sacrebleu", "nltk", "rouge-score", "PySastrawi"} <= settings["versions"].keys()
    base, adapter, half = found["systems"]
    assert 0 < found["random_pair_cosine"] < 1
    for system in (base, adapter, half):
        assert {"rouge1", "bleu_4", "chrf", "meteor", "cosine", "near"} <= system["scores"].keys()
        assert {"bits_per_character", "nats_under_base", "distinct_2", "length_ratio"} <= system["facts"].keys()
        assert {"bleu_1", "bleu_4", "chrf", "f1"} <= system["corpus"].keys()
        score = system["scores"]["rouge1"]
        assert score["mean"] == pytest.approx(sum(score["values"]) / 3, abs=1e-6)
        assert [example["chosen"] for example in system["examples"]] == ["worst"] * 3 + ["even"] * 3
    assert "verdict" not in base
    assert adapter["sha256"] == half["sha256"]
    against, score = adapter["against_base"]["chrf"], adapter["scores"]["chrf"]
    assert against["difference"] == pytest.approx(score["mean"] - base["scores"]["chrf"]["mean"], abs=2e-6)
    assert against["p"] <= against["p_holm"] <= 1
    assert adapter["facts"]["bits_per_character"] != base["facts"]["bits_per_character"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--adapters", "tidak-ada"],
        ["--adapters", ""],
        ["--adapters", "all", "--count", "0"],
        ["--adapters", "ngawur", "--heldout", "a", "--heldout", "b"],
        ["--adapters", "ngawur", "--steps", "33"],
        ["--adapters", "{adapter}", "--heldout", "/no/such/file"],
        ["--adapters", "{adapter}", "--encoder", "/no/such/folder"],
        ["--adapters", "{adapter}", "--out", "/proc/none/a.json"],
        ["--adapters", "{adapter}", "--name", "published"],
    ],
)
def test_bad_input_with_adapters_is_one_sentence(
    flags: list[str], adapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *(flag.format(adapter=adapter) for flag in flags)]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line and "Loading weights" not in line]
    assert len(told) == 1
