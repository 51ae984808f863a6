"""The engine: what it accepts, what it refuses, and that its answers can be had again."""

from __future__ import annotations

import json

import pytest

from llada_demo import Engine, SamplingOptions, Trace
from llada_demo.core.errors import CapacityError, OptionsError, UserError
from llada_demo.core.settings import EMBEDDED, EMBEDDED_NAME, Settings
from llada_demo.engine.device import Placement, bf16_gain, place
from llada_demo.engine.engine import model_source

SHORT = {"gen_length": 16, "steps": 8, "block_length": 8}


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def finished(engine: Engine, text: str, **options):
    run = engine.start(user(text), SamplingOptions(**{**SHORT, **options}))
    for _ in run:
        pass
    return run


def test_the_same_seed_gives_the_same_answer_and_another_seed_another_one(engine: Engine):
    answers = [finished(engine, "Ceritakan tentang hujan.", temperature=1.0, seed=s).answer for s in (1, 1, 2)]
    assert answers[0] == answers[1]
    assert answers[0] != answers[2]


def test_a_trace_repeats_its_run_and_survives_json(engine: Engine):
    trace = engine.trace(user("Apa itu laut?"), SamplingOptions(**SHORT, temperature=0.5, seed=3), candidates=3)
    again = Trace.from_dict(json.loads(trace.to_json()))
    assert again.to_dict() == trace.to_dict()
    repeated = engine.trace(user("Apa itu laut?"), again.options, candidates=3)
    assert [s.tokens for s in repeated.steps] == [s.tokens for s in again.steps]
    assert again.about["sha256"] == engine.loaded.sha256
    assert None not in again.answer_at(len(again.steps))


def test_fixed_words_are_there_at_every_step_and_at_the_end(engine: Engine):
    run = engine.start(user("Siapa namamu?"), SamplingOptions(**SHORT, constraints={0: "Tentu", 6: "kucing"}))
    fixed = dict(run.prepared.fixed)
    assert run.tokenizer.decode(fixed[i] for i in sorted(fixed)) == "Tentu kucing"
    for _ in run:
        assert all(run.answer[position] == token for position, token in fixed.items())
    assert run.text.startswith("Tentu")
    assert "kucing" in run.text


def test_closing_a_run_keeps_what_is_written(engine: Engine):
    run = engine.start(user("Halo"), SamplingOptions(gen_length=32, steps=32, block_length=32, end_rule="forbid"))
    steps = iter(run)
    for _ in range(5):
        next(steps)
    steps.close()
    assert len(run.written) == 5
    assert not run.finished
    assert run.stats()["steps"] == 5
    assert run.picture().count("░░") == 27
    assert "░" not in run.text


@pytest.mark.parametrize("text", ["", "   ", "\n\t ", "\0\0"])
def test_an_empty_message_is_refused(engine: Engine, text: str):
    with pytest.raises(UserError, match="empty"):
        engine.start(user(text), SamplingOptions(**SHORT))


def test_a_message_that_does_not_fit_is_refused_with_its_length(engine: Engine):
    with pytest.raises(CapacityError, match=r"too long: \d+ tokens"):
        engine.start(user("kata yang panjang " * 600), SamplingOptions(**SHORT))


def test_an_answer_longer_than_the_model_reads_is_refused_with_one_that_fits(engine: Engine):
    with pytest.raises(OptionsError) as caught:
        engine.start(user("Halo"), SamplingOptions(gen_length=1024, steps=1024, block_length=16))
    near = caught.value.nearest["gen_length"]
    engine.start(user("Halo"), SamplingOptions(gen_length=near, steps=near, block_length=1))


def test_a_long_history_loses_its_oldest_turns_and_says_how_many(engine: Engine):
    turns = []
    for i in range(30):
        turns += [
            {"role": "user", "content": f"Pertanyaan nomor {i}?"},
            {"role": "assistant", "content": "Jawaban."},
        ]
    messages = [{"role": "system", "content": "Kamu ramah."}, *turns, *user("Yang terakhir?")]
    prepared = engine.prepare(messages, SamplingOptions(**SHORT))
    text = engine.tokenizer.decode(prepared.prompt)
    assert prepared.dropped > 0
    assert "Kamu ramah." in text
    assert "Yang terakhir?" in text
    assert "nomor 0?" not in text
    assert len(prepared.prompt) <= engine.max_length - 16


@pytest.mark.parametrize(
    "text",
    ["<|mdm_mask|>", "<|eot_id|> <|endoftext|>", "😀🇮🇩", "مرحبا", "<script>alert(1)</script>", "a\0b", "ẅ̸̛"],
)
def test_any_text_is_answered_and_places_no_special_token(engine: Engine, text: str):
    ids = engine.tokenizer.special
    plain = engine.prepare(user("x"), SamplingOptions(**SHORT)).prompt
    prompt = engine.prepare(user(text), SamplingOptions(**SHORT)).prompt
    for special in (ids.mask, ids.eot, ids.eos, ids.bos, ids.header_start, ids.header_end):
        assert prompt.count(special) == plain.count(special)
    assert finished(engine, text).finished


@pytest.mark.parametrize("constraints", [{0: "satu dua tiga empat", 1: "lima"}, {15: "kata-kata yang panjang sekali"}])
def test_fixed_words_that_collide_or_leave_the_answer_are_refused(engine: Engine, constraints):
    with pytest.raises(OptionsError):
        engine.start(user("Halo"), SamplingOptions(**SHORT, constraints=constraints))


def test_an_adapter_that_is_not_there_is_refused(engine: Engine):
    with pytest.raises(UserError, match="no adapter"):
        engine.start(user("Halo"), SamplingOptions(**SHORT), adapter="pantun")
    with pytest.raises(UserError, match="there is no pantun"):
        Engine.load(Settings(adapters=("pantun",)))


def test_the_record_of_a_run_says_what_wrote_it(engine: Engine):
    about = engine.about()
    assert about["model"] == EMBEDDED_NAME
    assert len(about["sha256"]) == 64
    assert {"python", "torch", "transformers"} <= set(about["versions"])
    assert engine.ready() is None


def test_settings_decide_place_and_type():
    assert place(Settings(device="cpu", dtype="float32")).reason == "LLADA_DTYPE=float32"
    assert place(Settings(device="cpu")).dtype is not None
    assert bf16_gain(rows=8, width=32, repeats=1) > 0


def test_auto_is_the_embedded_model_where_there_is_no_gpu():
    import torch

    placement = Placement("cpu", torch.float32, "")
    assert model_source(Settings(model="auto"), placement) == str(EMBEDDED)
    assert model_source(Settings(), placement) == str(EMBEDDED)
    assert model_source(Settings(model="a/b"), placement) == "a/b"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="no usable GPU"):
        place(Settings(device="cuda"))
