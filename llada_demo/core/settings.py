"""Settings of a process, read from the environment once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llada_demo.core.errors import UserError

ASSETS = Path(__file__).resolve().parents[2] / "assets"
UI = ASSETS / "ui"
EMBEDDED = ASSETS / "model"
ADAPTERS = ASSETS / "adapters"  # of the embedded model, a folder each
EMBEDDED_NAME = "llada-kecil"  # what the embedded model is called on the screen and in records
DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("auto", "bfloat16", "float32")
VOTES = "~/.cache/llada-indonesia/votes.sqlite"
SPACE_DATA = Path("/data")  # on a Hugging Face Space with storage: what outlives a restart


@dataclass(frozen=True)
class Settings:
    """What runs where. `model`: a folder, a hub id, "" for the embedded model, or "auto" (LLaDA-8B-Instruct
    where a GPU has room for it). `max_length`: tokens of prompt and answer together, None = the model's own.
    `public`: anybody may come, as to a Space unless it says otherwise: tighter limits, no adapters from outside.
    `votes`: the SQLite file of blind votes.
    """

    model: str = ""
    adapters: tuple[str, ...] = ()
    device: str = "auto"
    dtype: str = "auto"
    max_length: int | None = None
    public: bool = False
    votes: str = VOTES

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """From LLADA_MODEL, LLADA_ADAPTERS, LLADA_DEVICE, LLADA_DTYPE, LLADA_MAX_LENGTH, LLADA_PUBLIC and LLADA_VOTES.

        Raises UserError naming the variable, its value and what it may be.
        """
        env = os.environ if environ is None else environ
        length = env.get("LLADA_MAX_LENGTH", "").strip()
        if length and not (length.isascii() and length.isdigit() and int(length) >= 32):
            raise UserError(
                f"LLADA_MAX_LENGTH={length!r} harus bilangan bulat mulai dari 32.",
                f"LLADA_MAX_LENGTH={length!r} must be a whole number, 32 or more.",
            )
        return cls(
            model=env.get("LLADA_MODEL", "").strip(),
            adapters=tuple(a.strip() for a in env.get("LLADA_ADAPTERS", "").split(",") if a.strip()),
            device=_choice(env, "LLADA_DEVICE", DEVICES),
            dtype=_choice(env, "LLADA_DTYPE", DTYPES),
            max_length=int(length) if length else None,
            public=_choice(env, "LLADA_PUBLIC", ("1", "0") if env.get("SPACE_ID") else ("0", "1")) == "1",
            votes=env.get("LLADA_VOTES", "").strip() or _votes(env),
        )


def _votes(env: Mapping[str, str]) -> str:
    """Where votes are kept unless LLADA_VOTES says so."""
    return str(SPACE_DATA / "votes.sqlite") if env.get("SPACE_ID") and SPACE_DATA.is_dir() else VOTES


def _choice(env: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = env.get(name, "").strip() or allowed[0]
    if value not in allowed:
        raise UserError(
            f"{name}={value!r} tidak dikenal; pilihannya: {', '.join(allowed)}.",
            f"{name}={value!r} is not known; choose one of: {', '.join(allowed)}.",
        )
    return value
