"""What a browser asks to change in an answer is checked before anything believes it."""

from __future__ import annotations

import pytest

from llada_demo.core.errors import UserError
from llada_demo.ui.unmasking import LONGEST_WORD, wish


def test_a_step_and_its_edits_are_read() -> None:
    text = '{"step": 7, "edits": {"3": 41, "4": " laut", "5": null}}'
    assert wish(text) == (7, {3: 41, 4: " laut", 5: None})
    assert wish('{"edits": {"0": "%s"}}' % ("a" * LONGEST_WORD)) == (0, {0: "a" * LONGEST_WORD})


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "null", "7", "{", "[" * 100_000, "\x00",
        '{"step": 1}', '{"step": 1, "edits": {}}', '{"edits": [1]}', '{"edits": "kata"}', '{"edits": {"satu": 1}}',
        '{"step": "dua", "edits": {"1": 2}}', '{"step": 1e999, "edits": {"1": 2}}', '{"step": null, "edits": {"1": 2}}',
        '{"edits": {"1": true}}', '{"edits": {"1": 1.5}}', '{"edits": {"1": [2]}}', '{"edits": {"1": {}}}',
        '{"edits": {"1": "%s"}}' % ("a" * (LONGEST_WORD + 1)),
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UserError):
        wish(text)
