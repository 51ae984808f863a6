"""A recipe is one JSON file, and a wrong one is refused with one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llada_demo.core.errors import UserError
from llada_demo.learning.objective import Noise
from llada_demo.learning.recipe import Phase, Recipe
from llada_demo.learning.rows import RowSettings
from llada_demo.model import LLaDAConfig

RECIPE = Path(__file__).resolve().parents[2] / "assets" / "model" / "recipe.json"
SMALL: dict[str, Any] = {
    "model": {"d_model": 32, "n_layers": 1, "n_heads": 2},
    "vocab_size": 400,
    "phases": [{"kind": "causal", "share": 0.4}, {"kind": "masked", "share": 0.6, "noise": {"blocks": 0.5}}],
}


def test_the_recipe_of_the_embedded_model_reads() -> None:
    recipe = Recipe.read(RECIPE)
    assert {phase.kind for phase in recipe.phases} <= {"causal", "masked"}
    assert recipe.phases[-1].kind == "masked"
    assert sum(phase.share for phase in recipe.phases) == pytest.approx(1.0)
    config = LLaDAConfig(**recipe.model, vocab_size=recipe.vocab_size)
    assert all(phase.rows.max_length <= config.max_sequence_length for phase in recipe.phases)
    assert all(phase.rows.max_length % phase.rows.bucket == 0 for phase in recipe.phases)
    assert recipe.minutes > 0


def test_what_is_not_named_has_its_default() -> None:
    recipe = Recipe.from_dict(SMALL)
    assert recipe.phases == (Phase("causal", 0.4), Phase("masked", 0.6, Noise(blocks=0.5), RowSettings()))
    assert recipe.seed == 0


def test_lists_become_tuples_and_comments_are_allowed() -> None:
    data = {**SMALL, "comment": "why", "leave_out": ["teknologi"]}
    data["phases"] = [{"kind": "masked", "share": 1, "rows": {"canvas": [16, 32], "comment": "short answers"}}]
    recipe = Recipe.from_dict(data)
    assert recipe.leave_out == ("teknologi",)
    assert recipe.phases[0].rows.canvas == (16, 32)


def test_a_recipe_survives_json() -> None:
    for recipe in (Recipe.from_dict(SMALL), Recipe.read(RECIPE)):
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def changed(**values: Any) -> dict[str, Any]:
    return {**SMALL, **values}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (changed(speed=9), "unknown fields speed of Recipe"),
        (
            changed(phases=[{"kind": "masked", "share": 1, "noise": {"wait": 1, "also": 2}}]),
            "also, wait of Noise",
        ),
        (changed(phases=[{"kind": "masked", "share": 1, "rows": {"length": 1}}]), "length of RowSettings"),
        (changed(phases=[{"kind": "masked", "share": 1, "extra": 1}]), "extra of Phase"),
        (changed(phases=[{"share": 1}]), "kind"),
        (changed(phases=[{"kind": "masked"}]), "share"),
        (changed(phases=[{"kind": "diffusion", "share": 1}]), "diffusion.*causal, masked"),
        (changed(phases=[]), "phase"),
        (
            changed(phases=[{"kind": "masked", "share": 1, "noise": {"weighting": "1/t"}}]),
            "1/t.*uniform, reference",
        ),
        (changed(phases=[{"kind": "masked", "share": 1, "noise": {"t": "gauss"}}]), "gauss.*uniform, bell"),
        ({"model": {}, "vocab_size": 400}, "phases"),
        ({k: v for k, v in SMALL.items() if k != "vocab_size"}, "vocab_size"),
        ([], "JSON object"),
    ],
)
def test_what_a_recipe_cannot_mean_is_refused_with_one_sentence(tmp_path: Path, data: Any, named: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=named) as caught:
        Recipe.read(path)
    for language in ("id", "en"):
        sentence = caught.value.in_language(language)
        assert str(path) in sentence
        assert "\n" not in sentence
        assert "Traceback" not in sentence


@pytest.mark.parametrize("text", ["", "{", "\x00"])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(UserError, match="cannot be read"):
        Recipe.read(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.json"):
        Recipe.read(tmp_path / "nowhere.json")
