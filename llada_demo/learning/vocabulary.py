"""Training a byte-level BPE vocabulary with LLaDA's special tokens at its end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from llada_demo.core.errors import UserError
from llada_demo.core.files import write_beside
from llada_demo.model.template import ROLES
from llada_demo.model.tokenizer import SPECIAL, LLaDATokenizer


def train_vocabulary(texts: Iterable[str], size: int) -> dict:
    """A tokenizer.json of exactly `size` ids: ordinary ones first, then the special tokens.

    Digits stand alone, so that numbers are read digit by digit. The role names are single tokens. Raises
    UserError where the text is too little for so many.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=2,
    )
    tokenizer.train_from_iterator(_with_roles(texts), trainer)
    tokenizer.add_special_tokens(list(SPECIAL))
    if (found := tokenizer.get_vocab_size()) != size:
        raise UserError(
            f"Teks ini hanya cukup untuk {found} token, bukan {size}: tambah teks atau perkecil vocab_size.",
            f"This text is enough for {found} tokens, not for {size}: give more text or a smaller vocab_size.",
        )
    return json.loads(tokenizer.to_str())


def save_vocabulary(vocabulary: dict, folder: Path) -> LLaDATokenizer:
    """Writes tokenizer.json and gives the tokenizer back."""
    write_beside(folder / "tokenizer.json", json.dumps(vocabulary, ensure_ascii=False).encode())
    return LLaDATokenizer(vocabulary)


def _with_roles(texts: Iterable[str]) -> Iterable[str]:
    yield from (role for role in ROLES for _ in range(50))
    yield from texts
