"""From a folder or a hub id to a model that can answer: nothing is executed, everything is checked first.

Cheap checks come before dear ones: configuration, the shards' headers and the tokenizer before the digests,
and the digests before a single weight is in memory. The code that a checkpoint may bring along is never
fetched and never run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    HTTPError,  # of the HTTP client that this version of the hub's library uses
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers.utils import logging

from llada_demo.core.errors import ModelError
from llada_demo.core.files import sha256_of
from llada_demo.model.config import LLaDAConfig
from llada_demo.model.network import LLaDAModelLM
from llada_demo.model.tokenizer import LLaDATokenizer
from llada_demo.model.verifying import (
    MANIFEST,
    check_tensors,
    find_shards,
    read_config,
    read_tokenizer,
    refuse_adapter,
    verify_manifest,
)

# What is fetched from the hub: data, never code and never pickles.
FETCHED = (
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    MANIFEST,
)
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class LoadedModel:
    """A verified model, ready to answer: in evaluation mode, without gradients.

    `name`: the hub id, or the folder's name. `sha256`: one digest for the weights (of the shards' hexadecimal
    digests, joined in name order). `bytes`: the size of the shards on disk.
    """

    model: LLaDAModelLM
    tokenizer: LLaDATokenizer
    name: str
    sha256: str
    parameters: int
    bytes: int
    folder: Path


def load_model(
    source: str | Path,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    revision: str | None = None,
) -> LoadedModel:
    """The model in a local folder, or of a hub id "owner/name" (then at `revision`).

    device: "cpu", "cuda", "cuda:1", "mps", or "auto" (spread over what is there). Raises ModelError, one
    sentence in two languages, for whatever is missing, damaged, altered or not implemented.
    """
    folder, name = find_folder(source, revision)
    refuse_adapter(folder)
    config = read_config(folder)
    shards = find_shards(folder)
    check_tensors(shards, config)
    tokenizer = read_tokenizer(folder, config)
    config.mask_token_id, config.eos_token_id = tokenizer.special.mask, tokenizer.special.eos
    digests = {shard.name: sha256_of(shard) for shard in shards}
    verify_manifest(folder, digests)
    model = read_weights(folder, config, device, dtype)
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        name=name,
        sha256=hashlib.sha256("".join(digests[n] for n in sorted(digests)).encode()).hexdigest(),
        parameters=sum(p.numel() for p in model.parameters()),
        bytes=sum(shard.stat().st_size for shard in shards),
        folder=folder,
    )


def find_folder(source: str | Path, revision: str | None = None) -> tuple[Path, str]:
    """The folder of a checkpoint, fetched if `source` is a hub id, and the name to show for it."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder, folder.resolve().name
    if folder.exists():
        raise ModelError(
            f"{source} adalah berkas; berikan folder tempat model itu berada.",
            f"{source} is a file; give the folder that holds the model.",
        )
    if isinstance(source, Path) or not HUB_ID.fullmatch(source):
        raise ModelError(
            f"Folder model {source} tidak ada; berikan folder lain atau id hub seperti pemilik/nama.",
            f"There is no model folder {source}; give another one, or a hub id such as owner/name.",
        )
    return fetch(source, revision), source


def fetch(hub_id: str, revision: str | None) -> Path:
    """Downloads (or finds in the hub's cache) the files of a model that are read here, and no others."""
    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=list(FETCHED), ignore_patterns=["*/*"]))
    except GatedRepoError as error:
        raise ModelError(
            f"Model {hub_id} memerlukan izin; minta akses di hub lalu masuk dengan `hf auth login`.",
            f"The model {hub_id} is gated; ask for access on the hub and sign in with `hf auth login`.",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(
            f"{hub_id} bukan folder di mesin ini dan bukan model yang dikenal hub; periksa ejaannya.",
            f"{hub_id} is neither a folder here nor a model that the hub knows; check the spelling.",
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            f"Model {hub_id} tidak memiliki revisi {revision}.",
            f"The model {hub_id} has no revision {revision}.",
        ) from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"Model {hub_id} belum diunduh dan hub tidak terjangkau; isi LLADA_MODEL dengan folder lokal, "
            "atau kosongkan untuk memakai model bawaan.",
            f"The model {hub_id} is not downloaded yet and the hub cannot be reached; set LLADA_MODEL to a "
            "local folder, or leave it empty for the embedded model.",
        ) from error
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error).split())  # some of them are paragraphs
        raise ModelError(
            f"Model {hub_id} gagal diunduh ({reason}); coba lagi, atau isi LLADA_MODEL dengan folder lokal.",
            f"The model {hub_id} could not be downloaded ({reason}); try again, or set LLADA_MODEL to a local folder.",
        ) from error


def read_weights(folder: Path, config: LLaDAConfig, device: str, dtype: torch.dtype) -> LLaDAModelLM:
    """The network with its weights. It is built without memory and then filled shard by shard."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(
            "Tidak ada GPU CUDA di mesin ini; isi LLADA_DEVICE dengan cpu.",
            "There is no CUDA GPU on this machine; set LLADA_DEVICE to cpu.",
        )
    place = None if device == "cpu" else "auto" if device == "auto" else {"": device}
    try:
        with quiet():
            model = LLaDAModelLM.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                device_map=place,
            )
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"Model di {folder} tidak muat di memori {device}; pilih yang kecil, atau LLADA_DEVICE=cpu.",
            f"The model in {folder} does not fit the memory of {device}; choose a smaller one, or set "
            "LLADA_DEVICE=cpu.",
        ) from error
    model.requires_grad_(False)
    return model.eval()


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of transformers inside (which switches those of the hub too); after it, as before."""
    shown, hub_silent = logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
        if hub_silent:
            disable_progress_bars()
        else:
            enable_progress_bars()
