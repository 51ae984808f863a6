"""`python -m llada_demo finetune`: train an adapter. `accelerate launch -m llada_demo finetune` takes several GPUs."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llada_demo.core.errors import UserError
from llada_demo.core.settings import DEVICES, EMBEDDED, EMBEDDED_NAME, Settings

if TYPE_CHECKING:
    from accelerate import Accelerator

    from llada_demo.learning.finetune import Tuner
    from llada_demo.learning.tuning import FinetuneSettings
    from llada_demo.model.loading import LoadedModel

HELP = "train a LoRA adapter on question-and-answer rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from llada_demo.learning.tuning import FinetuneSettings, recipe_names

    parser.add_argument("--recipe", help=f"a JSON file, or one of: {', '.join(recipe_names())}")
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="JSONL file, or a folder of them; repeat for several"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the finished adapter")
    parser.add_argument("--name", help="what the card calls it (default: the folder's name)")
    parser.add_argument("--model", help="folder or hub id of the base (default: LLADA_MODEL, or the embedded model)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--fresh", action="store_true", help="start anew where a checkpoint or an adapter is there")
    parser.add_argument("--every", type=int, default=10, help="steps between two lines of the log (default: 10)")
    parser.add_argument("--save-every", type=float, default=300.0, help="seconds between checkpoints (default: 300)")
    group = parser.add_argument_group("settings", "each takes the place of the recipe's")
    for f in fields(FinetuneSettings):
        if f.name != "note":
            choices = f" ({', '.join(f.metadata['choices'])})" if f.metadata["choices"] else ""
            text = f"{f.metadata['help']}{choices}; default: {_shown(f.default)}".replace("%", "%%")
            group.add_argument("--" + f.name.replace("_", "-"), metavar=_kind(str(f.type)), help=text)


def run(args: argparse.Namespace) -> int:
    import torch

    from llada_demo.learning.adapter import check_writable
    from llada_demo.learning.checkpoint import forget

    recipe = settings_of(args)
    if args.threads:
        torch.set_num_threads(args.threads)
    accelerator = accelerator_of(args.device)
    main = accelerator.is_main_process
    if main:
        check_writable(args.out)
        refuse_other_adapter(args)
        if args.fresh:
            forget(args.out)
    accelerator.wait_for_everyone()
    tuner, about = prepare(args, recipe, accelerator)
    if main and tuner.step:
        print(f"continues at step {tuner.step}", file=sys.stderr)
    with asked_to_stop() as stopping:
        try:
            train(tuner, args, stopping, main)
        except KeyboardInterrupt:
            if main:
                print(f"stopped at step {tuner.step}; the same command continues", file=sys.stderr)
            return 1
    if main:
        finish(tuner, args.out, about)
        forget(args.out)
        print(json.dumps(tuner.figures()))
    accelerator.wait_for_everyone()
    return 0


def settings_of(args: argparse.Namespace) -> FinetuneSettings:
    """The recipe's settings with the flags in their places. Raises UserError."""
    from llada_demo.learning.tuning import FinetuneSettings, parse_flag, read_recipe

    recipe = read_recipe(args.recipe) if args.recipe else FinetuneSettings()
    given = {f.name: getattr(args, f.name) for f in fields(FinetuneSettings) if getattr(args, f.name, None) is not None}
    for name in ("every", "save_every"):
        if getattr(args, name) <= 0:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} harus lebih dari 0.", f"{flag} must be above 0.")
    return recipe.changed(**{name: parse_flag(name, text) for name, text in given.items()})


def accelerator_of(device: str) -> Accelerator:
    """The processes and the device. Raises UserError where a GPU is asked for and none is there."""
    import torch
    from accelerate import Accelerator

    if device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "Tidak ada GPU CUDA di mesin ini; beri --device cpu.", "There is no CUDA GPU here; give --device cpu."
        )
    return Accelerator(cpu=device == "cpu" or not torch.cuda.is_available())


def refuse_other_adapter(args: argparse.Namespace) -> None:
    """Raises UserError where a finished adapter would be overwritten unasked."""
    from llada_demo.learning.checkpoint import CHECKPOINT

    there = (args.out / "adapter_config.json").exists() and not (args.out / CHECKPOINT).exists()
    if there and not args.fresh:
        raise UserError(
            f"Di {args.out} sudah ada adapter; pilih --out lain, atau --fresh untuk menggantinya.",
            f"There is an adapter in {args.out} already; choose another --out, or --fresh to replace it.",
        )


def load_base(model: str | None, dtype: str, device: str) -> LoadedModel:
    """The base on the device, under the name that the adapter will give for it. Raises ModelError."""
    import torch

    from llada_demo.model.loading import load_model

    source = model or Settings.from_environment().model
    if source == "auto":
        raise UserError(
            "Sebutkan model dasar dengan --model: sebuah adapter hanya cocok dengan satu model.",
            "Name the base with --model: an adapter fits one model only.",
        )
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
    loaded = load_model(source or EMBEDDED, device=device, dtype=getattr(torch, dtype))
    return replace(loaded, name=EMBEDDED_NAME) if loaded.folder.resolve() == EMBEDDED.resolve() else loaded


def prepare(
    args: argparse.Namespace, recipe: FinetuneSettings, accelerator: Accelerator
) -> tuple[Tuner, dict[str, Any]]:
    """Data, base and adapter, and what the card says of them. Prints what had to be adapted or dropped."""
    from llada_demo.learning.finetune import Tuner
    from llada_demo.learning.sft import TOO_LONG, Dataset, read_dialogues, validation_split
    from llada_demo.learning.tuning import adapted

    dialogues, dropped = read_dialogues(args.data)
    trained, held = validation_split(dialogues, recipe.val_set_size, recipe.seed)
    device = str(accelerator.device)
    base = load_base(args.model, recipe.dtype, device)
    settings, told = adapted(recipe, base.model.config.max_sequence_length, device)
    data, heldout = (Dataset(rows, base.tokenizer, settings) for rows in (trained, held))
    if long := data.too_long + heldout.too_long:
        dropped = {**dropped, TOO_LONG: long}
    if accelerator.is_main_process:
        for sentence in told:
            print(sentence[1], file=sys.stderr)
        if dropped:
            print(f"dropped: {', '.join(f'{n} ({reason})' for reason, n in dropped.items())}", file=sys.stderr)
    tuner = Tuner(settings, base, data, heldout, args.out, accelerator)
    if accelerator.is_main_process:
        size = tuner.figures()["trained_parameters"]
        print(f"{len(data)} rows, {len(heldout)} held out; {size:,} parameters on {device}", file=sys.stderr)
    about = {
        "name": args.name or args.out.resolve().name,
        "recipe": Path(args.recipe).stem if args.recipe else "default",
        "adapted": [english for _, english in told],
        "base": {"name": base.name, "sha256": base.sha256},
        "data": {
            "files": [path.name for path in args.data],
            "trained": len(data),
            "held_out": len(heldout),
            "dropped": dropped,
            "sources": data.counts(),
            "sha256": data.digest(),
        },
        "settings": settings.to_dict(),
    }
    return tuner, about


def train(tuner: Tuner, args: argparse.Namespace, stopping: Any, main: bool) -> None:
    """Runs to the end. Raises KeyboardInterrupt after saving, UserError where the memory does not suffice."""
    import torch

    from llada_demo.learning.finetune import TuningProgress, describe

    def report(progress: TuningProgress) -> None:
        if main:
            print(json.dumps(describe(progress)), file=sys.stderr, flush=True)

    try:
        tuner.run(report, args.every, args.save_every, stopping)
    except torch.OutOfMemoryError as error:
        raise UserError(
            "Memori GPU tidak cukup; beri --batch-size 1, --cutoff-len lebih kecil, atau "
            "--gradient-checkpointing true.",
            "The GPU has too little memory; give --batch-size 1, a smaller --cutoff-len, or "
            "--gradient-checkpointing true.",
        ) from error


def finish(tuner: Tuner, out: Path, about: dict[str, Any]) -> None:
    """Writes the adapter with its figures, losses and versions."""
    import time

    import peft
    import torch
    import transformers

    from llada_demo.learning.adapter import save_adapter

    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft)}
    whole = {
        **about,
        "figures": tuner.figures(),
        "losses": tuner.losses,
        "versions": versions,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    save_adapter(tuner.adapted, out, whole, tuner.start)


@contextmanager
def asked_to_stop() -> Iterator[Any]:
    """Inside, Ctrl-C and SIGTERM only ask: the step in hand is finished and saved. A second one ends at once."""
    asked: list[int] = []

    def ask(number: int, _: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _kind(annotation: str) -> str:
    names = {"int": "N", "float": "X", "bool": "true|false", "tuple[str, ...]": "A,B,..."}
    return names.get(annotation.removesuffix(" | None"), "NAME")


def _shown(default: Any) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default)
