"""Damage: each way in which a checkpoint can be broken has its own sentence, before a weight is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import VOCABULARY_SIZE

from llada_demo.core.errors import ModelError
from llada_demo.core.files import sha256_of
from llada_demo.learning.publish import write_manifest
from llada_demo.model import LLaDAModelLM, loading, verifying
from llada_demo.model.loading import load_model
from llada_demo.model.verifying import check_tensors, find_shards, read_config

HEAD = "model.transformer.ff_out.weight"


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this file every fault must be found before the weights are read."""

    def read(*_: object) -> LLaDAModelLM:
        raise AssertionError("the weights were read")

    monkeypatch.setattr(loading, "read_weights", read)


def refusal(folder: Path) -> str:
    """Indonesian and English sentence of the ModelError, with a space between them."""
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    return f"{caught.value.in_language('id')} {caught.value.in_language('en')}"


def again(said: str) -> bool:
    """Whether both sentences say to download the model again."""
    return "unduh ulang" in said and "download the model again" in said


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes a JSON file of the checkpoint, whose manifest then is gone."""
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    (path.parent / "sha256.json").unlink(missing_ok=True)


def shard_with(folder: Path, name: str) -> Path:
    """The shard that holds a tensor."""
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    return folder / index["weight_map"][name]


def change_tensors(shard: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(shard)
    change(tensors)
    save_file(tensors, shard, metadata={"format": "pt"})


# config.json


def test_a_missing_configuration(checkpoint: Path) -> None:
    (checkpoint / "config.json").unlink()
    said = refusal(checkpoint)
    assert "There is no config.json" in said
    assert again(said)


@pytest.mark.parametrize("text", ["", '{"model_type": "lla', "[1, 2]", "\ufeff{}", "[" * 100_000])
def test_a_damaged_configuration(checkpoint: Path, text: str) -> None:
    (checkpoint / "config.json").write_text(text, encoding="utf-8")
    said = refusal(checkpoint)
    assert "config.json is damaged" in said
    assert again(said)


def test_bytes_that_are_no_text_in_the_configuration(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_bytes(b"\xff\xfe\x00")
    assert "config.json is damaged" in refusal(checkpoint)


@pytest.mark.parametrize("kind", ["llama", None, ["llada"]])
def test_another_type_of_model_is_named(checkpoint: Path, kind: Any) -> None:
    edit(checkpoint / "config.json", lambda c: c.update(model_type=kind))
    said = refusal(checkpoint)
    assert said.count(repr(kind)) == 2
    assert "only 'llada' is supported" in said


def test_fields_that_are_not_implemented_are_all_named(checkpoint: Path) -> None:
    edit(checkpoint / "config.json", lambda c: c.update(alibi=True, block_type="sequential"))
    said = refusal(checkpoint)
    assert said.count("alibi=True, block_type='sequential'") == 2


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ({"d_model": "32"}, "d_model='32'"),
        ({"n_heads": None}, "n_heads=None"),
        ({"mlp_ratio": 2.5, "mlp_hidden_size": None}, "mlp_hidden_size=80.0"),
        ({"mlp_ratio": "besar", "mlp_hidden_size": None, "d_model": 1.5}, "config.json is damaged"),
    ],
)
def test_sizes_that_are_no_numbers(checkpoint: Path, field: dict[str, Any], named: str) -> None:
    edit(checkpoint / "config.json", lambda c: c.update(field))
    assert named in refusal(checkpoint)


def test_an_adapter_is_refused_alone_and_beside_a_model(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "adapter_config.json").write_text('{"base_model_name_or_path": "lain/model"}')
    assert "LLADA_ADAPTERS" in refusal(checkpoint)
    alone = tmp_path / "adapter"
    alone.mkdir()
    (alone / "adapter_model.safetensors").touch()
    assert "LLADA_ADAPTERS" in refusal(alone)


# The shards


def test_a_folder_with_only_pickles_is_refused_and_says_why(checkpoint: Path) -> None:
    for path in checkpoint.glob("*.safetensors*"):
        path.unlink()
    (checkpoint / "pytorch_model.bin").write_bytes(b"not opened")
    said = refusal(checkpoint)
    assert said.count("pytorch_model.bin") == 2
    assert "can run code" in said
    assert "dapat menjalankan kode" in said


def test_a_folder_without_weights(checkpoint: Path) -> None:
    for path in checkpoint.glob("*.safetensors*"):
        path.unlink()
    assert "There is no model.safetensors" in refusal(checkpoint)


def test_a_shard_that_the_index_names_and_that_is_not_there(checkpoint: Path) -> None:
    shard = find_shards(checkpoint)[1]
    shard.unlink()
    said = refusal(checkpoint)
    assert said.count(shard.name) == 2
    assert again(said)


@pytest.mark.parametrize("left", [0, 5, 200, -1], ids=["empty", "5 bytes", "in the header", "one byte short"])
def test_a_truncated_shard_is_named(checkpoint: Path, left: int) -> None:
    shard = find_shards(checkpoint)[-1]
    shard.write_bytes(shard.read_bytes()[:left])
    said = refusal(checkpoint)
    assert said.count(shard.name) == 2
    assert again(said)


def test_a_pointer_in_place_of_the_shard(checkpoint: Path) -> None:
    shard = find_shards(checkpoint)[0]
    shard.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert f"{shard.name} is damaged" in refusal(checkpoint)


@pytest.mark.parametrize(
    "places",
    [None, {}, [], {HEAD: "../di-luar.safetensors"}, {HEAD: "/etc/passwd"}, {HEAD: 5}],
)
def test_an_index_that_names_no_files_of_the_folder(checkpoint: Path, places: Any) -> None:
    edit(checkpoint / "model.safetensors.index.json", lambda index: index.update(weight_map=places))
    assert "model.safetensors.index.json is damaged" in refusal(checkpoint)


# Their tensors


def test_missing_tensors_are_named_and_counted(checkpoint: Path) -> None:
    for shard in find_shards(checkpoint):
        change_tensors(shard, lambda t: [t.pop(n) for n in list(t) if "blocks.1." in n])
    said = refusal(checkpoint)
    first = [f"model.transformer.blocks.1.{part}.weight" for part in ("attn_norm", "q_proj", "k_proj")]
    assert f"Tensors missing: 9 ({', '.join(first)}, …)." in said
    assert "hilang: 9" in said


def test_unexpected_tensors_are_named(checkpoint: Path) -> None:
    extra = {"model.transformer.wpe.weight": torch.zeros(2, 2)}
    change_tensors(find_shards(checkpoint)[0], lambda t: t.update(extra))
    assert "unexpected: 1 (model.transformer.wpe.weight)." in refusal(checkpoint)


def test_tensors_of_another_shape_are_named_with_both_shapes(checkpoint: Path) -> None:
    change_tensors(shard_with(checkpoint, HEAD), lambda t: t.update({HEAD: torch.zeros(7, 32)}))
    assert f"of another shape: 1 ({HEAD} [7, 32] != [{VOCABULARY_SIZE}, 32])." in refusal(checkpoint)


def test_tensors_that_are_no_floats_are_named(checkpoint: Path) -> None:
    whole = torch.zeros(VOCABULARY_SIZE, 32, dtype=torch.int8)
    change_tensors(shard_with(checkpoint, HEAD), lambda t: t.update({HEAD: whole}))
    assert f"of another type: 1 ({HEAD} I8)." in refusal(checkpoint)


def test_every_kind_of_misfit_is_said_at_once(checkpoint: Path) -> None:
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        tensors["lain"] = tensors.pop(HEAD)

    change_tensors(shard_with(checkpoint, HEAD), spoil)
    said = refusal(checkpoint)
    assert f"missing: 1 ({HEAD}); unexpected: 1 (lain)" in said


def test_an_output_matrix_in_a_tied_checkpoint_is_unexpected(checkpoint: Path) -> None:
    edit(checkpoint / "config.json", lambda c: c.update(weight_tying=True))
    assert f"unexpected: 1 ({HEAD})" in refusal(checkpoint)


# Tokenizer


def test_a_tokenizer_with_more_ids_than_the_embedding_has_rows(checkpoint: Path) -> None:
    edit(
        checkpoint / "tokenizer.json",
        lambda t: t["added_tokens"].append(t["added_tokens"][-1] | {"id": 400, "content": "<|x|>"}),
    )
    said = refusal(checkpoint)
    assert "has 401 tokens" in said
    assert "only 400 rows" in said


@pytest.mark.parametrize("field", ["mask_token_id", "eos_token_id"])
def test_a_special_id_beyond_the_embedding(checkpoint: Path, field: str) -> None:
    edit(checkpoint / "config.json", lambda c: c.update({field: VOCABULARY_SIZE}))
    assert "has 401 tokens" in refusal(checkpoint)


def test_a_missing_and_a_damaged_tokenizer(checkpoint: Path) -> None:
    path = checkpoint / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    assert "tokenizer.json is damaged" in refusal(checkpoint)
    path.unlink()
    assert "no tokenizer.json" in refusal(checkpoint)


# The manifest


def flip_last_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("pattern", ["*-00002-of-*.safetensors", "config.json", "tokenizer.json", "*.index.json"])
def test_an_altered_file_is_named(checkpoint: Path, pattern: str) -> None:
    path = next(checkpoint.glob(pattern))
    if path.suffix == ".json":
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    else:
        flip_last_bit(path)
    said = refusal(checkpoint)
    assert f"{path.name} in {checkpoint} was altered" in said
    assert f"Berkas {path.name} di {checkpoint} berubah" in said
    assert again(said)


def test_a_shard_that_the_manifest_does_not_list_counts_as_altered(checkpoint: Path) -> None:
    manifest = json.loads((checkpoint / "sha256.json").read_text())
    shard = find_shards(checkpoint)[0].name
    del manifest[shard]
    (checkpoint / "sha256.json").write_text(json.dumps(manifest))
    assert f"{shard} in {checkpoint} was altered" in refusal(checkpoint)


@pytest.mark.parametrize("name", ["hilang.json", "../di-luar.json", "/etc/hostname", ".."])
def test_a_manifest_that_lists_what_is_not_in_the_folder(checkpoint: Path, name: str) -> None:
    manifest = json.loads((checkpoint / "sha256.json").read_text())
    (checkpoint / "sha256.json").write_text(json.dumps(manifest | {name: "0" * 64}))
    (checkpoint.parent / "di-luar.json").write_text("{}")
    assert "There is no" in refusal(checkpoint)


def test_a_damaged_manifest(checkpoint: Path) -> None:
    (checkpoint / "sha256.json").write_text("{")
    assert "sha256.json is damaged" in refusal(checkpoint)


def test_every_digest_is_computed_once(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(path: Path) -> str:
        read.append(path.name)
        return sha256_of(path)

    for module in (loading, verifying):
        monkeypatch.setattr(module, "sha256_of", counted)
    with pytest.raises(AssertionError, match="the weights were read"):
        load_model(checkpoint)
    assert sorted(read) == sorted(json.loads((checkpoint / "sha256.json").read_text()))


def test_a_whole_checkpoint_passes_every_check(checkpoint: Path) -> None:
    write_manifest(checkpoint)
    check_tensors(find_shards(checkpoint), read_config(checkpoint))
    with pytest.raises(AssertionError, match="the weights were read"):
        load_model(checkpoint)
