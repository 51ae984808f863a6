"""From a folder, a zip or a hub id to an adapter that fits the base: cheap checks first, nothing executed.

The base is only looked at, for the names and shapes of its modules. No value of it is read or written.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    HFValidationError,
    HTTPError,  # of the HTTP client that this version of the hub's library uses
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from torch import nn

from llada_demo.adapters import checking
from llada_demo.adapters.checking import Pair, check_keys, find_weights, linears, read_weights, too_large
from llada_demo.adapters.errors import CARD, CONFIG, WEIGHTS, AdapterError, Report, refused, shortened
from llada_demo.adapters.settings import check_base, read_settings
from llada_demo.adapters.unpacking import unpack
from llada_demo.core.files import sha256_of
from llada_demo.model.loading import HUB_ID

FETCHED = (CONFIG, WEIGHTS, CARD)
MAX_CARD_BYTES = 20_000
MAX_NAME = 100  # characters


@dataclass(frozen=True, eq=False)
class Adapter:
    """A LoRA that fits the base: module W becomes W + scaling x B A.

    `weights`: full module name (such as `model.transformer.blocks.0.q_proj`) -> A (rank, in), B (out, rank), float32
    on the CPU, all finite. `scaling`: alpha / rank, or alpha / sqrt(rank) for rsLoRA. `sha256`: of the weights file.
    `base`: the base's name, as the adapter gives it, or None. `card`: its README, at most 20 kB of a stranger's
    text, to be shown as text. `parameters`: numbers in the weights. `report`: its keys beside the base's.
    """

    name: str
    rank: int
    scaling: float
    weights: Mapping[str, Pair] = field(repr=False)
    sha256: str
    base: str | None
    card: str = field(repr=False)
    parameters: int
    report: Report = field(repr=False)


def read_adapter(
    source: str | Path,
    model: nn.Module,
    revision: str | None = None,
    name: str | None = None,
    *,
    base_sha256: str | None = None,
) -> Adapter:
    """The adapter in a folder, a zip, or a hub id "owner/name" (then at `revision`), checked against `model`.

    name: what to call it, at most 100 printable characters; by default the folder's, the zip's, or the hub id.
    base_sha256: the digest of the loaded base; an adapter that says it was trained for another is refused.
    A LoRA on the output head is refused for a model with tied weights, which has no module it could sit on.

    Raises AdapterError, one sentence in two languages, for whatever is missing, damaged or not allowed.
    """
    name = checked_name(name or default_name(source))
    with opened(source, revision, name) as folder:
        modules = linears(model)
        settings = read_settings(folder, name, modules)
        card = read_card(folder)
        check_base(name, settings.base_sha256, card, base_sha256)
        path = find_weights(folder, name)
        report = check_keys(path, name, settings, modules)
        weights = read_weights(path, name, report)
        digest = sha256_of(path)
    return Adapter(
        name=name,
        rank=settings.rank,
        scaling=settings.scaling,
        weights=weights,
        sha256=digest,
        base=settings.base,
        card=card,
        parameters=sum(a.numel() + b.numel() for a, b in weights.values()),
        report=report,
    )


def default_name(source: str | Path) -> str:
    """The folder's name, the zip's without its ending, or the hub id itself."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path.resolve().name
    return path.stem if path.suffix.lower() == ".zip" or path.is_file() else str(source)


def checked_name(name: str) -> str:
    """The name without spaces around it. Raises AdapterError unless it can be shown in one line."""
    plain = name.strip()
    if not plain or len(plain) > MAX_NAME or not plain.isprintable():
        shown = shortened(repr(name))
        raise AdapterError(
            f"Nama adapter harus 1 sampai {MAX_NAME} huruf yang dapat dicetak, bukan {shown}.",
            f"An adapter's name must have 1 to {MAX_NAME} printable characters, not {shown}.",
        )
    return plain


@contextmanager
def opened(source: str | Path, revision: str | None, name: str) -> Iterator[Path]:
    """The folder with the adapter's files. That of a zip is there only inside the `with`."""
    path = Path(source).expanduser()
    if path.is_dir():
        yield path
    elif path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)):
        with tempfile.TemporaryDirectory(prefix="llada-adapter-") as folder:
            unpack(path, Path(folder), name)
            yield Path(folder)
    elif path.exists():
        raise refused(
            name,
            "sumbernya bukan folder dan bukan zip; berikan folder atau zip yang berisi adapter.",
            "its source is neither a folder nor a zip; give the folder or the zip that holds the adapter.",
        )
    elif isinstance(source, Path) or not HUB_ID.fullmatch(source) or source.lower().endswith(".zip"):
        raise refused(
            name,
            f"{source} tidak ada; berikan folder, zip, atau id hub seperti pemilik/nama.",
            f"there is no {source}; give a folder, a zip, or a hub id such as owner/name.",
        )
    else:
        yield fetch(source, revision, name)


def fetch(hub_id: str, revision: str | None, name: str) -> Path:
    """Downloads (or finds in the hub's cache) the three files that are read here, unless they are too large."""
    try:
        refuse_large_download(hub_id, revision, name)
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=list(FETCHED)))
    except GatedRepoError as error:
        raise refused(
            name,
            f"{hub_id} memerlukan izin; minta akses di hub lalu masuk dengan `hf auth login`.",
            f"{hub_id} is gated; ask for access on the hub and sign in with `hf auth login`.",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise refused(
            name,
            f"{hub_id} bukan folder di mesin ini dan bukan adapter yang dikenal hub; periksa ejaannya.",
            f"{hub_id} is neither a folder here nor an adapter that the hub knows; check the spelling.",
        ) from error
    except RevisionNotFoundError as error:
        raise refused(
            name, f"{hub_id} tidak memiliki revisi {revision}.", f"{hub_id} has no revision {revision}."
        ) from error
    except LocalEntryNotFoundError as error:
        raise refused(
            name,
            f"{hub_id} belum diunduh dan hub tidak terjangkau; berikan folder lokal atau zip.",
            f"{hub_id} is not downloaded yet and the hub cannot be reached; give a local folder or a zip.",
        ) from error
    except (HTTPError, OSError) as error:
        reason = shortened(str(error), 200)  # some of them are paragraphs
        raise refused(
            name,
            f"{hub_id} gagal diunduh ({reason}); coba lagi.",
            f"{hub_id} could not be downloaded ({reason}); try again.",
        ) from error


def refuse_large_download(hub_id: str, revision: str | None, name: str) -> None:
    """Raises AdapterError for more bytes than an adapter may have, before they are on the way."""
    try:
        planned = snapshot_download(hub_id, revision=revision, allow_patterns=list(FETCHED), dry_run=True)
    except DryRunError:  # the hub cannot be reached; what the cache holds is measured when it is read
        return
    size = sum(file.file_size or 0 for file in planned if file.will_download) if isinstance(planned, list) else 0
    if size > checking.MAX_WEIGHT_BYTES + checking.MAX_SMALL_BYTES:
        raise too_large(name, size)


def read_card(folder: Path) -> str:
    """The first 20 kB of README.md as text; "" if there is none."""
    path = folder / CARD
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(MAX_CARD_BYTES).decode("utf-8", errors="ignore")
