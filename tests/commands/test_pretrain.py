"""`pretrain`: a folder with a whole model, and a twin that shares its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llada_demo.__main__ import main
from llada_demo.core.settings import EMBEDDED
from llada_demo.model.loading import load_model

RECIPE = {
    "model": {"d_model": 32, "n_layers": 2, "n_heads": 2, "mlp_hidden_size": 64, "weight_tying": True,
              "max_sequence_length": 128, "rope_theta": 10000.0},
    "vocab_size": 280,
    "minutes": 0.03,
    "batch_tokens": 512,
    "phases": [{"kind": "causal", "share": 1.0, "rows": {"max_length": 128}}],
}  # fmt: skip


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    data = tmp_path / "data"
    data.mkdir()
    rows = [{"q": [f"Berapa {n}?", f"berapa {n}"], "a": f"Itu {n}, bilangan ke-{n}."} for n in range(60)]
    (data / "angka.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(RECIPE), encoding="utf-8")
    return ["pretrain", "--recipe", str(recipe), "--data", str(data), "--no-compile", "--threads", "1"]


def test_a_model_that_loads_comes_out(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*flags, "--out", str(tmp_path / "model")]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] > 0
    assert load_model(tmp_path / "model").tokenizer.size <= 280


def test_a_twin_takes_the_tokenizer_of_another_model(flags: list[str], tmp_path: Path) -> None:
    assert main([*flags, "--tokenizer", str(EMBEDDED), "--out", str(tmp_path / "twin")]) == 2  # of another size
    (tmp_path / "recipe.json").write_text(json.dumps({**RECIPE, "vocab_size": 8192}), encoding="utf-8")
    assert main([*flags, "--tokenizer", str(EMBEDDED), "--out", str(tmp_path / "twin")]) == 0
    ours, theirs = ((folder / "tokenizer.json").read_bytes() for folder in (EMBEDDED, tmp_path / "twin"))
    assert ours == theirs
    assert load_model(tmp_path / "twin").model.config.embedding_size >= 8000
