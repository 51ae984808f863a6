"""Many prompts as data: a file of a visitor's is read or refused, and answers are told apart from the base's."""

from __future__ import annotations

import base64
import json
import re

import pytest

from llada_demo.core.errors import CapacityError, UserError
from llada_demo.core.settings import UI
from llada_demo.server.guard import BODY_BYTES
from llada_demo.ui.many_batch import MOST_SENT, marked, read_opened


@pytest.mark.parametrize("text", ["{}", "[", '{"name":"a","data":"!"}', '{"name":"a"}', "[1]", '{"name":1,"data":2}'])
def test_a_file_that_is_no_file_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="did not arrive whole"):
        read_opened(text)


def test_what_the_browser_may_send_fits_into_a_request() -> None:
    data = base64.b64encode(b"x" * MOST_SENT)
    assert len(json.dumps({"data": [json.dumps({"name": "a", "data": data.decode()})]})) < BODY_BYTES
    script = (UI / "many.js").read_text(encoding="utf-8")
    assert re.search(r"const MOST_SENT = (.+?);", script)[1] == "700 * 1024"
    with pytest.raises(CapacityError):
        read_opened(json.dumps({"name": "uji.csv", "data": base64.b64encode(b"x" * (MOST_SENT + 1)).decode()}))


@pytest.mark.parametrize(
    ("base", "text", "parts"),
    [
        ("Hujan itu air.", "Hujan itu air.", ["Hujan itu air."]),
        ("Hujan itu air.", "Hujan itu awan.", ["Hujan itu ", "awan", "."]),
        ("Air.", "Halo.", ["", "Halo", "."]),
        (None, "Halo.", ["Halo."]),
        ("", "", [""]),
    ],
)
def test_parts_are_in_turn_the_same_and_different(base: str | None, text: str, parts: list[str]) -> None:
    assert marked(base, text) == parts
