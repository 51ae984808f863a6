"""Settings come from the environment and refuse what they don't know."""

from __future__ import annotations

from pathlib import Path

import pytest

from llada_demo.core import settings
from llada_demo.core.errors import UserError
from llada_demo.core.settings import Settings


def test_an_empty_environment_gives_the_defaults():
    assert Settings.from_environment({}) == Settings()


def test_every_variable_is_read():
    env = {
        "LLADA_MODEL": " GSAI-ML/LLaDA-8B-Instruct ",
        "LLADA_ADAPTERS": "a, b,,",
        "LLADA_DEVICE": "cuda",
        "LLADA_DTYPE": "bfloat16",
        "LLADA_MAX_LENGTH": "512",
        "LLADA_PUBLIC": "1",
        "LLADA_VOTES": " suara.sqlite ",
    }
    assert Settings.from_environment(env) == Settings(
        "GSAI-ML/LLaDA-8B-Instruct", ("a", "b"), "cuda", "bfloat16", 512, True, "suara.sqlite"
    )


def test_a_space_keeps_votes_where_they_outlive_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "SPACE_DATA", tmp_path)
    assert Settings.from_environment({"SPACE_ID": "a/b"}).votes == str(tmp_path / "votes.sqlite")
    assert Settings.from_environment({"SPACE_ID": "a/b", "LLADA_VOTES": "x"}).votes == "x"
    assert Settings.from_environment({}).votes == settings.VOTES
    monkeypatch.setattr(settings, "SPACE_DATA", tmp_path / "none")
    assert Settings.from_environment({"SPACE_ID": "a/b"}).votes == settings.VOTES


@pytest.mark.parametrize(
    ("name", "value"),
    [("LLADA_DEVICE", "tpu"), ("LLADA_DTYPE", "int8"), ("LLADA_PUBLIC", "yes"), ("LLADA_MAX_LENGTH", "-1"),
     ("LLADA_MAX_LENGTH", "1e3"), ("LLADA_MAX_LENGTH", "8"), ("LLADA_MAX_LENGTH", "٣٢")],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(name: str, value: str):
    with pytest.raises(UserError, match=name) as caught:
        Settings.from_environment({name: value})
    assert name in caught.value.in_language("id")


def test_a_space_is_public_unless_it_says_otherwise():
    assert Settings.from_environment({"SPACE_ID": "a/b"}).public
    assert not Settings.from_environment({"SPACE_ID": "a/b", "LLADA_PUBLIC": "0"}).public
    assert not Settings.from_environment({}).public
