"""`finetune`: a whole run from the command line, its stop and continuation, and what it says about bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from llada_demo.__main__ import main
from llada_demo.learning import adapter
from llada_demo.learning.adapter import FILES
from llada_demo.learning.checkpoint import CHECKPOINT, read_checkpoint
from llada_demo.learning.corpus import read_rows
from llada_demo.learning.publish import write_manifest
from llada_demo.learning.vocabulary import save_vocabulary, train_vocabulary
from llada_demo.model import LLaDAConfig, LLaDAModelLM
from llada_demo.model.loading import load_model

QUICK = ("--steps", "6", "--batch-size", "2", "--every", "2", "--device", "cpu")


@pytest.fixture(scope="module")
def rows(root: Path) -> list[dict[str, Any]]:
    return list(islice(read_rows(root / "assets/data/percakapan/sapaan.jsonl"), 20))


@pytest.fixture(scope="module")
def data(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty greetings, one row without an answer, and a ShareGPT row."""
    path = tmp_path_factory.mktemp("data") / "sapaan.jsonl"
    share = {"conversations": [{"role": "user", "content": "Halo"}, {"role": "assistant", "content": "Halo juga."}]}
    lines = [*rows, {"q": ["Apa?"], "a": ""}, share]
    path.write_text("\n".join(json.dumps(row) for row in lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained checkpoint."""
    folder = tmp_path_factory.mktemp("model") / "mungil"
    texts = [text for row in rows for text in row.get("turns", [])]
    ids = save_vocabulary(train_vocabulary(texts, 320), folder).special
    torch.manual_seed(0)
    config = LLaDAConfig(
        d_model=32, n_layers=2, n_heads=2, mlp_hidden_size=64, max_sequence_length=96, vocab_size=320,
        mask_token_id=ids.mask, eos_token_id=ids.eos, pad_token_id=ids.eos,
    )  # fmt: skip
    LLaDAModelLM(config).save_pretrained(folder)
    write_manifest(folder)
    return folder


def command(model: Path, data: Path, out: Path, *flags: str) -> list[str]:
    return ["finetune", "--model", str(model), "--data", str(data), "--out", str(out), *QUICK, *flags]


@pytest.mark.parametrize("recipe", ["published-1", "published-9", "kecil-loraplus-pissa"])
def test_a_recipe_runs_from_data_to_a_folder_that_peft_loads(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str
) -> None:
    base = {path.name: path.read_bytes() for path in model.iterdir()}
    out = tmp_path / "adapterku"
    assert main(command(model, data, out, "--recipe", recipe)) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["steps"] == 6
    lines = [json.loads(line) for line in printed.err.splitlines() if line.startswith("{")]
    assert lines[-1]["done"] == "100.0%"
    assert set(lines[-1]) == {"step", "done", "loss", "heldout", "tokens/s", "left"}
    assert "cutoff_len is now 96" in printed.err
    assert "dropped: 1 (no answer)" in printed.err
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)  # no checkpoint is left, and no pickle
    about = json.loads((out / "training.json").read_text(encoding="utf-8"))
    loaded = load_model(model)
    assert about["base"] == {"name": "mungil", "sha256": loaded.sha256}
    assert (about["name"], about["recipe"], about["data"]["trained"] + about["data"]["held_out"]) == (
        "adapterku", recipe, 21,
    )  # fmt: skip
    assert about["losses"][0]["step"] == 0
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "mungil"
    PeftModel.from_pretrained(loaded.model, str(out))
    assert {path.name: path.read_bytes() for path in model.iterdir()} == base


def test_flags_take_the_place_of_the_recipes_settings(model: Path, data: Path, tmp_path: Path) -> None:
    flags = ("--recipe", "published-4", "--r", "2", "--targets", "v_proj,ff_out", "--learning-rate", "1e-3")
    assert main(command(model, data, tmp_path / "a", *flags, "--name", "Punyaku")) == 0
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["r"] == 2
    blocks = [f"model.transformer.blocks.{i}.ff_out" for i in range(2)]
    assert config["target_modules"] == [*blocks, "v_proj"]
    about = json.loads((tmp_path / "a" / "training.json").read_text())
    assert (about["settings"]["learning_rate"], about["settings"]["alpha"], about["name"]) == (1e-3, 8, "Punyaku")


def test_a_finished_adapter_is_not_overwritten_unasked(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(model, data, tmp_path)) == 0
    before = (tmp_path / FILES[0]).read_bytes()
    capsys.readouterr()
    assert main(command(model, data, tmp_path, "--seed", "1")) == 2
    assert "already" in capsys.readouterr().err
    assert (tmp_path / FILES[0]).read_bytes() == before
    assert main(command(model, data, tmp_path, "--seed", "1", "--fresh")) == 0
    assert (tmp_path / FILES[0]).read_bytes() != before


def test_ctrl_c_saves_first_and_the_same_command_goes_on(
    root: Path, model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    long = command(model, data, out, "--steps", "4000", "--every", "1", "--val-set-size", "0")
    process = subprocess.Popen(
        [sys.executable, "-m", "llada_demo", *long], cwd=root, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stderr
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith('{"step": 3,'):
            process.send_signal(signal.SIGINT)
            break
    rest = process.stderr.read()
    assert process.wait(60) == 1
    assert "the same command continues" in rest
    assert "Traceback" not in rest
    saved = read_checkpoint(out)
    assert saved is not None
    step = saved.about["numbers"]["step"]
    assert f"stopped at step {step};" in rest
    capsys.readouterr()
    assert main([*long, "--fresh", "--steps", "3"]) == 0  # and a fresh start forgets it
    assert f"continues at step {step}" not in capsys.readouterr().err
    assert not (out / CHECKPOINT).exists()


def test_a_disk_that_is_full_at_the_end_loses_nothing(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(adapter, "card", full)
        assert main(command(model, data, tmp_path)) == 2
    assert "No space left" in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    assert main(command(model, data, tmp_path)) == 0
    assert "continues at step 6" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--recipe", "published-10"), "there are: published-1"),
        (("--r", "0"), "r must be at least 1"),
        (("--targets", "o_proj"), "there are: q_proj"),
        (("--every", "0"), "--every must be above 0"),
        (("--dropout", "half"), "dropout must be a number"),
        (("--data", "/no/such/file"), "no .jsonl file"),
        (("--model", "/no/such/model"), "no model folder"),
        (("--out", "/proc/nothing"), "Nothing could be saved"),
        (("--val-set-size", "100"), "holds out all"),
        (("--steps", "3", "--minutes", "1"), "exactly one"),
    ],
)
def test_bad_input_is_one_sentence(
    model: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setenv("LANG", "C")
    assert main([*command(model, data, tmp_path / "a"), *flags]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("cutoff_len", "dropped"))]
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.slow
def test_two_processes_train_as_one_and_only_one_writes(root: Path, model: Path, data: Path, tmp_path: Path) -> None:
    """What `accelerate launch` starts for several GPUs, here on the CPU."""
    out = tmp_path / "dua"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    run = [*launch, "llada_demo", *command(model, data, out, "--recipe", "published-9")]
    done = subprocess.run(run, cwd=root, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    figures = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [(f["steps"], f["processes"]) for f in figures] == [(6, 2)]
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)


@pytest.mark.slow
def test_the_embedded_model_learns_what_it_has_not_seen(root: Path, tmp_path: Path) -> None:
    """The topic that it was not trained on, one minute at most."""
    data = tmp_path / "teknologi.jsonl"
    lines = (root / "assets/data/percakapan/teknologi.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    data.write_text("".join(lines[:80]), encoding="utf-8")
    before = load_model(root / "assets" / "model").sha256
    flags = ["--steps", "20", "--batch-size", "8", "--device", "cpu", "--model", str(root / "assets" / "model")]
    began = time.monotonic()
    for recipe in ("published-1", "kecil-lora"):
        out = tmp_path / recipe
        assert main(["finetune", "--recipe", recipe, "--data", str(data), "--out", str(out), *flags]) == 0
        about = json.loads((out / "training.json").read_text(encoding="utf-8"))
        assert about["base"]["name"] == "llada-kecil"
        assert about["figures"]["heldout_after"] < about["figures"]["heldout_before"]
        assert (out / FILES[0]).stat().st_size < 3_000_000
    assert load_model(root / "assets" / "model").sha256 == before
    assert time.monotonic() - began < 280
