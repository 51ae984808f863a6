"""Fill-in text: everything but the gaps is fixed, and stays."""

from __future__ import annotations

import pytest

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.engine import Engine
from llada_demo.engine.fill import asked, fill_in


@pytest.mark.parametrize(
    ("text", "masks"),
    [("Ibu kota Jawa Barat adalah [mask:2].", 2), ("[mask] itu [mask:3]", 4), ("Air [mask:1] dan [mask:2] laut.", 3)],
)
def test_the_words_stay_and_the_gaps_are_filled(engine: Engine, text: str, masks: int) -> None:
    question, options = fill_in(engine.tokenizer, text, SamplingOptions(seed=4))
    assert options.steps == masks
    assert options.seed == 4
    run = engine.start([{"role": "user", "content": question}], options)
    steps = list(run)
    assert sum(len(step.positions) for step in steps) == masks
    rest = run.text
    for words in text.replace("[mask:", "[mask").split("[mask"):
        piece = words.split("]")[-1].strip()
        assert piece in rest
        rest = rest[rest.index(piece) + len(piece) :]


@pytest.mark.parametrize("text", ["Apa itu laut?", "satu [topeng] dua [mask:] tiga <mask>"])
def test_without_a_gap_a_text_is_asked_as_it_is(engine: Engine, text: str) -> None:
    options = SamplingOptions(seed=4)
    assert asked(engine.tokenizer, text, options, system="") == ([{"role": "user", "content": text}], options)


def test_a_gap_makes_a_fill_in_behind_the_system_prompt(engine: Engine) -> None:
    options = SamplingOptions(seed=4)
    messages, filled = asked(engine.tokenizer, "satu [mask:3] dua", options, system="Jawablah.")
    question, expected = fill_in(engine.tokenizer, "satu [mask:3] dua", options)
    assert messages == [{"role": "system", "content": "Jawablah."}, {"role": "user", "content": question}]
    assert filled == expected


@pytest.mark.parametrize("text", ["[mask:0]", "[mask:65]", "[mask:999999999]", "kata [mask:64]" + " kata" * 1200])
def test_a_gap_of_no_or_too_many_tokens_is_refused(engine: Engine, text: str) -> None:
    with pytest.raises(UserError):
        fill_in(engine.tokenizer, text, SamplingOptions())
