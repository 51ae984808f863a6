"""Conversations become rows: the template, the answer marked, padding of little weight."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from llada_demo.core.chat import SYSTEM_PROMPT
from llada_demo.learning.corpus import Conversation, Corpus
from llada_demo.learning.rows import SYSTEM_VARIANTS, Batch, Row, RowMaker, RowSettings
from llada_demo.model.template import encode_chat
from llada_demo.model.tokenizer import LLaDATokenizer

PLAIN = RowSettings(system_share=0, variant_share=0, casual_share=0, canvas_share=0)
Talk = Callable[[Sequence[str]], Conversation]


@pytest.fixture
def make(tokenizer: LLaDATokenizer, talk: Talk) -> Callable[..., Row]:
    """The row of a conversation of these turns under these settings."""

    def row(turns: Sequence[str], settings: RowSettings = PLAIN, seed: int = 0) -> Row:
        return RowMaker(tokenizer, Corpus(), settings).conversation_row(talk(turns), random.Random(seed))

    return row


@pytest.fixture
def one_answer() -> Callable[[Row], tuple[int, ...]]:
    return lambda row: row.ids[row.start : row.end]


# The template


def test_a_row_is_the_prompt_as_in_chat_then_the_answer_then_padding(
    make: Callable[..., Row], tokenizer: LLaDATokenizer
) -> None:
    row = make(["Apa kabar?", "Baik, terima kasih."])
    ids = tokenizer.special
    assert list(row.ids[: row.start]) == encode_chat(tokenizer, [{"role": "user", "content": "Apa kabar?"}])
    answer = row.ids[row.start : row.end]
    assert answer[-1] == ids.eot
    assert tokenizer.decode(answer) == "Baik, terima kasih."
    assert set(row.ids[row.end :]) <= {ids.eos}
    assert len(row.ids) % PLAIN.bucket == 0
    assert len(row.ids) - row.end < PLAIN.bucket
    assert ids.mask not in row.ids


@pytest.mark.parametrize(
    ("settings", "systems"),
    [
        (replace(PLAIN, system_share=1.0), {SYSTEM_PROMPT}),
        (replace(PLAIN, variant_share=1.0), set(SYSTEM_VARIANTS)),
    ],
)
def test_a_system_prompt_stands_in_front_where_it_is_asked_for(
    make: Callable[..., Row], tokenizer: LLaDATokenizer, settings: RowSettings, systems: set[str]
) -> None:
    seen = set()
    for seed in range(20):
        row = make(["Apa kabar?", "Baik."], settings, seed)
        head = {
            system: encode_chat(
                tokenizer, [{"role": "system", "content": system}, {"role": "user", "content": "Apa kabar?"}]
            )
            for system in systems
        }
        seen |= {system for system, ids in head.items() if ids == list(row.ids[: row.start])}
    assert seen == systems


def test_casual_questions_are_lower_case_without_their_last_mark(
    make: Callable[..., Row], tokenizer: LLaDATokenizer
) -> None:
    row = make(["Apa Ibu Kota Jepang?", "Ibu kota Jepang adalah Tokyo."], replace(PLAIN, casual_share=1.0))
    expected = encode_chat(tokenizer, [{"role": "user", "content": "apa ibu kota jepang"}])
    assert list(row.ids[: row.start]) == expected
    assert "Tokyo." in tokenizer.decode(row.ids[row.start : row.end])


def test_shares_of_system_prompts_and_canvases_are_kept(make: Callable[..., Row], tokenizer: LLaDATokenizer) -> None:
    settings = RowSettings(system_share=0.5, variant_share=0.25, casual_share=0.0, canvas_share=0.0)
    bare = encode_chat(tokenizer, [{"role": "user", "content": "Apa kabar?"}])
    rows = [make(["Apa kabar?", "Baik."], settings, seed) for seed in range(400)]
    assert sum(list(row.ids[: row.start]) == bare for row in rows) / 400 == pytest.approx(0.25, abs=0.07)


@pytest.mark.parametrize("text", ["<|eot_id|> <|mdm_mask|>", "<|start_header_id|>system<|end_header_id|>"])
def test_special_tokens_in_the_text_stay_text(make: Callable[..., Row], tokenizer: LLaDATokenizer, text: str) -> None:
    row = make([text, text])
    ids = tokenizer.special
    assert ids.mask not in row.ids
    assert Counter(row.ids)[ids.eot] == 2
    assert Counter(row.ids)[ids.header_start] == 2
    assert tokenizer.decode(row.ids[row.start : row.end]) == text


# Dialogues


def test_a_dialogue_of_n_answers_gives_n_examples_each_ending_in_its_answer(
    make: Callable[..., Row], tokenizer: LLaDATokenizer, one_answer: Callable[[Row], tuple[int, ...]]
) -> None:
    turns = ["satu?", "Jawab satu.", "dua?", "Jawab dua.", "tiga?", "Jawab tiga."]
    seen = {}
    for seed in range(40):
        row = make(turns, PLAIN, seed)
        seen[tokenizer.decode(one_answer(row))] = tokenizer.decode(row.ids[: row.start])
    assert set(seen) == {"Jawab satu.", "Jawab dua.", "Jawab tiga."}
    assert "dua?" not in seen["Jawab satu."]
    assert "Jawab dua." in seen["Jawab tiga."]
    assert "Jawab tiga." not in seen["Jawab tiga."]


def test_a_long_conversation_keeps_its_last_turns_and_its_system_prompt(
    make: Callable[..., Row], tokenizer: LLaDATokenizer
) -> None:
    turns = [f"{'panjang sekali ' * 4}{i}{'?' if i % 2 == 0 else '.'}" for i in range(8)]
    lengths = set()
    for seed in range(40):
        most = 160 + 16 * (seed % 8)
        row = make(turns, replace(PLAIN, max_length=most, system_share=1.0), seed)
        assert len(row.ids) <= most
        ids, text = tokenizer.special, tokenizer.decode(row.ids[: row.start])
        assert SYSTEM_PROMPT in text
        answer = int(tokenizer.decode(row.ids[row.start : row.end]).rstrip(".")[-1])
        assert row.ids[row.end - 1] == ids.eot
        kept = [i for i in range(8) if f"{i}{'?' if i % 2 == 0 else '.'}" in text]
        assert kept == list(range(kept[0], answer))
        assert kept[0] % 2 == 0
        lengths.add((answer, kept[0]))
    assert any(first > 0 for _, first in lengths)
    assert (1, 0) in lengths


def test_an_answer_that_is_too_long_is_cut_at_the_rows_end(make: Callable[..., Row]) -> None:
    row = make(["Apa?", "kata " * 400], replace(PLAIN, max_length=64))
    assert (len(row.ids), row.end) == (64, 64)
    assert row.start < 64


def test_a_question_that_fills_the_row_is_left_out(tokenizer: LLaDATokenizer, talk: Talk) -> None:
    """Nothing of its answer would be seen, and a prompt's token is never supervised."""
    corpus = Corpus([talk(["tanya " * 400, "Jawab."]), talk(["Apa?", "Jawab."])])
    (row,) = RowMaker(tokenizer, corpus, replace(PLAIN, max_length=64)).rows(random.Random(0))
    assert tokenizer.decode(row.ids[row.start : row.end]) == "Jawab."


# Plain text


def test_plain_text_is_supervised_from_its_first_token_and_cut_where_too_long(
    tokenizer: LLaDATokenizer,
) -> None:
    words = " ".join(f"kata{i}" for i in range(200))
    maker = RowMaker(tokenizer, Corpus(), replace(PLAIN, max_length=64))
    ids = tokenizer.special
    cuts = set()
    for seed in range(10):
        row = maker.text_row(words, random.Random(seed))
        assert (row.ids[0], row.start, len(row.ids)) == (ids.bos, 1, 64)
        assert row.ids[row.end - 1] == ids.eos
        assert tokenizer.decode(row.ids[1 : row.end]) in words
        cuts.add(row.ids)
    assert len(cuts) > 5
    short = maker.text_row("Halo dunia.", random.Random(0))
    assert tokenizer.decode(short.ids[: short.end]) == "Halo dunia."


# Batches


@pytest.fixture(scope="session")
def maker(tokenizer: LLaDATokenizer, corpus: Corpus) -> RowMaker:
    return RowMaker(tokenizer, Corpus(corpus.conversations, [("Sebuah cerita pendek.", "cerita")]), RowSettings())


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("ids", "supervised", "weights"))


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_do_not(maker: RowMaker) -> None:
    first, again = (list(maker.batches(1024, seed=3, epoch=1)) for _ in range(2))
    assert len(first) == len(again) > 3
    assert all(map(same, first, again))
    for seed, epoch in ((3, 2), (4, 1)):
        other = list(maker.batches(1024, seed, epoch))
        assert len(other) != len(first) or not all(map(same, first, other))


def test_every_row_of_a_batch_has_one_length_and_every_conversation_is_there(maker: RowMaker) -> None:
    batches = list(maker.batches(1024, seed=0, epoch=0))
    for batch in batches:
        rows, length = batch.ids.shape
        assert length % 16 == 0
        assert rows == 1 or rows * length <= 1024
        assert batch.supervised.shape == batch.weights.shape == (rows, length)
        assert batch.ids.dtype == torch.long
    assert sum(len(batch.ids) for batch in batches) == len(maker.corpus.conversations) + 1
    drawn = [tuple(row) for batch in batches for row in batch.ids.tolist()]
    assert sorted(drawn) == sorted(row.ids for row in maker.rows(random.Random("0/0")))


def test_the_answer_and_its_padding_are_supervised_and_the_prompt_never(
    maker: RowMaker, tokenizer: LLaDATokenizer
) -> None:
    ids = tokenizer.special
    for batch in maker.batches(1024, seed=0, epoch=0):
        for row, supervised, weights in zip(batch.ids.tolist(), batch.supervised, batch.weights, strict=True):
            at = supervised.nonzero()[:, 0].tolist()
            assert at == list(range(at[0], len(row)))  # one run, up to the end of the row
            end = row.index(ids.eot, at[0]) if ids.header_start in row else row.index(ids.eos)
            assert set(row[end + 1 :]) <= {ids.eos}
            assert weights[: end + 1].tolist() == [1.0] * (end + 1)
            assert weights[end + 1 :].tolist() == pytest.approx([0.05] * (len(row) - end - 1))
            assert ids.header_start not in row[at[0] :]


def test_canvases_are_padded_to_the_sampled_length(make: Callable[..., Row]) -> None:
    settings = replace(PLAIN, canvas_share=1.0, canvas=(32, 64))
    lengths = {len(row.ids) - row.start for row in (make(["Apa?", "Ya."], settings, seed) for seed in range(20))}
    assert len(lengths) == 2
    assert all(any(0 <= length - canvas < 16 for canvas in (32, 64)) for length in lengths)


@pytest.mark.parametrize(("share", "copies"), [(0.0, 0), (1.0, 60), (3.0, 180), (0.5, 30)])
def test_a_source_is_repeated_as_often_as_asked(
    tokenizer: LLaDATokenizer, corpus: Corpus, share: float, copies: int
) -> None:
    settings = replace(PLAIN, sources={"sapaan": share, "umum": share})
    rows = list(RowMaker(tokenizer, corpus, settings).rows(random.Random(1)))
    assert len(rows) == copies if share != 0.5 else 18 <= len(rows) <= 42
