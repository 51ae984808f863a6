"""Questions with a reference answer: which rows have one, and which of them are taken."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from llada_demo.core.errors import UserError
from llada_demo.evaluation.examples import pair, read_heldout


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"q": ["Apa?", "Apa ya?"], "a": " Itu. "}, (("Apa?",), "Itu.")),
        ({"turns": ["Halo", "Hai", "Siapa?", "Anita"]}, (("Halo", "Hai", "Siapa?"), "Anita")),
        ({"input": "Apa?", "output": "Itu."}, (("Apa?",), "Itu.")),
        ({"question": "Apa?", "answer": "Itu."}, (("Apa?",), "Itu.")),
        (
            {"conversations": [{"role": "system", "content": "S"}, {"from": "human", "value": "Apa?"},
                               {"from": "gpt", "value": "Itu."}]},
            (("Apa?",), "Itu."),
        ),
        ({"text": "Air itu cair."}, None),
        ({"q": ["Apa?"]}, None),
        ({"q": [], "a": "Itu."}, None),
        ({"q": ["Apa?"], "a": None}, None),
        ({"input": "Apa?", "output": " "}, None),
        ({"input": 5, "output": "lima"}, None),
        ({"conversations": [{"role": "assistant", "content": "Hai"}]}, None),
        ({"turns": 5}, None),
    ],
)  # fmt: skip
def test_rows_with_a_question_and_an_answer_are_found(row: dict[str, Any], found: Any) -> None:
    assert pair(row) == found


def test_examples_come_evenly_from_the_file_and_fit(engine: Any, tmp_path: Path) -> None:
    rows = [{"q": [f"Apa itu {i}?"], "a": f"Itu {i}."} for i in range(10)]
    rows += [{"q": ["Apa? " * 300], "a": "Itu."}, {"text": "Air."}]
    path = tmp_path / "held.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = read_heldout(str(path), engine.tokenizer, engine.max_length, 64, 5)
    assert [example.reference for example in found.examples] == [f"Itu {i}." for i in range(0, 10, 2)]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.about() == {"file": "held.jsonl", "sha256": digest, "count": 5, "left_out": 1}
    assert len(read_heldout(str(path), engine.tokenizer, engine.max_length, 64, None).examples) == 10
    assert len(read_heldout(str(path), engine.tokenizer, engine.max_length, 64, 99).examples) == 10


def test_an_example_is_asked_as_the_chat_asks_it(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "held.jsonl"
    path.write_text(json.dumps({"turns": ["Halo", "Hai", "Siapa?", "Anita"]}) + "\n", encoding="utf-8")
    (example,) = read_heldout(str(path), engine.tokenizer, engine.max_length, 64, None).examples
    assert example.prompt == "Halo | Hai | Siapa?"
    assert [message["role"] for message in example.messages()] == ["system", "user", "assistant", "user"]
    from llada_demo.core.options import SamplingOptions

    prepared = engine.prepare(example.messages(), SamplingOptions())
    assert tuple(prepared.prompt) == example.item.ids[: example.item.start]


@pytest.mark.parametrize(
    "content", [None, "", '{"text": "Air."}\n', "{\n", '{"q": ["Apa?"], "a": "' + "kata " * 500 + '"}\n']
)
def test_a_source_without_examples_is_one_sentence(engine: Any, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "held.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_heldout(str(path), engine.tokenizer, engine.max_length, 64, None)
    assert "\n" not in error.value.in_language("en")


def test_a_data_set_is_read_by_its_split(engine: Any, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    rows = [{"input": f"Apa itu {i}?", "output": f"Itu {i}."} for i in range(4)]
    (tmp_path / "set" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = f"hub:{tmp_path / 'set'}:test"  # a folder is read by the same code as the hub
    found = read_heldout(source, engine.tokenizer, engine.max_length, 64, 2)
    assert [example.reference for example in found.examples] == ["Itu 0.", "Itu 2."]
    assert found.file == source
    assert len(found.sha256) == 64
    with pytest.raises(UserError, match="split"):
        read_heldout(f"{source}ing", engine.tokenizer, engine.max_length, 64, 2)
