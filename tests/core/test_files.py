"""Files are whole or not there."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from llada_demo.core.files import sha256_of, write_beside


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deeper" / "model.bin"
    write_beside(path, b"weights")
    assert path.read_bytes() == b"weights"
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_beside(path, b"long and old")
    write_beside(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("crash", [KeyboardInterrupt, OSError("no space left on device"), MemoryError])
def test_a_crash_in_mid_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: Any
) -> None:
    path = tmp_path / "a.json"
    write_beside(path, b"old")
    seen = []

    class HalfWritten(io.FileIO):
        def write(self, data: Any) -> int:
            super().write(data[: len(data) // 2])
            seen.append(sorted(p.read_bytes() for p in tmp_path.iterdir()))
            raise crash

    monkeypatch.setattr(os, "fdopen", HalfWritten)
    with pytest.raises(crash if isinstance(crash, type) else type(crash)):
        write_beside(path, b"new text")
    assert seen == [[b"new ", b"old"]]  # the crash was in the middle, and beside the old file
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.json": b"old"}


def test_a_crash_before_the_rename_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_beside(path, b"old")

    def refuse(*_: Any) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        write_beside(path, b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.json": b"old"}


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 7])
def test_the_digest_is_sha256_of_the_whole_file(tmp_path: Path, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    path = tmp_path / "file"
    path.write_bytes(data)
    assert sha256_of(path) == hashlib.sha256(data).hexdigest()
