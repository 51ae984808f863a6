"""Texts as points: k-means, the picture, and the encoder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llada_demo.core.errors import UserError
from llada_demo.learning.embedding import Encoder, k_means, picture, plane

# Clusters and the picture


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Three heaps of 10, 30 and 20 points."""
    rng, where = np.random.default_rng(0), np.repeat([0, 1, 2], [10, 30, 20])
    return (np.eye(8)[where] * 5 + rng.normal(0, 0.3, (60, 8))).astype(np.float32), where


def test_k_means_finds_heaps_and_numbers_them_by_size(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    points, where = blobs
    for seed in range(3):
        assert k_means(points, 3, seed).tolist() == [{0: 2, 1: 0, 2: 1}[at] for at in where]


def test_without_scikit_learn_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.cluster", None)
    with pytest.raises(UserError, match="pip install scikit-learn"):
        k_means(np.eye(3, dtype=np.float32), 2, 0)


def test_the_plane_is_that_of_the_principal_components(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    flat = plane(blobs[0])
    centred = blobs[0] - blobs[0].mean(0)
    lengths = np.linalg.svd(centred.astype(np.float64), compute_uv=False)[:2]
    assert np.linalg.norm(flat, axis=0) == pytest.approx(lengths, rel=1e-4)
    assert plane(np.ones((4, 1), np.float32)).tolist() == [[0, 0]] * 4


def test_the_picture_shows_every_cluster_in_its_colour(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    import io

    from PIL import Image

    labels = k_means(blobs[0], 3, 0)
    image = Image.open(io.BytesIO(picture(plane(blobs[0]), labels, range(0, 60, 2)))).convert("RGB")
    there = {colour for _, colour in image.getcolors(1 << 20)}
    for wanted in ((0, 114, 178), (230, 159, 0), (0, 158, 115)):
        assert min(max(abs(a - b) for a, b in zip(wanted, colour, strict=True)) for colour in there) <= 4


# The encoder


def test_a_point_is_the_mean_over_a_texts_own_tokens(encoder: Encoder) -> None:
    texts = ["Halo.", "Bagaimana cara menanak nasi supaya pulen dan tidak gosong di bagian bawahnya?"]
    points = encoder(texts)
    assert points.shape == (2, 384)
    assert points.dtype == np.float32
    for text, point in zip(texts, points, strict=True):
        with torch.inference_mode():
            hidden = encoder.model(**encoder.tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(point, (hidden / hidden.norm()).numpy(), atol=1e-5)


def test_similar_questions_lie_near_each_other(encoder: Encoder) -> None:
    points = encoder(["Bagaimana cara menanak nasi?", "Cara memasak nasi bagaimana?", "Siapa presiden pertama kita?"])
    assert points[0] @ points[1] > points[0] @ points[2] + 0.1


def test_the_encoder_is_named_by_its_checksum(encoder: Encoder, folder: str) -> None:
    about = encoder.about()
    assert about["name"] == folder
    assert len(about["sha256"]["model.safetensors"]) == 64
    assert about["width"] == 384


def _no_weights(copy: Path) -> None:
    (copy / "model.safetensors").unlink()


def _pickled(copy: Path) -> None:
    _no_weights(copy)
    torch.save({"embeddings.word_embeddings.weight": torch.zeros(2, 2)}, copy / "pytorch_model.bin")


def _config(**changes: Any) -> Callable[[Path], None]:
    def change(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps(config | changes))

    return change


def _own_tokenizer(copy: Path) -> None:
    config = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps(config | {"auto_map": {"AutoTokenizer": ["a.B", None]}}))


def _cut(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes((copy / "model.safetensors").read_bytes()[:5000])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_no_weights, "cannot be used"),
        (_pickled, "cannot be used"),
        (_cut, "cannot be used"),
        (_config(auto_map={"AutoModel": "a.B"}), "program code of its own"),
        (_own_tokenizer, "program code of its own"),
        (_config(is_encoder_decoder=True), "no encoder alone"),
        (_config(num_hidden_layers=7), "weights lack"),
        (_config(model_type="nothing-known"), "cannot be used"),
        (lambda copy: shutil.rmtree(copy), "cannot be used"),
    ],
)
def test_an_encoder_that_will_not_do_is_refused(
    spoil: Callable[[Path], None], why: str, tmp_path: Path, folder: str
) -> None:
    copy = tmp_path / "encoder"
    shutil.copytree(folder, copy)
    spoil(copy)
    with pytest.raises(UserError, match=rf"The encoder {copy}.*{why}|The encoder {copy} {why}"):
        Encoder(str(copy))
