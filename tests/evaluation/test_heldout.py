"""What is measured on: prompts as the chat sends them, answers with their end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.evaluation.heldout import encode_items, questions, read_texts
from llada_demo.learning.corpus import read_heldout


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "held.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_answers_dialogues_and_texts_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"q": ["Apa?", "Apa ya?"], "a": " Itu. "},
        {"turns": ["Halo", "Hai", "Siapa?", "Anita"]},
        {"text": "Air itu cair."},
        {"text": "  "},
    )
    assert read_texts(path) == [(("Apa?",), "Itu."), (("Halo", "Hai", "Siapa?"), "Anita"), ((), "Air itu cair.")]


def test_an_item_is_the_chat_prompt_and_the_answer_with_its_end(engine: Any) -> None:
    tokenizer = engine.tokenizer
    chat, text = encode_items(tokenizer, [(("Apa?",), "Itu laut."), ((), "Air.")], 256)
    assert tokenizer.decode(chat.ids[chat.start : -1]) == "Itu laut."
    assert chat.ids[-1] == tokenizer.special.eot
    assert SYSTEM_PROMPT in tokenizer.decode(chat.ids[: chat.start])
    assert text.ids[0] == tokenizer.special.bos
    assert text.start == 1
    assert text.ids[-1] == tokenizer.special.eos


def test_what_does_not_fit_is_left_out(engine: Any) -> None:
    assert list(encode_items(engine.tokenizer, [((), "kata " * 500)], 256)) == []


def test_questions_come_from_the_whole_file(root: Path) -> None:
    talks = read_heldout(root / "assets/data/percakapan/heldout.jsonl").conversations
    asked = questions(talks, 100)
    assert len(asked) == len(set(asked)) == 100
    assert questions(talks[:3], 3) == questions(talks[:3], 100) == [talk.wordings[0] for talk in talks[:3]]
