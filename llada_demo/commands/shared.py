"""Flags that several commands have: the sampling options, generated from their metadata, and the model."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from llada_demo.core.errors import OptionsError
from llada_demo.core.options import SamplingOptions, Spec, default
from llada_demo.core.settings import DEVICES, DTYPES, Settings

if TYPE_CHECKING:
    from llada_demo.engine import Engine


def add_option_flags(parser: argparse.ArgumentParser) -> None:
    """One flag for every field of SamplingOptions."""
    group = parser.add_argument_group("sampling")
    for f in fields(SamplingOptions):
        spec: Spec = f.metadata["spec"]
        flag = "--" + f.name.replace("_", "-")
        text = f"{spec.help[1]} (default: {default(f.name)})".replace("%", "%%")
        if spec.kind is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
        elif spec.kind is dict:
            group.add_argument(flag, action="append", metavar="POSITION:WORD", help=text)
        elif spec.choices:
            group.add_argument(flag, choices=spec.choices, help=text)
        else:
            group.add_argument(flag, type=spec.kind, metavar=spec.kind.__name__.upper(), help=text)


def options_of(args: argparse.Namespace) -> SamplingOptions:
    """The options of the flags that were given. Raises OptionsError."""
    given: dict[str, Any] = {f.name: getattr(args, f.name, None) for f in fields(SamplingOptions)}
    given = {name: value for name, value in given.items() if value is not None}
    if "constraints" in given:
        given["constraints"] = dict(_pair(text) for text in given["constraints"])
    return SamplingOptions.from_dict(given)


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """--model, --device, --dtype; without them the environment's settings count."""
    group = parser.add_argument_group("model")
    group.add_argument("--model", help="folder or hub id, or auto (default: LLADA_MODEL, or the embedded model)")
    group.add_argument("--device", choices=DEVICES, help="default: LLADA_DEVICE, or auto")
    group.add_argument("--dtype", choices=DTYPES, help="default: LLADA_DTYPE, or auto (measured)")


def add_adapter_flags(parser: argparse.ArgumentParser) -> None:
    """--adapter and its --scale."""
    parser.add_argument(
        "--adapter", help="answer with this LoRA adapter: a name that is loaded, a folder, a zip, or a hub id"
    )
    parser.add_argument("--scale", type=float, help="how strongly it acts, 0 to 2 (default: 1)")


def adapter_of(engine: Engine, args: argparse.Namespace) -> str | None:
    """Reads the adapter of the flags; what to ask the engine for. Raises UserError."""
    if not args.adapter:
        return None
    name = engine.shelf.find(args.adapter)
    return name if args.scale is None else f"{name}:{args.scale}"


def settings_of(args: argparse.Namespace) -> Settings:
    """The environment's settings, with the flags on top."""
    given = {name: getattr(args, name) for name in ("model", "device", "dtype") if getattr(args, name, None)}
    return dataclasses.replace(Settings.from_environment(), **given)


def engine_of(args: argparse.Namespace) -> Engine:
    """The engine for the flags and the environment."""
    from llada_demo.engine import Engine

    return Engine.load(settings_of(args))


def _pair(text: str) -> tuple[str, str]:
    position, colon, word = text.partition(":")
    if not colon:
        raise OptionsError(
            f"Kata yang ditetapkan ditulis posisi:kata, bukan {text!r}.",
            f"A constraint is written position:word, not {text!r}.",
        )
    return position.strip(), word.strip()
