"""Settings come from the environment and refuse what they don't know."""

from __future__ import annotations

import pytest

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
    }
    assert Settings.from_environment(env) == Settings(
        "GSAI-ML/LLaDA-8B-Instruct", ("a", "b"), "cuda", "bfloat16", 512, True
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("LLADA_DEVICE", "tpu"), ("LLADA_DTYPE", "int8"), ("LLADA_PUBLIC", "yes"), ("LLADA_MAX_LENGTH", "-1"),
     ("LLADA_MAX_LENGTH", "1e3"), ("LLADA_MAX_LENGTH", "8"), ("LLADA_MAX_LENGTH", "٣٢")],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(name: str, value: str):
    with pytest.raises(UserError, match=name) as caught:
        Settings.from_environment({name: value})
    assert name in caught.value.in_language("id")
