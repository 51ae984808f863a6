"""Sentence embeddings: from texts to points, their k-means clusters, and a picture of them.

Any encoder of the hub or in a folder will do, by mean pooling over its last hidden state. Nothing of it is
run but its numbers: safetensors only, and no code of its own.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError

from llada_demo.core.errors import UserError
from llada_demo.core.files import sha256_of

# IndoBERT; the revision is the one of its pull request 3, which has the same weights as safetensors.
INDOBERT = "indobenchmark/indobert-base-p1@9f7ba973c27c7e6762a63cbaa0847b0d9901edc1"
LONGEST = 256  # tokens of a text; what follows does not count
BATCH = 64
RESTARTS = 10  # of k-means; the best one counts
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#000000")
WIDTH, HEIGHT, LEGEND = 1000, 720, 220  # pixels

Tell = Callable[[str], None]


class Encoder:
    """Texts -> points of length 1. name: a folder, or a hub id with or without `@revision`.

    Raises UserError for an encoder that is missing, incomplete, without safetensors, or that needs code of
    its own.
    """

    def __init__(self, name: str, device: str = "cpu", tell: Tell = lambda line: None) -> None:
        self.name, self.device, self.tell = name, device, tell
        folder = Path(name).expanduser()
        where, _, revision = (str(folder), "", "") if folder.exists() else name.partition("@")
        try:
            self.tokenizer, self.model = _load(where, revision or None)
            self.model.to(device).eval()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
            why = " ".join(str(error).split())[:300]
            raise UserError(
                f"Encoder {name} tidak dapat dipakai: {why}", f"The encoder {name} cannot be used: {why}"
            ) from error
        positions = getattr(self.model.config, "max_position_embeddings", LONGEST)
        self.longest = min(LONGEST, positions, self.tokenizer.model_max_length)

    def about(self) -> dict[str, Any]:
        """What a report needs to name it: name, revision or checksum, width."""
        folder = Path(self.name).expanduser()
        files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
        about = {"name": self.name, "class": type(self.model).__name__, "width": self.model.config.hidden_size}
        about["sha256"] = {file.name: sha256_of(file) for file in files}
        return about | {"revision": getattr(self.model.config, "_commit_hash", None), "longest": self.longest}

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32, the mean over each text's tokens, scaled to length 1. Long texts first, so that rows
        of a batch are alike in length; the same texts give the same points."""
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        points = np.empty((len(texts), self.model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            points[part] = self._encode([texts[i] for i in part])
            done, tenth = start + len(part), max(1, len(order) // 10)
            if done == len(order) or done // tenth > start // tenth:
                self.tell(f"embeddings: {done}/{len(order)}")
        return points

    def _encode(self, texts: list[str]) -> np.ndarray:
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=self.longest, return_tensors="pt")
        tokens = tokens.to(self.device)
        hidden = self.model(**tokens).last_hidden_state.float()  # (B, L, D)
        mask = tokens["attention_mask"][..., None].float()  # (B, L, 1)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        return F.normalize(mean, dim=-1).cpu().numpy()


def k_means(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The cluster, 0 to count - 1, of each of the points (N, D); the largest is 0. int64 (N,).

    In one thread: sums of several would depend on their order. Raises UserError where there are fewer
    distinct points than clusters, or where scikit-learn is missing.
    """
    KMeans, threadpool_limits = needs_scikit_learn()
    distinct = len(np.unique(points, axis=0))
    if distinct < count:
        raise UserError(
            f"--clusters {count} lebih banyak dari {distinct} pertanyaan berbeda dalam sampel.",
            f"--clusters {count} is more than the {distinct} distinct inputs of the sample.",
        )
    with threadpool_limits(limits=1):
        found = KMeans(n_clusters=count, n_init=RESTARTS, random_state=seed).fit(points.astype(np.float64)).labels_
    sizes = np.bincount(found, minlength=count)
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count)
    return rank[found]


def needs_scikit_learn() -> tuple[Any, Any]:
    """KMeans and threadpool_limits. Raises UserError where they are missing: better before the long work."""
    try:
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        raise UserError(
            f"Kurasi memerlukan paket {error.name}: pip install scikit-learn.",
            f"The curation needs the package {error.name}: pip install scikit-learn.",
        ) from error
    return KMeans, threadpool_limits


def plane(points: np.ndarray) -> np.ndarray:
    """The points (N, D) seen along their two principal components, (N, 2); signs are fixed, so that a picture
    looks the same every time."""
    centred = points.astype(np.float64) - points.mean(0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, : -min(2, axes.shape[1]) - 1 : -1]
    axes = axes * np.where(np.take_along_axis(axes, np.abs(axes).argmax(0)[None], 0) < 0, -1, 1)
    flat = np.zeros((len(points), 2))
    flat[:, : axes.shape[1]] = centred @ axes
    return flat


def picture(flat: np.ndarray, labels: np.ndarray, taken: Sequence[int]) -> bytes:
    """A PNG of the points (N, 2) coloured by cluster; rows that were not taken are pale. From the ninth cluster
    on the colours come again as rings."""
    from PIL import Image, ImageDraw

    from llada_demo.export.picture import INK, PAPER, QUIET, font

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    low, span = flat.min(0), np.maximum(np.ptp(flat, axis=0), 1e-12)
    room = np.array([WIDTH - LEGEND - 60, HEIGHT - 60])
    spots = 30 + (flat - low) / span * room
    spots[:, 1] = HEIGHT - spots[:, 1]
    chosen = set(taken)
    for at in sorted(range(len(spots)), key=lambda i: i in chosen):
        _dot(draw, spots[at], int(labels[at]), 3, pale=at not in chosen)
    kept = Counter(labels[list(taken)].tolist())
    draw.text((WIDTH - LEGEND, 24), "cluster: rows taken", font=font(16), fill=QUIET)
    for number in range(int(labels.max()) + 1):
        y = 60 + 24 * number
        _dot(draw, (WIDTH - LEGEND + 8, y), number, 6)
        draw.text((WIDTH - LEGEND + 24, y - 10), f"{number}: {kept[number]}", font=font(16), fill=INK)
    file = io.BytesIO()
    image.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _dot(draw: Any, centre: Sequence[float], label: int, radius: int, pale: bool = False) -> None:
    from PIL import ImageColor

    red, green, blue = (
        round(c + (255 - c) * 0.7 * pale) for c in ImageColor.getrgb(OKABE_ITO[label % len(OKABE_ITO)])[:3]
    )
    box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    ring = (label // len(OKABE_ITO)) % 2
    draw.ellipse(box, fill=None if ring else (red, green, blue), outline=(red, green, blue), width=2 if ring else 0)


def _load(where: str, revision: str | None) -> tuple[Any, Any]:
    """Tokenizer and model of an encoder. Raises ValueError, OSError or KeyError where it cannot be used."""
    from transformers import AutoModel, AutoTokenizer, PreTrainedConfig
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    config, _ = PreTrainedConfig.get_config_dict(where, revision=revision)
    if "auto_map" in config or "auto_map" in get_tokenizer_config(where, revision=revision):
        raise ValueError("it needs program code of its own, which is never run.")
    if config.get("is_encoder_decoder"):
        raise ValueError("it is no encoder alone but an encoder with a decoder.")
    tokenizer = AutoTokenizer.from_pretrained(where, revision=revision)
    model, info = AutoModel.from_pretrained(where, revision=revision, use_safetensors=True, output_loading_info=True)
    if missing := sorted(key for key in info["missing_keys"] if "pooler" not in key):
        raise ValueError(f"its weights lack {', '.join(missing[:3])}.")
    return tokenizer, model
