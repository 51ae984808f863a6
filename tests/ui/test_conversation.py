"""A conversation as data."""

from __future__ import annotations

import json
import re

import pytest

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.ui import conversation as c

TALK = [
    {"role": "user", "content": "Halo"},
    {"role": "assistant", "content": "Halo juga"},
    {"role": "user", "content": "Apa kabar?"},
    {"role": "assistant", "content": "Baik ░░ ░░."},
]
STATS = {
    "steps": 3, "forwards": 3, "tokens": 5, "seconds": 0.1, "tokens_per_second": 50.0, "seed": 7, "finished": True,
    "dropped_turns": 0,
}  # fmt: skip


def records() -> list[c.Record]:
    about = {"model": "llada-kecil", "sha256": "0" * 64, "versions": {}}
    return [c.record(SamplingOptions(seed=s), {**STATS, "seed": s}, about) for s in (7, 8)]


def test_the_browsers_message_shapes_become_plain_text():
    parts = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "metadata": {},
        }
    ]
    assert c.plain(parts) == [{"role": "user", "content": "ab"}]
    assert c.plain([{"role": "assistant", "content": None}]) == [{"role": "assistant", "content": ""}]


def test_no_message_is_html_on_its_way_to_the_page_and_it_comes_back_unchanged():
    hostile = [{"role": "user", "content": "<img src=x onerror=alert(1)> &lt;b&gt; </script> a < b & c"}]
    assert not re.search(r"<[a-zA-Z/!?]|&[a-zA-Z#]", c.shown(hostile)[0]["content"])
    assert c.plain(c.shown(hostile)) == hostile


def test_a_stop_keeps_the_words_and_drops_the_masks():
    assert c.without_masks("░░ Saya ░░ ░░ senang░░ ░░.\n░░ Ya") == "Saya senang.\n Ya"
    assert c.without_masks("░░ ░░ ░░") == ""


def test_the_model_reads_the_system_prompt_and_no_masks():
    messages = c.for_model(TALK, "Kamu ramah.")
    assert messages[0] == {"role": "system", "content": "Kamu ramah."}
    assert messages[-1]["content"] == "Baik."
    assert c.for_model(TALK, "  ")[0]["role"] == "user"


def test_an_answer_that_was_stopped_before_its_first_word_is_not_read():
    talk = [*TALK, {"role": "user", "content": "Dan?"}, {"role": "assistant", "content": ""}]
    assert [m["content"] for m in c.for_model(talk, "")] == ["Halo", "Halo juga", "Apa kabar?", "Baik."]


def test_regenerating_starts_from_the_last_question():
    assert c.to_last_question(TALK) == TALK[:3]
    with pytest.raises(UserError):
        c.to_last_question([])


def test_a_message_beyond_the_limit_is_refused_with_both_numbers():
    assert c.checked("x" * c.LONGEST_MESSAGE)
    with pytest.raises(UserError, match=rf"{c.LONGEST_MESSAGE + 1} characters.*{c.LONGEST_MESSAGE}"):
        c.checked("x" * (c.LONGEST_MESSAGE + 1))


def test_the_status_line_speaks_both_languages_and_tells_of_a_stop_and_of_lost_turns():
    record = c.record(SamplingOptions(), {**STATS, "finished": False, "dropped_turns": 4}, {})
    assert "dihentikan" in c.status(record, "id")
    assert "4 pesan" in c.status(record, "id")
    assert "stopped" in c.status(record, "en")
    assert "seed 7" in c.status(record, "en")


def test_json_carries_settings_seed_versions_and_digest_of_each_answer():
    data = json.loads(c.to_json(TALK, records(), "Kamu ramah."))
    answers = [m for m in data["messages"] if m["role"] == "assistant"]
    assert [a["options"]["seed"] for a in answers] == [7, 8]
    assert all(len(a["about"]["sha256"]) == 64 for a in answers)
    assert SamplingOptions.from_dict(answers[0]["options"]) == SamplingOptions(seed=7)
    assert "options" not in data["messages"][0]


def test_markdown_holds_every_message_in_order():
    text = c.to_markdown(TALK, records(), "Kamu ramah.", "en")
    places = [text.index(part) for part in ("Kamu ramah.", "Halo", "Halo juga", "Apa kabar?", "Baik", "seed 8")]
    assert places == sorted(places)
