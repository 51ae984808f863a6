"""The settings of an adapter: read, refused in one sentence, adapted to a machine; and the named recipes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llada_demo.core.errors import UserError
from llada_demo.learning import tuning
from llada_demo.learning.tuning import FinetuneSettings, adapted, parse_flag, read_recipe, recipe_names

PLAIN = FinetuneSettings(r=4, alpha=8)
PISSA = replace(PLAIN, init="pissa_niter_4", targets=("q_proj", "ff_out"))


def test_settings_survive_json() -> None:
    settings = replace(PISSA, steps=7, epochs=None, learning_rate_b=1e-3)
    assert FinetuneSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"rank": 8}, "no setting rank.*there are:.* r,"),
        ({"r": 0}, "r must be at least 1, not 0"),
        ({"r": 100_000}, "r must be at most 1024"),
        ({"r": 8.5}, "r must be a whole number, not 8.5"),
        ({"r": True}, "r must be a whole number, not True"),
        ({"alpha": float("inf")}, "alpha must be a number"),
        ({"alpha": "16"}, "alpha must be a number, not '16'"),
        ({"method": "dora"}, "method must be one of: lora, rslora, loraplus"),
        ({"init": "pissa_niter_99"}, "init must be one of"),
        ({"targets": []}, "targets must be at least one name"),
        ({"targets": "q_proj"}, "targets must be a list of names"),
        ({"dropout": 1.0}, "dropout must be at most 0.9"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"epochs": 3, "steps": 5}, "exactly one of them, not epochs, steps"),
        ({"epochs": None}, "exactly one of them, not -"),
        ({"val_set_size": 2.5}, "val_set_size must be below 1, or a whole number"),
        ({"gradient_checkpointing": "yes"}, "gradient_checkpointing must be true or false"),
        ({"learning_rate": None}, "learning_rate must be a number, not None"),
    ],
)
def test_settings_that_cannot_be_used_are_one_sentence(data: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        FinetuneSettings.from_dict(data)
    assert all(len(sentence.splitlines()) == 1 for sentence in caught.value.sentences.values())


def test_another_budget_takes_the_place_of_the_recipes() -> None:
    assert PLAIN.changed(steps=9).epochs is None
    assert PLAIN.changed(minutes=1).changed(epochs=2).minutes is None
    assert PLAIN.changed(r=2).epochs == PLAIN.epochs


def test_flags_are_read_as_their_fields_kind() -> None:
    assert parse_flag("targets", "q_proj, head") == ("q_proj", "head")
    assert parse_flag("gradient_checkpointing", "true") is True
    assert parse_flag("learning_rate", "2e-4") == 2e-4
    with pytest.raises(UserError, match="r must be a whole number, not 'many'"):
        PLAIN.changed(r=parse_flag("r", "many"))


# number: r, alpha, learning rate of A, cutoff, method, start; as the write-up gives them
PUBLISHED = {
    1: (16, 16, 2e-4, 512, "lora", "default"),
    2: (32, 16, 2e-4, 512, "lora", "default"),
    3: (4, 16, 2e-4, 640, "lora", "default"),
    4: (8, 8, 5e-3, 512, "lora", "default"),
    5: (8, 8, 2e-4, 512, "lora", "default"),
    6: (16, 16, 5e-4, 512, "lora", "default"),
    7: (16, 16, 2e-4, 512, "lora", "default"),
    8: (16, 16, 5e-5, 512, "loraplus", "pissa_niter_4"),
    9: (16, 16, 5e-5, 512, "loraplus", "pissa_niter_8"),
}


@pytest.mark.parametrize("number", PUBLISHED)
def test_the_published_runs_are_recipes(number: int) -> None:
    s = read_recipe(f"published-{number}")
    assert (s.r, s.alpha, s.learning_rate, s.cutoff_len, s.method, s.init) == PUBLISHED[number]
    assert (s.batch_size, s.epochs, s.dropout, s.val_set_size) == (2, 3, 0.1, 0.1)
    assert s.targets == ("q_proj", "k_proj", "v_proj")
    assert s.rate_b == (pytest.approx(8e-4) if number > 7 else s.learning_rate)


def test_every_recipe_reads_and_says_why_it_is_so() -> None:
    names = recipe_names()
    assert len(names) >= 13
    assert all(read_recipe(name).note.endswith(".") for name in names)
    assert {"kecil-lora", "kecil-loraplus-pissa", "kecil-gaya", "kecil-rusak"} <= set(names)
    assert read_recipe("kecil-rusak").learning_rate == pytest.approx(25 * read_recipe("kecil-lora").learning_rate)


def test_an_unknown_recipe_lists_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no recipe published-10; there are: .*published-9"):
        read_recipe("published-10")
    for text in ("{", "[1]", '{"r": 0}'):
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(UserError):
            read_recipe(str(tmp_path / "r.json"))


def test_what_a_machine_or_base_cannot_do_is_adapted_and_told() -> None:
    settings, told = adapted(read_recipe("published-9"), 256, "cpu")
    assert (settings.cutoff_len, settings.dropout, settings.optimizer) == (256, 0.0, "adamw")
    assert [english.split()[0] for _, english in told] == ["cutoff_len", "dropout", "the"]
    assert settings.learning_rate == 5e-5
    same_settings, nothing = adapted(PLAIN, 512, "cpu")
    assert same_settings is PLAIN
    assert nothing == []


def test_eight_bit_adam_stays_where_it_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning.importlib.util, "find_spec", lambda name: object())
    wanted = replace(PLAIN, optimizer="adam8bit")
    assert adapted(wanted, 512, "cuda:0") == (wanted, [])
    assert adapted(wanted, 512, "cpu")[0].optimizer == "adamw"
