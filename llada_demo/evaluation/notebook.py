"""Long work that may be cut: every finished piece is appended to a file, and a later run takes it from there."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llada_demo.core.errors import UserError

FORMAT = "llada-indonesia-partial"
Key = tuple[str, str, int]  # (kind, system, example)


class Notebook:
    """What is finished of a piece of work, by (kind, system, example); safe to use from many threads.

    The first line of the file holds the digest of the settings; a last line that was cut off is dropped.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], fresh: bool = False) -> None:
        """fresh: forget what is there. Raises UserError where the file belongs to other settings, is none of
        ours, or cannot be written."""
        self.path = path
        self._lock = threading.Lock()
        self._done: dict[Key, Any] = {}
        head = {"format": FORMAT, "settings": digest(settings)}
        try:
            if not fresh and path.exists():
                self._read(head)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(head) + "\n", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def __contains__(self, key: Key) -> bool:
        return key in self._done

    def __getitem__(self, key: Key) -> Any:
        return self._done[key]

    def __len__(self) -> int:
        return len(self._done)

    def add(self, key: Key, value: Any) -> None:
        """Appends a finished piece. Raises UserError where the disk refuses."""
        line = json.dumps([*key, value], ensure_ascii=False) + "\n"
        with self._lock:
            try:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(line)
            except OSError as error:
                raise self._unwritable(error) from error
            self._done[key] = value

    def discard(self) -> None:
        """Removes the file: the work is done and stands elsewhere."""
        self.path.unlink(missing_ok=True)

    def _read(self, head: Mapping[str, Any]) -> None:
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            first, *rows = [json.loads(line) for line in whole.decode("utf-8").splitlines()]
            found = {(kind, system, example): value for kind, system, example, value in rows}
        except (ValueError, TypeError):
            first, found = None, {}
        if first != head:
            raise UserError(
                f"{self.path.name} berasal dari pengukuran dengan pengaturan lain; "
                "pakai pengaturan itu lagi, --out lain, atau --fresh untuk mulai dari awal.",
                f"{self.path.name} was begun with other settings; "
                "use those again, another --out, or --fresh to start anew.",
            )
        if len(whole) < len(data):
            self.path.write_bytes(whole)
        self._done = found

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"{self.path} tidak dapat ditulis ({error.strerror}); pilih --out lain.",
            f"{self.path} cannot be written ({error.strerror}); choose another --out.",
        )


def digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings as canonical JSON."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
