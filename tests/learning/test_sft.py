"""From rows to examples: what is read and dropped, held out, cut, and how a prompt stands in front."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.core.errors import UserError
from llada_demo.learning.sft import (
    NO_ANSWER,
    NO_TURNS,
    Dataset,
    Dialogue,
    dialogue_of,
    read_dialogues,
    validation_split,
)
from llada_demo.learning.tuning import FinetuneSettings
from llada_demo.model.template import encode_chat
from llada_demo.model.tokenizer import LLaDATokenizer

SETTINGS = FinetuneSettings(cutoff_len=96)
Pairs = Callable[..., Dataset]


@pytest.fixture(scope="session")
def rows(tokenizer: LLaDATokenizer) -> Pairs:
    """A dataset of these turns: rows(["q", "a"], ["q", "a", "q", "a"], cutoff_len=...)."""

    def build(*talks: list[str], **changes: Any) -> Dataset:
        found = [Dialogue((talk[0],), tuple(talk[1:])) for talk in talks]
        return Dataset(found, tokenizer, replace(SETTINGS, **changes))

    return build


# Rows


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"q": ["Apa?", "apa"], "a": "Ini."}, Dialogue(("Apa?", "apa"), ("Ini.",), "", "s")),
        ({"turns": ["a", "b", "c", "d"]}, Dialogue(("a",), ("b", "c", "d"), "", "s")),
        ({"messages": ["a", "b", "c"]}, Dialogue(("a",), ("b",), "", "s")),
        (
            {"conversations": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
            Dialogue(("a",), ("b",), "", "s"),
        ),
        (
            {
                "conversations": [
                    {"role": "system", "content": " Jadilah ramah. "},
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": "b"},
                ]
            },
            Dialogue(("a",), ("b",), "Jadilah ramah.", "s"),
        ),
        ({"q": ["Apa?"]}, NO_ANSWER),
        ({"q": ["Apa?"], "a": "  "}, NO_ANSWER),
        ({"turns": ["hanya tanya"]}, NO_ANSWER),
        ({"text": "bukan percakapan"}, NO_ANSWER),
        ({"conversations": [{"role": "user", "content": "a"}]}, "wrong order"),
        ({"conversations": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}]}, "no content"),
        ({"conversations": [{"role": "assistant", "content": "b"}]}, "wrong order"),
        ({"conversations": "a"}, "not text"),
        ({"conversations": []}, "no content"),
        ({"conversations": [{"role": "system", "content": 5}]}, "not text"),
        ({"turns": [1, 2]}, NO_TURNS),
        ({"turns": 7}, NO_TURNS),
    ],
)
def test_rows_of_every_kind_and_the_reason_where_one_is_not_used(row: dict[str, Any], expected: Any) -> None:
    assert dialogue_of(row, "s") == expected


def test_a_file_or_folder_is_read_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    good, bad = {"q": ["a"], "a": "b"}, {"q": ["a"], "a": ""}
    (tmp_path / "satu.jsonl").write_text("\n".join(json.dumps(row) for row in (good, bad, good, bad)))
    (tmp_path / "heldout.jsonl").write_text(json.dumps(good))
    (tmp_path / "dua.jsonl").write_text(json.dumps({"conversations": [{"role": "assistant", "content": "x"}]}))
    found, dropped = read_dialogues([tmp_path])
    assert [dialogue.source for dialogue in found] == ["satu", "satu"]
    assert dropped == {"wrong order": 1, NO_ANSWER: 2}
    assert len(read_dialogues([tmp_path / "satu.jsonl"])[0]) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no row with an answer.*dropped: 0"),
        ('{"q": ["a"], "a": ""}\n', "dropped: no answer: 1"),
        ("{\n", "line 1"),
    ],
)
def test_data_without_an_answer_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(UserError, match=said):
        read_dialogues([tmp_path / "a.jsonl"])


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.jsonl"):
        with pytest.raises(UserError, match=r"no \.jsonl file"):
            read_dialogues([path])
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        read_dialogues([tmp_path / "a.jsonl"])


@pytest.mark.parametrize(("size", "held"), [(0.0, 0), (0.1, 6), (0.001, 1), (1, 1), (7, 7)])
def test_the_split_holds_out_whole_dialogues(dialogues: list[Dialogue], size: float, held: int) -> None:
    trained, kept = validation_split(dialogues, size, 3)
    assert (len(trained), len(kept)) == (len(dialogues) - held, held)
    assert [d for d in dialogues if d in trained] == trained
    assert validation_split(dialogues, size, 3) == (trained, kept)
    assert held < 6 or validation_split(dialogues, size, 4)[1] != kept


def test_a_split_that_leaves_nothing_is_refused(dialogues: list[Dialogue]) -> None:
    with pytest.raises(UserError, match="holds out all of the 2 rows"):
        validation_split(dialogues[:2], 2, 0)


# Examples


def test_an_example_is_the_prompt_as_in_chat_then_the_answer_and_its_end(
    rows: Pairs, tokenizer: LLaDATokenizer
) -> None:
    example = rows(["Apa kabar?", " Baik. "]).example(0, 0)
    assert list(example.ids[: example.start]) == encode_chat(tokenizer, [{"role": "user", "content": "Apa kabar?"}])
    assert list(example.ids[example.start :]) == [*tokenizer.encode("Baik."), tokenizer.special.eot]


def test_a_dialogue_of_n_answers_gives_each_of_them_as_the_last(rows: Pairs, tokenizer: LLaDATokenizer) -> None:
    data = rows(["satu?", "Jawab satu.", "dua?", "Jawab dua."])
    seen = {}
    for epoch in range(20):
        example = data.example(0, epoch)
        seen[tokenizer.answer(example.ids[example.start :])] = tokenizer.decode(example.ids[: example.start])
    assert set(seen) == {"Jawab satu.", "Jawab dua."}
    assert "Jawab satu." in seen["Jawab dua."]
    assert "dua?" not in seen["Jawab satu."]


def test_a_long_dialogue_loses_its_oldest_turns_then_the_end_of_its_answer(
    rows: Pairs, tokenizer: LLaDATokenizer
) -> None:
    data = rows(["awal " * 30, "lama", "baru?", "panjang " * 60], cutoff_len=48)
    assert data.dialogues[0][1] == (1,)  # the first question leaves no room
    example = data.example(0, 0)
    prompt = tokenizer.decode(example.ids[: example.start])
    assert "baru?" in prompt
    assert "awal" not in prompt
    assert len(example.ids) == 48
    assert tokenizer.special.eot not in example.ids[example.start :]


def test_a_question_that_fills_the_row_is_dropped_and_counted(rows: Pairs) -> None:
    data = rows(["tanya " * 90, "Jawab."], ["Apa?", "Jawab."], cutoff_len=48)
    assert (len(data), data.too_long) == (1, 1)


def test_the_chats_system_prompt_stands_in_front_of_its_share_of_rows(tokenizer: LLaDATokenizer, rows: Pairs) -> None:
    data = rows(["Apa?", "Ini."], system_share=0.5)
    prompts = [tokenizer.decode(e.ids[: e.start]) for e in (data.example(0, epoch) for epoch in range(60))]
    assert 18 <= sum(SYSTEM_PROMPT in prompt for prompt in prompts) <= 42
    own = Dataset([Dialogue(("Apa?",), ("Ini.",), "Lain.")], tokenizer, replace(SETTINGS, system_share=1.0))
    prompt = tokenizer.decode(own.example(0, 0).ids)
    assert "Lain." in prompt
    assert SYSTEM_PROMPT not in prompt
