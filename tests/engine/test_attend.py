"""Reading with attention: texts, traces, ranked heads, guesses, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.trace import Trace
from llada_demo.engine import Engine
from llada_demo.engine.attend import Reading, attend, guess, rank_heads, read

TEXT = "Ani membeli apel di pasar. Dia memakannya."


@pytest.fixture(scope="module")
def reading(engine: Engine) -> Reading:
    return read(engine, TEXT)


@pytest.fixture(scope="module")
def trace(engine: Engine) -> Trace:
    options = SamplingOptions(gen_length=16, steps=8, block_length=8)
    return engine.trace([{"role": "user", "content": "Apa itu hujan?"}], options)


def test_a_text_is_cut_into_its_words_behind_the_starting_token(reading: Reading, engine: Engine) -> None:
    assert [word.strip() for word in reading.words[1:]] == [
        "Ani", "membeli", "apel", "di", "pasar", ".", "Dia", "memakannya", ".",
    ]  # fmt: skip
    assert reading.kinds == ("special", *["text"] * 9)
    assert len(read(engine, TEXT, unit="tokens").words) == len(reading.ids)


def test_a_moment_of_a_trace_shows_what_the_model_saw(engine: Engine, trace: Trace) -> None:
    for step in (0, 3, len(trace.steps)):
        made = read(engine, trace, step)
        masks = sum(token is None for token in trace.answer_at(step))
        assert made.kinds.count("mask") == masks
        assert len(made.ids) == len(trace.prompt) + 16
    assert read(engine, trace) == read(engine, trace, len(trace.steps))


def test_the_engine_attends_in_both_regimes(engine: Engine, trace: Trace) -> None:
    for what in (TEXT, trace):
        record = engine.attend(what, layer=2)
        assert set(record.seen) == {"full", "causal"}
        for seen in record.seen.values():
            assert seen.heads is not None
            assert seen.heads.shape == (4, len(record.words), len(record.words))
            assert (seen.means.sum(-1) - 1).abs().max() < 1e-4
    assert record.ahead("causal") == 0


def test_heads_are_ranked_by_what_they_give_the_pair(engine: Engine, reading: Reading) -> None:
    dia, ani = reading.words.index(" Dia"), 1
    ranks, control = rank_heads(engine, reading, dia, ani)
    assert len(ranks) == 5 * 4
    assert [rank.share for rank in ranks] == sorted((rank.share for rank in ranks), reverse=True)
    assert control == 2  # the nearest word; the starting token is none
    best = ranks[0]
    heads = attend(engine, reading, ["full"], best.layer).seen["full"].heads
    assert heads is not None
    assert best.share == pytest.approx(float(heads[best.head, dia, ani]), abs=1e-5)
    assert best.control == pytest.approx(float(heads[best.head, dia, control]), abs=1e-5)
    ahead, _ = rank_heads(engine, reading, ani, dia, "causal")
    assert all(rank.share == 0 for rank in ahead)


def test_a_guess_is_the_networks_distribution_at_the_mask(engine: Engine, reading: Reading) -> None:
    dia = reading.words.index(" Dia")
    best, (share, nothing) = guess(engine, reading, dia, "full", ["dia", "kata yang panjang"])
    at = reading.groups[dia].start
    canvas = [*reading.ids[:at], engine.tokens.mask, *reading.ids[reading.groups[dia].stop :]]
    with torch.inference_mode():
        logits = engine.model(torch.tensor([canvas])).logits[0, at].float()
        logits[engine.tokens.mask] = -torch.inf
    assert best[0][1] == pytest.approx(float(logits.softmax(-1).max()), abs=1e-4)
    assert 0 < share <= 1
    assert nothing == 0


def test_under_a_causal_mask_a_guess_knows_nothing_of_what_follows(engine: Engine) -> None:
    first, other = (read(engine, f"Karena dia lelah, {name} tidur.") for name in ("Budi", "Ani dan Siti"))
    before, after = (guess(engine, made, 2, "causal") for made in (first, other))
    assert [p for _, p in before[0]] == pytest.approx([p for _, p in after[0]], abs=1e-5)
    before, after = (guess(engine, made, 2, "full") for made in (first, other))
    assert [p for _, p in before[0]] != pytest.approx([p for _, p in after[0]], abs=1e-5)


@pytest.mark.parametrize("text", ["Halo", "...!?", "😀😀", "<|eot_id|> <|mdm_mask|>", "مرحبا", "a" * 200])
def test_unusual_texts_are_read(engine: Engine, text: str) -> None:
    made = read(engine, text)
    assert "".join(made.words[1:]) == text
    assert set(made.kinds[1:]) == {"text"}
    assert engine.attend(text).words == made.words


@pytest.mark.parametrize("text", ["", "  \n", "kata " * 300])
def test_nothing_and_too_much_are_refused_with_the_limit(engine: Engine, text: str) -> None:
    with pytest.raises(UserError, match="256" if text.strip() else "empty"):
        engine.attend(text)


def test_what_is_not_there_is_refused(engine: Engine, reading: Reading, trace: Trace) -> None:
    with pytest.raises(UserError, match="layer 99"):
        engine.attend(TEXT, layer=98)
    with pytest.raises(UserError, match="no step 99"):
        engine.attend(trace, 99)
    with pytest.raises(UserError, match="another model"):
        engine.attend(replace(trace, about={"sha256": "0", "model": "x"}))
    for words in ((0, 99), (-1, 0)):
        with pytest.raises(UserError, match="no such word"):
            rank_heads(engine, reading, *words)
    with pytest.raises(UserError, match="no such word"):
        guess(engine, reading, 99, "full")
