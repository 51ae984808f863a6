"""The vocabulary that is trained for a model of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llada_demo.core.errors import UserError
from llada_demo.learning.corpus import Corpus
from llada_demo.learning.vocabulary import save_vocabulary, train_vocabulary
from llada_demo.model.template import ROLES
from llada_demo.model.tokenizer import SPECIAL, LLaDATokenizer


@pytest.mark.parametrize("size", [300, 400, 700])
def test_the_vocabulary_has_exactly_the_asked_size(corpus: Corpus, size: int) -> None:
    vocabulary = train_vocabulary(corpus.texts_of_all(), size)
    ids = set(vocabulary["model"]["vocab"].values()) | {token["id"] for token in vocabulary["added_tokens"]}
    assert ids == set(range(size))
    assert LLaDATokenizer(vocabulary).size == size


def test_special_tokens_stand_at_the_end_in_their_order(tokenizer: LLaDATokenizer) -> None:
    ids = tokenizer.special
    last = [ids.bos, ids.eos, ids.mask, ids.header_start, ids.header_end, ids.eot]
    assert last == list(range(394, 400))
    assert [tokenizer.name(i) for i in last] == list(SPECIAL)


def test_digits_stand_alone(tokenizer: LLaDATokenizer) -> None:
    ids = tokenizer.encode("Pada 1945 ada 1945 orang, 20000 pohon.")
    digits = [piece for piece in map(tokenizer.token_bytes, ids) if any(chr(byte).isdigit() for byte in piece)]
    assert digits == [bytes([byte]) for byte in b"1945194520000"]


def test_numbers_that_are_frequent_are_not_merged_either() -> None:
    vocabulary = train_vocabulary(["tahun 1945 dan 2024"] * 500, 283)
    assert not [name for name in vocabulary["model"]["vocab"] if len(name) > 1 and any(c.isdigit() for c in name)]


def test_role_names_are_single_tokens(tokenizer: LLaDATokenizer) -> None:
    assert [len(tokenizer.encode(role)) for role in ROLES] == [1, 1, 1]


@pytest.mark.parametrize("text", ["Halo, apa kabar?", "  dua  spasi\n\n", "é🙂漢字", "", "<|eot_id|>"])
def test_any_text_comes_back_as_it_was(tokenizer: LLaDATokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert all(i < 394 for i in ids)


def test_the_same_text_gives_the_same_vocabulary(corpus: Corpus) -> None:
    assert train_vocabulary(corpus.texts_of_all(), 350) == train_vocabulary(corpus.texts_of_all(), 350)


def test_a_saved_vocabulary_reads_back(corpus: Corpus, tmp_path: Path) -> None:
    vocabulary = train_vocabulary(corpus.texts_of_all(), 350)
    saved = save_vocabulary(vocabulary, tmp_path)
    read = LLaDATokenizer.from_folder(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8")) == vocabulary
    assert read.encode("Selamat pagi") == saved.encode("Selamat pagi")
    assert read.special == saved.special


def test_too_little_text_for_the_size_is_told() -> None:
    with pytest.raises(UserError, match=r"8192.*more text"):
        train_vocabulary(["Halo dunia."], 8192)
