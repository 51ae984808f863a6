"""Zips: the three plain files, and every trick that an archive can try."""

from __future__ import annotations

import os
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from llada_demo.adapters import AdapterError, checking, read_adapter
from llada_demo.model import LLaDAModelLM

Maker = Callable[..., Path]
Refusal = Callable[..., AdapterError]
Zipped = Callable[..., Path]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Temporary folders of the test; they are empty afterwards, and nothing was written beside them."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())
    assert not list(tmp_path.rglob("jahat*"))


@pytest.fixture
def zipped(by_hand: Maker, tmp_path: Path) -> Zipped:
    """zipped(under, **other entries): a zip of a good adapter, its files under the folder `under`."""

    def made(under: str = "", extra: dict[str, bytes] | None = None, **options: int) -> Path:
        path = tmp_path / "unggahan.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for part in sorted(by_hand("isi").iterdir()):
                file.write(part, under + part.name, options.get("method"))
            for name, data in (extra or {}).items():
                file.writestr(name, data)
        return path

    return made


@pytest.mark.parametrize("under", ["", "adapter-1/"])
def test_files_at_the_top_or_in_one_folder(zipped: Zipped, base: LLaDAModelLM, under: str) -> None:
    extra = {under: b""} if under else {}
    adapter = read_adapter(
        zipped(under, {**extra, f"{under}README.md": b"# Kartu", f"{under}training.json": b"{}"}), base
    )
    assert (adapter.name, adapter.rank, adapter.card) == ("unggahan", 4, "# Kartu")
    assert all(bool(torch.isfinite(t).all()) for pair in adapter.weights.values() for t in pair)


def test_a_zip_under_another_name(zipped: Zipped, base: LLaDAModelLM) -> None:
    path = zipped()
    assert read_adapter(path.rename(path.with_name("unggahan.dat")), base).rank == 4


@pytest.mark.parametrize(
    "name", ["../jahat.txt", "/jahat.txt", "a/../../jahat.txt", "..\\jahat.txt", "C:jahat.txt", "../README.md"]
)
def test_a_path_that_leads_out(zipped: Zipped, refusal: Refusal, name: str) -> None:
    error = refusal(zipped(extra={name: b"x"}))
    assert f"a path that leads out of its folder: {name!r}" in str(error)
    assert "jalur yang keluar" in error.in_language("id")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device(zipped: Zipped, refusal: Refusal, kind: int) -> None:
    path = zipped()
    entry = zipfile.ZipInfo("README.md")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(entry, "/etc/passwd")
    assert "a link or a special file: 'README.md'" in str(refusal(path))


@pytest.mark.parametrize("name", ["jahat.py", "a/README.md", "a/b/README.md", "a/", "tokenizer.json"])
def test_what_is_not_one_of_the_three(zipped: Zipped, refusal: Refusal, name: str) -> None:
    assert f"the zip holds {name!r}; only adapter_config.json" in str(refusal(zipped(extra={name: b"x"})))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice(zipped: Zipped, refusal: Refusal) -> None:
    assert "each once" in str(refusal(zipped(extra={"adapter_config.json": b"{}"})))


def test_a_pickle_in_a_zip(zipped: Zipped, refusal: Refusal) -> None:
    assert "a pickle ('adapter_model.bin')" in str(refusal(zipped(extra={"adapter_model.bin": b"x"})))


def test_many_files(zipped: Zipped, refusal: Refusal) -> None:
    assert "the zip holds 1002 files" in str(refusal(zipped(extra={f"{i}.txt": b"" for i in range(1000)})))


def test_an_empty_zip(tmp_path: Path, refusal: Refusal) -> None:
    with zipfile.ZipFile(tmp_path / "kosong.zip", "w"):
        pass
    assert "there is no adapter_config.json" in str(refusal(tmp_path / "kosong.zip"))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_unusual_compression(zipped: Zipped, refusal: Refusal, method: int) -> None:
    assert "compressed in an unusual way" in str(refusal(zipped(method=method)))


def test_an_encrypted_file(zipped: Zipped, refusal: Refusal) -> None:
    path = zipped()
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "is encrypted" in str(refusal(path))


def test_a_bomb_that_says_so(zipped: Zipped, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_WEIGHT_BYTES", 1 << 20)
    path = zipped(extra={"README.md": b"\0" * (8 << 20)})
    assert path.stat().st_size < 100_000
    assert "too large (8.0 MiB)" in str(refusal(path))


def lie_about_size(path: Path, name: str, size: int) -> None:
    """Writes another uncompressed size for an entry into the archive's directory, which readers believe."""
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    struct.pack_into("<I", data, directory + 24, size)
    path.write_bytes(data)


def test_a_bomb_that_lies(zipped: Zipped, refusal: Refusal) -> None:
    path = zipped(extra={"README.md": b"\0" * (8 << 20)})
    lie_about_size(path, "README.md", 10)
    assert "unggahan.zip is damaged" in str(refusal(path))


def test_bytes_are_counted_whatever_the_archive_says(
    zipped: Zipped, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "MAX_WEIGHT_BYTES", 1 << 20)
    path = zipped(extra={"README.md": b"\0" * (8 << 20)})
    real = zipfile.ZipFile.infolist

    def modest(self: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        entries = [zipfile.ZipInfo.from_file(__file__, entry.filename) for entry in real(self)]
        for entry, true in zip(entries, real(self), strict=True):
            for field in ("compress_type", "flag_bits", "header_offset", "compress_size", "CRC", "orig_filename"):
                setattr(entry, field, getattr(true, field))
            entry.file_size = SmallInSum(true.file_size)
        return entries

    monkeypatch.setattr(zipfile.ZipFile, "infolist", modest)
    assert "too large" in str(refusal(path))


class SmallInSum(int):
    """A size that adds up to nothing: the declared sum is innocent."""

    def __radd__(self, other: int) -> int:
        return other


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_half_downloaded_zip(zipped: Zipped, refusal: Refusal, share: float) -> None:
    path = zipped()
    os.truncate(path, int(path.stat().st_size * share))
    error = refusal(path)
    assert "unggahan.zip is damaged or only half downloaded" in str(error)
    assert "baru terunduh sebagian" in error.in_language("id")


def test_a_bit_that_fell_over(zipped: Zipped, refusal: Refusal) -> None:
    path = zipped(method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[path.stat().st_size // 2] ^= 1
    path.write_bytes(data)
    assert "unggahan.zip is damaged" in str(refusal(path))


def test_no_room_to_unpack(zipped: Zipped, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/tmp/rahasia")

    path = zipped()
    monkeypatch.setattr(zipfile.ZipFile, "open", full)
    said = str(refusal(path))
    assert "No space left on device" in said
    assert "rahasia" not in said
