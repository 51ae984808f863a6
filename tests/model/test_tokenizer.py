"""The tokenizer: special tokens can't be typed, every text comes back, a character is never split."""

from __future__ import annotations

import copy
import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llada_demo.core.errors import ModelError
from llada_demo.model.tokenizer import EOT, MASK, SPECIAL, LLaDATokenizer

# The vocabulary is trained once and never changes, so hypothesis may share it between examples.
IDS = st.lists(st.integers(0, 420), max_size=24)


def runs(tokenizer: LLaDATokenizer, ids: list[int]) -> list[tuple[bool, list[int]]]:
    """The stretches of ids that have bytes, and those that have none (special or unknown tokens)."""
    return [(text, list(g)) for text, g in groupby(ids, lambda i: tokenizer.token_bytes(i) != b"")]


@given(text=st.text())
def test_any_text_gives_no_special_id_and_comes_back(tokenizer: LLaDATokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert not any(tokenizer.name(i) for i in ids)
    assert tokenizer.decode(ids) == text.replace("\0", "")
    assert "".join(tokenizer.cells(ids)) == text.replace("\0", "")


@given(parts=st.lists(st.sampled_from([*SPECIAL, "<|", "|>", "eot_id", " ", "\n", "a"]), max_size=8))
def test_typed_special_tokens_are_text(tokenizer: LLaDATokenizer, parts: list[str]) -> None:
    ids = tokenizer.encode("".join(parts))
    assert not any(tokenizer.name(i) for i in ids)
    assert tokenizer.decode(ids) == "".join(parts)


def test_worked_example_end_and_mask_as_typed_by_a_visitor(tokenizer: LLaDATokenizer) -> None:
    ids = tokenizer.encode(EOT + MASK)
    assert tokenizer.special.eot not in ids
    assert tokenizer.special.mask not in ids
    assert tokenizer.decode(ids) == EOT + MASK
    assert tokenizer.name(tokenizer.special.mask) == MASK


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\ud83d \ude00"])
def test_a_lone_surrogate_becomes_a_question_mark(tokenizer: LLaDATokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text.encode("utf-8", "replace").decode()


@given(ids=IDS)
def test_cells_joined_are_the_decoded_runs(tokenizer: LLaDATokenizer, ids: list[int]) -> None:
    cells = tokenizer.cells(ids)
    assert len(cells) == len(ids)
    assert "".join(cells) == "".join(tokenizer.decode(run) for text, run in runs(tokenizer, ids) if text)
    assert all(cell == "" for cell, i in zip(cells, ids, strict=True) if not tokenizer.token_bytes(i))


@pytest.mark.parametrize("data", [b"\xed\xa1", b"\xed\xa1a", b"\xf0\x9f\xc3\xa9", b"\xe2\x82", b"\x80\xff"])
def test_bytes_that_are_no_character_stand_in_their_own_tokens(tokenizer: LLaDATokenizer, data: bytes) -> None:
    of_byte = {tokenizer.token_bytes(i): i for i in range(420)}
    ids = [of_byte[bytes([byte])] for byte in data]
    for more in ([], [tokenizer.special.eot], [tokenizer.special.mask, of_byte[b"b"]]):
        cells = tokenizer.cells([*ids, *more])
        assert "".join(cells[: len(ids)]) == data.decode("utf-8", errors="replace")
        assert cells[len(ids) :] == ["", "b"][: len(more)]


@given(ids=IDS)
def test_a_run_without_special_tokens_decodes_as_its_bytes(tokenizer: LLaDATokenizer, ids: list[int]) -> None:
    data = b"".join(tokenizer.token_bytes(i) for i in ids)
    assert tokenizer.decode(ids) == data.decode("utf-8", errors="replace")


@given(text=st.text(min_size=1))
def test_a_cell_begins_where_its_first_character_begins(tokenizer: LLaDATokenizer, text: str) -> None:
    ids, read = tokenizer.encode(text), b""
    text = text.replace("\0", "")
    starts = {len(text[:n].encode()): character for n, character in enumerate(text)}
    for token, cell in zip(ids, tokenizer.cells(ids), strict=True):
        size = len(tokenizer.token_bytes(token))
        begun = [starts[at] for at in range(len(read), len(read) + size) if at in starts]
        assert cell == "".join(begun)
        read += tokenizer.token_bytes(token)


def test_an_emoji_over_several_tokens_stands_whole_in_the_first(tokenizer: LLaDATokenizer) -> None:
    ids = tokenizer.encode("😀")
    assert len(ids) == 4  # the bytes of a character that the vocabulary has never seen
    assert tokenizer.cells(ids) == ["😀", "", "", ""]
    assert tokenizer.cells([*ids, *ids]) == ["😀", "", "", ""] * 2


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_cut_character_becomes_one_replacement(tokenizer: LLaDATokenizer, kept: int) -> None:
    ids = tokenizer.encode("😀")[:kept]
    mask, after = tokenizer.special.mask, tokenizer.encode("a")
    assert tokenizer.cells(ids) == ["\ufffd", *[""] * (kept - 1)]
    assert tokenizer.cells([*ids, *after]) == ["\ufffd", *[""] * (kept - 1), "a"]
    assert tokenizer.cells([*ids, mask, *after]) == ["\ufffd", *[""] * kept, "a"]


def test_a_token_that_ends_one_character_and_holds_others_keeps_its_own() -> None:
    tokenizer = LLaDATokenizer(_handmade(["ð", "Ł", "ĺ", "Ģ", "ĢĠya", "ya"]))
    one, two, three, _, mixed, word = range(6)  # f0, 9f, 98, 80, "80 20 y a", "y a"
    assert tokenizer.token_bytes(mixed) == b"\x80 ya"
    assert tokenizer.cells([one, two, three, mixed, word]) == ["😀", "", "", " ya", "ya"]


def _handmade(tokens: list[str]) -> dict[str, Any]:
    added = [
        {"id": len(tokens) + n, "content": name, "special": True, "single_word": False, "lstrip": False}
        | {"rstrip": False, "normalized": False}
        for n, name in enumerate(SPECIAL)
    ]
    model = {"type": "BPE", "vocab": {t: n for n, t in enumerate(tokens)}, "merges": []}
    return {"version": "1.0", "added_tokens": added, "model": model}


def test_an_answer_ends_at_its_first_end_token(tokenizer: LLaDATokenizer) -> None:
    halo, more, s = tokenizer.encode(" Halo "), tokenizer.encode("lagi"), tokenizer.special
    assert tokenizer.answer([*halo, *more]) == "Halo lagi"
    assert tokenizer.answer([*halo, s.eot, *more, s.eos]) == "Halo"
    assert tokenizer.answer([*halo, s.eos, *more, s.eot]) == "Halo"
    assert tokenizer.answer([s.eot, *more]) == ""
    assert tokenizer.answer([]) == ""


def test_special_ids_come_from_the_vocabulary_unless_the_configuration_says_otherwise(
    vocabulary: dict[str, Any],
) -> None:
    size = LLaDATokenizer(vocabulary).size
    assert LLaDATokenizer(vocabulary).special.mask == size - len(SPECIAL) + SPECIAL.index(MASK)
    moved = LLaDATokenizer(vocabulary, mask_token_id=size + 3, eos_token_id=size + 4)
    assert (moved.special.mask, moved.special.eos) == (size + 3, size + 4)
    assert moved.token_bytes(size + 3) == b""


def test_a_vocabulary_without_the_special_tokens_is_refused(vocabulary: dict[str, Any]) -> None:
    poor = copy.deepcopy(vocabulary)
    poor["added_tokens"] = [t for t in poor["added_tokens"] if t["content"] != EOT]
    poor["model"]["vocab"].pop(EOT, None)
    with pytest.raises(ModelError, match=r"lacks the tokens <\|eot_id\|>"):
        LLaDATokenizer(poor)


def _broken_merges(vocabulary: dict[str, Any]) -> dict[str, Any]:
    return {**vocabulary, "model": {**vocabulary["model"], "merges": [["tak", "ada"]]}}


@pytest.mark.parametrize(
    "damage",
    [
        lambda v: json.dumps(v)[:-20],
        lambda v: json.dumps([v]),
        lambda v: json.dumps({**v, "model": {}}),
        lambda v: json.dumps(_broken_merges(v)),
        lambda v: json.dumps({**v, "added_tokens": [{"content": MASK, "id": "satu"}]}),
    ],
    ids=["cut", "a list", "no model", "merges of unknown tokens", "an id that is a word"],
)
def test_a_damaged_file_is_named(tmp_path: Path, vocabulary: dict[str, Any], damage: Any) -> None:
    (tmp_path / "tokenizer.json").write_text(damage(vocabulary), encoding="utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json is damaged") as caught:
        LLaDATokenizer.from_folder(tmp_path)
    assert "Unduh ulang" in caught.value.in_language("id")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        LLaDATokenizer.from_folder(tmp_path)
