"""A trained model as a folder that others can load and check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from llada_demo.core.files import sha256_of
from llada_demo.learning.corpus import Corpus
from llada_demo.learning.pretrain import new_model
from llada_demo.learning.publish import MANIFEST, save_model, write_manifest
from llada_demo.learning.recipe import Phase, Recipe
from llada_demo.learning.vocabulary import train_vocabulary
from llada_demo.model import LLaDAModelLM
from llada_demo.model.tokenizer import LLaDATokenizer

# As small as a model can be whose bf16 weights need two files.
RECIPE = Recipe(
    model={"d_model": 256, "n_layers": 1, "n_heads": 2, "mlp_hidden_size": 64, "max_sequence_length": 64},
    vocab_size=12_000,
    phases=(Phase("masked", 1.0),),
)
FIGURES = {"steps": 3, "minutes": 0.1}


@pytest.fixture(scope="module")
def published(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: LLaDATokenizer, corpus: Corpus
) -> tuple[Path, LLaDAModelLM]:
    """A folder with the model, and the model that was saved in it."""
    folder = tmp_path_factory.mktemp("model")
    vocabulary = json.dumps(train_vocabulary(corpus.texts_of_all(), 400))
    (folder / "tokenizer.json").write_text(vocabulary, encoding="utf-8")
    model = new_model(RECIPE, tokenizer)
    save_model(model, tokenizer, folder, RECIPE, corpus, FIGURES)
    return folder, model


def test_shards_are_bf16_and_under_ten_megabytes(published: tuple[Path, LLaDAModelLM]) -> None:
    folder, _ = published
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) >= 2
    for shard in shards:
        assert shard.stat().st_size < 10_000_000
        with safe_open(shard, "pt") as weights:
            assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.bfloat16}  # noqa: SIM118


def test_the_folder_loads_back_as_the_same_model(published: tuple[Path, LLaDAModelLM]) -> None:
    folder, model = published
    again, report = LLaDAModelLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert again.dtype == torch.bfloat16
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    ids = LLaDATokenizer.from_folder(folder).special
    assert (again.config.mask_token_id, again.config.eos_token_id) == (ids.mask, ids.eos)
    prompt = torch.tensor([[1, 2, 3, ids.mask]])
    with torch.no_grad():
        assert torch.equal(again.eval()(prompt).logits, model.eval()(prompt).logits)


def test_the_manifest_names_every_file_that_decides_what_the_model_says(
    published: tuple[Path, LLaDAModelLM],
) -> None:
    folder, _ = published
    manifest = json.loads((folder / MANIFEST).read_text())
    deciding = {path.name for path in folder.iterdir()} - {"recipe.json", "training.json", MANIFEST}
    assert set(manifest) == deciding
    assert "model.safetensors.index.json" in deciding
    assert all(sha256_of(folder / name) == digest for name, digest in manifest.items())


def test_a_changed_file_changes_its_digest(published: tuple[Path, LLaDAModelLM], tmp_path: Path) -> None:
    folder, _ = published
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    write_manifest(tmp_path)
    before = json.loads((tmp_path / MANIFEST).read_text())
    with (tmp_path / "config.json").open("a") as file:
        file.write(" ")
    write_manifest(tmp_path)
    after = json.loads((tmp_path / MANIFEST).read_text())
    assert {name for name in before if before[name] != after[name]} == {"config.json"}


def test_recipe_and_figures_stand_beside_it(published: tuple[Path, LLaDAModelLM], corpus: Corpus) -> None:
    folder, _ = published
    assert Recipe.read(folder / "recipe.json") == RECIPE
    about = json.loads((folder / "training.json").read_text())
    assert about == {"figures": FIGURES, "rows": corpus.counts(), "licences": corpus.licences}
