"""Where adapters come from: folder, zip, hub; what of them is kept; and what a broken file says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import torch
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from torch import Tensor

from llada_demo.adapters import AdapterError, checking, read_adapter, reading
from llada_demo.core.files import sha256_of
from llada_demo.model import LLaDAModelLM

Maker = Callable[..., Path]
Refusal = Callable[..., AdapterError]


def test_a_worked_example(by_hand: Maker, base: LLaDAModelLM) -> None:
    folder = by_hand("teknologi", ("q_proj",), rank=2, base_model_name_or_path="LLaDA-Mini")
    (folder / "README.md").write_text("# Adapter teknologi", encoding="utf-8")
    adapter = read_adapter(folder, base)
    assert (adapter.name, adapter.rank, adapter.scaling) == ("teknologi", 2, 4.0)
    assert (adapter.base, adapter.card) == ("LLaDA-Mini", "# Adapter teknologi")
    assert adapter.sha256 == sha256_of(folder / "adapter_model.safetensors")
    assert list(adapter.weights) == [f"model.transformer.blocks.{i}.q_proj" for i in (0, 1)]
    a, b = adapter.weights["model.transformer.blocks.1.q_proj"]
    assert (a.shape, b.shape) == ((2, 32), (32, 2))
    assert adapter.parameters == 2 * (2 * 32 + 32 * 2)
    assert len(adapter.report.matched) == 4
    assert not adapter.report.unmatched
    assert not adapter.report.missing


def test_half_precision_becomes_float32(by_hand: Maker, base: LLaDAModelLM, retouch: Callable[..., None]) -> None:
    folder = by_hand()

    def halve(tensors: dict[str, Tensor]) -> None:
        for i, name in enumerate(tensors):
            tensors[name] = tensors[name].to((torch.float16, torch.bfloat16, torch.float64)[i % 3])

    retouch(folder, halve)
    assert {t.dtype for pair in read_adapter(folder, base).weights.values() for t in pair} == {torch.float32}


def test_the_weights_do_not_hang_on_the_file(by_hand: Maker, base: LLaDAModelLM) -> None:
    folder = by_hand()
    adapter = read_adapter(folder, base)
    before = {name: a.clone() for name, (a, _) in adapter.weights.items()}
    path = folder / "adapter_model.safetensors"
    with path.open("r+b") as file:  # in place: a view of the file would see it
        file.write(b"\0" * path.stat().st_size)
    assert all(torch.equal(adapter.weights[name][0], a) for name, a in before.items())


def test_a_card_is_cut_and_bad_text_in_it_does_no_harm(by_hand: Maker, base: LLaDAModelLM) -> None:
    folder = by_hand()
    (folder / "README.md").write_bytes(b"\xff" + "é".encode() * 20_000)
    card = read_adapter(folder, base).card
    assert set(card) == {"é"}
    assert len(card.encode()) <= 20_000


def test_a_name_of_ones_own(by_hand: Maker, base: LLaDAModelLM) -> None:
    assert read_adapter(by_hand("x"), base, name=" pantun ").name == "pantun"


@pytest.mark.parametrize("name", ["   ", "a\nb", "a" * 101, "\u202egnp"])
def test_a_name_that_cannot_be_shown(by_hand: Maker, refusal: Refusal, name: str) -> None:
    assert "printable" in str(refusal(by_hand(), name=name))


def test_sources_that_are_no_adapter(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"x")
    assert "neither a folder nor a zip" in str(refusal(tmp_path / "x.safetensors"))
    assert "there is no" in str(refusal(tmp_path / "tidak-ada"))
    assert "there is no tidak-ada" in str(refusal("tidak-ada"))
    assert "there is no unggahan/adapter.zip" in str(refusal("unggahan/adapter.zip"))


def test_an_empty_folder_and_one_without_weights(tmp_path: Path, by_hand: Maker, refusal: Refusal) -> None:
    (tmp_path / "kosong").mkdir()
    assert "there is no adapter_config.json" in str(refusal(tmp_path / "kosong"))
    folder = by_hand()
    (folder / "adapter_model.safetensors").unlink()
    assert "there is no adapter_model.safetensors" in str(refusal(folder))


def test_a_bin_alone_is_refused_as_a_pickle_and_never_opened(by_hand: Maker, refusal: Refusal) -> None:
    folder = by_hand()
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(b"not opened")
    error = refusal(folder)
    assert "adapter_model.bin" in str(error)
    assert "can run code" in str(error)
    assert "dapat menjalankan kode" in error.in_language("id")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_half_downloaded_weights(by_hand: Maker, refusal: Refusal, share: float) -> None:
    path = by_hand() / "adapter_model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    error = refusal(path.parent)
    assert "adapter_model.safetensors is damaged or only half downloaded" in str(error)
    assert "baru terunduh sebagian" in error.in_language("id")


def test_weights_over_the_limit_are_not_opened(
    by_hand: Maker, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "MAX_WEIGHT_BYTES", 1000)
    monkeypatch.setattr(checking, "safe_open", None)
    assert "too large" in str(refusal(by_hand()))


# The base that it was trained for


@pytest.mark.parametrize("place", ["field", "llada_demo", "card"])
def test_another_base_is_refused_and_the_right_one_is_not(
    by_hand: Maker, base: LLaDAModelLM, refusal: Refusal, place: str
) -> None:
    ours, other = "a1" * 32, "b2" * 32
    fields = {"field": {"base_sha256": ours}, "llada_demo": {"llada_demo": {"base_sha256": ours}}, "card": {}}
    folder = by_hand(**fields[place])
    if place == "card":
        (folder / "README.md").write_text(f"---\ntags: [lora]\nbase_sha256: {ours}\n---\n\nbase_sha256: {other}\n")
    assert read_adapter(folder, base, base_sha256=ours).rank == 4
    assert read_adapter(folder, base).rank == 4  # the base's digest is not known
    error = refusal(folder, base_sha256=other)
    assert "another base (sha256 a1a1" in str(error)
    assert "model dasar lain" in error.in_language("id")


@pytest.mark.parametrize("digest", ["abc", 5, "A" * 64, ["a1" * 32]])
def test_a_base_digest_that_is_none(by_hand: Maker, refusal: Refusal, digest: Any) -> None:
    assert "base_sha256 in adapter_config.json" in str(refusal(by_hand(base_sha256=digest)))


def test_a_base_of_another_size(by_hand: Maker, build: Callable[..., LLaDAModelLM], refusal: Refusal) -> None:
    error = refusal(by_hand(), build(d_model=16))
    assert "of another shape: 8 (" in str(error)
    assert "[4, 32] != [4, 16]" in str(error)


# The hub, without the network


class Hub:
    """Stands in for snapshot_download: what it was asked, and what it answers."""

    def __init__(self, answer: Any, sizes: Any = (100,)) -> None:
        self.answer, self.sizes = answer, sizes
        self.asked: list[dict[str, Any]] = []

    def __call__(self, hub_id: str, **options: Any) -> Any:
        self.asked.append({"hub_id": hub_id, **options})
        if options.get("dry_run"):
            if isinstance(self.sizes, Exception):
                raise self.sizes
            return [SimpleNamespace(file_size=size, will_download=True) for size in self.sizes]
        if isinstance(self.answer, Exception):
            raise self.answer
        return str(self.answer)


def test_a_hub_id_fetches_three_files_at_a_revision(
    by_hand: Maker, base: LLaDAModelLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(by_hand())
    monkeypatch.setattr(reading, "snapshot_download", hub)
    assert read_adapter("mahasiswa/adapter-1", base, revision="v2").name == "mahasiswa/adapter-1"
    files = ["adapter_config.json", "adapter_model.safetensors", "README.md"]
    asked = {"hub_id": "mahasiswa/adapter-1", "revision": "v2", "allow_patterns": files}
    assert hub.asked == [asked | {"dry_run": True}, asked]


def test_a_folder_in_the_hubs_cache_is_of_links(
    by_hand: Maker, base: LLaDAModelLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = by_hand(), tmp_path / "cache"
    cache.mkdir()
    for path in folder.iterdir():
        (cache / path.name).symlink_to(path)
    monkeypatch.setattr(reading, "snapshot_download", Hub(cache, DryRunError("offline")))
    assert read_adapter("mahasiswa/adapter-1", base).rank == 4


def test_a_large_adapter_is_not_downloaded(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(AssertionError("downloaded"), (1000, 1 << 40, None))
    monkeypatch.setattr(reading, "snapshot_download", hub)
    assert "too large (1,048,576.0 MiB)" in str(refusal("mahasiswa/adapter-1"))


def answer(status: int) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co"))


def test_what_the_hub_can_say(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, said in (
        (GatedRepoError("x", response=answer(403)), "gated"),
        (RepositoryNotFoundError("x", response=answer(404)), "nor an adapter that the hub knows"),
        (RevisionNotFoundError("x", response=answer(404)), "has no revision v9"),
        (LocalEntryNotFoundError("x"), "not downloaded yet"),
        (OSError("No space left on device"), "could not be downloaded (No space left on device)"),
    ):
        monkeypatch.setattr(reading, "snapshot_download", Hub(error))
        assert said in str(refusal("mahasiswa/adapter-1", revision="v9"))


def test_a_local_folder_comes_before_the_hub(
    by_hand: Maker, base: LLaDAModelLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pemilik").mkdir()
    shutil.move(by_hand(), tmp_path / "pemilik" / "adapter")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, "snapshot_download", Hub(AssertionError("asked the hub")))
    assert read_adapter("pemilik/adapter", base).name == "adapter"
