"""`python -m llada_demo pretrain`: train a small LLaDA from a recipe."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llada_demo.core.errors import UserError
from llada_demo.core.settings import ASSETS

if TYPE_CHECKING:
    from llada_demo.learning.corpus import Corpus
    from llada_demo.learning.recipe import Recipe
    from llada_demo.model.tokenizer import LLaDATokenizer

HELP = "train a small LLaDA from a recipe"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", type=Path, default=ASSETS / "model" / "recipe.json", help="what to train, JSON")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        help="folder of JSONL text; repeat for several (default: our own)",
    )
    parser.add_argument("--heldout", type=Path, default=None, help="JSONL file to measure on, never trained on")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the finished model")
    parser.add_argument("--minutes", type=float, help="a budget of time in place of the recipe's")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--float32", action="store_true", help="do not use bf16")
    parser.add_argument("--no-compile", action="store_true", help="plain PyTorch, slower (no C++ compiler needed)")
    parser.add_argument("--tokenizer", type=Path, help="a model's folder whose tokenizer is taken, as a twin needs it")
    parser.add_argument("--fresh", action="store_true", help="start anew where a checkpoint is there")


def run(args: argparse.Namespace) -> int:
    import torch

    from llada_demo.learning.corpus import OWN_TEXT, read_corpus, read_heldout
    from llada_demo.learning.pretrain import CHECKPOINT, Trainer, describe
    from llada_demo.learning.publish import save_model
    from llada_demo.learning.recipe import Recipe

    recipe = Recipe.read(args.recipe)
    if args.minutes:
        recipe = replace(recipe, minutes=args.minutes, passes=0)
    if args.threads:
        torch.set_num_threads(args.threads)
    folders = args.data or OWN_TEXT
    corpus = read_corpus(folders, recipe.leave_out, recipe.only)
    heldout = read_heldout(args.heldout or folders[0] / "heldout.jsonl")
    print(f"{sum(corpus.counts().values())} rows: {corpus.counts()}", file=sys.stderr)

    if args.fresh:
        (args.out / CHECKPOINT).unlink(missing_ok=True)
    tokenizer = _tokenizer(args, corpus, recipe)
    device = args.device if args.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    trainer = Trainer(
        recipe,
        tokenizer,
        corpus,
        heldout,
        args.out,
        device,
        bf16=not args.float32,
        compiled=not args.no_compile,
    )
    if trainer.resume():
        print(f"continues at step {trainer.step}", file=sys.stderr)
    size = sum(p.numel() for p in trainer.model.parameters())
    print(f"{size / 1e6:.1f} M parameters on {device}, {torch.get_num_threads()} threads", file=sys.stderr)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started it in the background
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        trainer.run(lambda progress: print(json.dumps(describe(progress)), file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        print(f"stopped at step {trainer.step}; the same command continues", file=sys.stderr)
        return 1
    figures = {
        "steps": trainer.step,
        "token_passes": trainer.tokens,
        "minutes": round(trainer.seconds / 60, 1),
    }
    figures["heldout_nats_per_token"] = round(trainer.heldout_loss(), 3)
    save_model(trainer.model, tokenizer, args.out, recipe, corpus, {**figures, "device": device})
    print(json.dumps(figures))
    return 0


def _tokenizer(args: argparse.Namespace, corpus: Corpus, recipe: Recipe) -> LLaDATokenizer:
    """That of the run which goes on, that of --tokenizer, or a new one."""
    from llada_demo.core.files import write_beside
    from llada_demo.learning.pretrain import CHECKPOINT
    from llada_demo.learning.vocabulary import save_vocabulary, train_vocabulary
    from llada_demo.model.tokenizer import LLaDATokenizer

    if (args.out / CHECKPOINT).exists():
        return LLaDATokenizer.from_folder(args.out)
    if args.tokenizer:
        tokenizer = LLaDATokenizer.from_folder(args.tokenizer)
        if tokenizer.size != recipe.vocab_size:
            raise UserError(
                f"Tokenizer di {args.tokenizer} punya {tokenizer.size} token; vocab_size di resep {recipe.vocab_size}.",
                f"The tokenizer in {args.tokenizer} has {tokenizer.size} tokens; the recipe's vocab_size is "
                f"{recipe.vocab_size}.",
            )
        write_beside(args.out / "tokenizer.json", (args.tokenizer / "tokenizer.json").read_bytes())
        return tokenizer
    return save_vocabulary(train_vocabulary(corpus.texts_of_all(), recipe.vocab_size), args.out)
