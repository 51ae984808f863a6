"""A zip that somebody sent: three plain files are taken out of it, by counted bytes, or nothing is.

What is written is named by us, never by the archive, so that no path in it can lead anywhere.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from llada_demo.adapters import checking
from llada_demo.adapters.checking import too_large
from llada_demo.adapters.errors import CARD, CONFIG, WEIGHTS, AdapterError, a_pickle, damaged, listed, refused
from llada_demo.model.verifying import PICKLES

FILES = (CONFIG, WEIGHTS, CARD)
SKIPPED = ("training.json", ".gitattributes")  # what our own trainer and the hub put beside them; not unpacked
MAX_ENTRIES = 16
PIECE = 1 << 20  # bytes that are unpacked at once
ENCRYPTED = 0x1


def unpack(archive: Path, folder: Path, name: str) -> None:
    """Writes the adapter's files that are in `archive` into `folder`. Raises AdapterError for any other archive."""
    try:
        with zipfile.ZipFile(archive) as file:
            left = checking.MAX_WEIGHT_BYTES + checking.MAX_SMALL_BYTES
            for plain, entry in choose(file.infolist(), name, left).items():
                left -= _copy(file, entry, folder / plain, left, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise damaged(name, archive.name, error) from error


def choose(entries: Sequence[zipfile.ZipInfo], name: str, most: int) -> dict[str, zipfile.ZipInfo]:
    """Plain file name -> its entry. `most`: bytes that all of them may have together, as they say themselves.

    The files stand at the top or in one folder. Raises AdapterError naming the first entry that does not.
    """
    if len(entries) > MAX_ENTRIES:
        raise refused(
            name,
            f"zip berisi {len(entries)} berkas; yang dibaca hanya {', '.join(FILES)}.",
            f"the zip holds {len(entries)} files; only {', '.join(FILES)} are read.",
        )
    chosen: dict[str, zipfile.ZipInfo] = {}
    folders: set[tuple[str, ...]] = set()
    for entry in entries:
        _refuse_trick(entry, name)
        parts = PurePosixPath(entry.filename).parts
        folder, plain = (parts, "") if entry.is_dir() else (parts[:-1], parts[-1])
        folders.add(folder)
        if len(folder) > 1 or len(folders) > 1 or plain in chosen or plain not in ("", *FILES, *SKIPPED):
            raise _not_one_of_ours(entry, name)
        if plain in FILES:
            chosen[plain] = entry
    size = sum(entry.file_size for entry in chosen.values())
    if size > most:
        raise too_large(name, size)
    return chosen


def _refuse_trick(entry: zipfile.ZipInfo, name: str) -> None:
    """Raises AdapterError for a path that leads out, a link or device, an encrypted or unusual entry."""
    path, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or ":" in path:
        raise refused(
            name,
            f"zip memuat jalur yang keluar dari foldernya: {listed([repr(path)])}.",
            f"the zip holds a path that leads out of its folder: {listed([repr(path)])}.",
        )
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refused(
            name,
            f"zip memuat tautan atau berkas khusus: {listed([repr(path)])}.",
            f"the zip holds a link or a special file: {listed([repr(path)])}.",
        )
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise refused(
            name,
            f"{listed([repr(path)])} di dalam zip tersandi atau dimampatkan secara tidak biasa; buat zip biasa.",
            f"{listed([repr(path)])} in the zip is encrypted or compressed in an unusual way; make a plain zip.",
        )


def _not_one_of_ours(entry: zipfile.ZipInfo, name: str) -> AdapterError:
    if PurePosixPath(entry.filename).suffix in PICKLES:
        return a_pickle(name, repr(entry.filename))
    path, ours = listed([repr(entry.filename)]), ", ".join(FILES)
    return refused(
        name,
        f"zip memuat {path}; yang diterima hanya {ours}, masing-masing sekali, di atas atau di satu folder.",
        f"the zip holds {path}; only {ours} are accepted, each once, at the top or in one folder.",
    )


def _copy(file: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most: int, name: str) -> int:
    """Unpacks one entry and returns its bytes. The count is ours: what the archive says may be a lie."""
    count = 0
    with file.open(entry) as packed, target.open("wb") as plain:
        while piece := packed.read(PIECE):
            count += len(piece)
            if count > most:
                raise too_large(name, count)
            plain.write(piece)
    return count
