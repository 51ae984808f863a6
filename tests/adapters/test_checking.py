"""The weights file against the base: keys, pairs, shapes and types before a value is read, then the values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from llada_demo.adapters import AdapterError, read_adapter, reading
from llada_demo.model import LLaDAModelLM

Maker = Callable[..., Path]
Refusal = Callable[..., AdapterError]
Retouch = Callable[..., None]

STEM = "base_model.model.model.transformer"
A, B = f"{STEM}.blocks.0.q_proj.lora_A.weight", f"{STEM}.blocks.0.q_proj.lora_B.weight"


@pytest.fixture
def headers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault must be found before a weight is read."""

    def read(*_: object) -> None:
        raise AssertionError("the weights were read")

    monkeypatch.setattr(reading, "read_weights", read)


@pytest.mark.usefixtures("headers_only")
@pytest.mark.parametrize(
    "key",
    [
        f"{STEM}.blocks.7.q_proj.lora_A.weight",  # a block that is not there
        f"{STEM}.blocks.0.k_proj.lora_A.weight",  # a module that target_modules does not name
        f"{STEM}.blocks.0.q_proj.lora_magnitude_vector",
        f"{STEM}.blocks.0.q_proj.base_layer.weight",
        f"{STEM}.blocks.0.q_proj.lora_A.default.weight",
        f"{STEM}.wte.weight",
    ],
)
def test_a_key_too_many(by_hand: Maker, refusal: Refusal, retouch: Retouch, key: str) -> None:
    folder = by_hand()
    retouch(folder, lambda t: t.update({key: torch.zeros(4, 32)}))
    error = refusal(folder)
    assert f"keys matched: 8; unmatched: 1 ({key})." in str(error)
    assert f"kunci cocok: 8; tak dikenal: 1 ({key})." in error.in_language("id")
    assert error.report is not None
    assert error.report.unmatched == (key,)
    assert len(error.report.matched) == 8


@pytest.mark.usefixtures("headers_only")
@pytest.mark.parametrize("keys", [(A,), (B,), (A, B)])
def test_a_key_too_few(by_hand: Maker, refusal: Refusal, retouch: Retouch, keys: tuple[str, ...]) -> None:
    folder = by_hand()
    retouch(folder, lambda t: [t.pop(key) for key in keys])
    error = refusal(folder)
    assert f"missing: {len(keys)} ({', '.join(keys)})" in str(error)
    assert error.report is not None
    assert error.report.missing == keys


@pytest.mark.usefixtures("headers_only")
@pytest.mark.parametrize(
    ("key", "tensor", "said"),
    [
        (A, torch.zeros(5, 32), f"of another shape: 1 ({A} [5, 32] != [4, 32])."),
        (A, torch.zeros(32, 4), f"of another shape: 1 ({A} [32, 4] != [4, 32])."),
        (B, torch.zeros(32, 4, 1), f"of another shape: 1 ({B} [32, 4, 1] != [32, 4])."),
        (B, torch.zeros(0), f"of another shape: 1 ({B} [0] != [32, 4])."),
        (A, torch.zeros(4, 32, dtype=torch.int8), f"of another type: 1 ({A} I8)."),
        (A, torch.zeros(4, 32, dtype=torch.float8_e4m3fn), f"of another type: 1 ({A} F8_E4M3)."),
    ],
)
def test_a_tensor_of_another_shape_or_type(
    by_hand: Maker, refusal: Refusal, retouch: Retouch, key: str, tensor: Tensor, said: str
) -> None:
    folder = by_hand()
    retouch(folder, lambda t: t.update({key: tensor}))
    assert said in str(refusal(folder))


@pytest.mark.usefixtures("headers_only")
def test_a_rank_that_is_not_the_files(by_hand: Maker, refusal: Refusal, edit: Callable[..., None]) -> None:
    folder = by_hand()
    edit(folder, r=8)
    assert "of another shape: 8 (" in str(refusal(folder))


@pytest.mark.usefixtures("headers_only")
def test_every_kind_of_misfit_is_said_at_once(by_hand: Maker, refusal: Refusal, retouch: Retouch) -> None:
    folder = by_hand()
    retouch(folder, lambda t: t.update({"lain": t.pop(A), B: torch.zeros(1, dtype=torch.int64)}))
    said = str(refusal(folder))
    for part in ("matched: 7", "unmatched: 1 (lain)", f"missing: 1 ({A})", "shape: 1", "type: 1"):
        assert part in said


@pytest.mark.usefixtures("headers_only")
def test_names_of_another_family_match_nothing(by_hand: Maker, refusal: Refusal, retouch: Retouch) -> None:
    folder = by_hand()
    llama = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"

    def rename(tensors: dict[str, Tensor]) -> None:
        tensors.clear()
        tensors[llama] = torch.zeros(4, 32)

    retouch(folder, rename)
    error = refusal(folder)
    assert f"none of its keys fits this model (it holds: {llama})" in str(error)
    assert "attn_out, ff_out, ff_proj, k_proj, q_proj, up_proj, v_proj" in str(error)
    assert error.report is not None
    assert error.report.unmatched == (llama,)


@pytest.mark.usefixtures("headers_only")
def test_a_file_without_tensors(by_hand: Maker, refusal: Refusal, retouch: Retouch) -> None:
    folder = by_hand()
    retouch(folder, lambda t: t.clear())
    assert "none of its keys fits" in str(refusal(folder))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite(by_hand: Maker, refusal: Refusal, retouch: Retouch, value: float) -> None:
    folder = by_hand()
    retouch(folder, lambda t: t[B].view(-1)[-1:].fill_(value))
    error = refusal(folder)
    assert f"NaN or infinite values in 1 tensors ({B})" in str(error)
    assert "NaN atau tak hingga" in error.in_language("id")


def test_a_value_that_float32_cannot_hold(by_hand: Maker, refusal: Refusal, retouch: Retouch) -> None:
    folder = by_hand()
    retouch(folder, lambda t: t.update({A: torch.full((4, 32), 1e300, dtype=torch.float64)}))
    assert "infinite values in 1 tensors" in str(refusal(folder))


# The output head, which a bare `ff_out` names as well


@pytest.mark.parametrize("targets", [("blocks.0.ff_out", "blocks.1.ff_out", "ff_out"), ("ff_out",)])
def test_published_names_with_the_head(by_hand: Maker, base: LLaDAModelLM, targets: tuple[str, ...]) -> None:
    adapter = read_adapter(by_hand(targets=("q_proj", *targets), target_modules=["q_proj", "ff_out"]), base)
    a, b = adapter.weights["model.transformer.ff_out"]
    assert (a.shape, b.shape) == ((4, 32), (64, 4))
    assert len(adapter.weights) == 5


def test_published_names_without_the_head(by_hand: Maker, base: LLaDAModelLM) -> None:
    folder = by_hand(targets=("q_proj", "0.ff_out", "1.ff_out"), target_modules=["q_proj", "ff_out"])
    adapter = read_adapter(folder, base)
    assert "model.transformer.ff_out" not in adapter.weights
    assert len(adapter.weights) == 4
    assert not adapter.report.missing


def test_half_a_head_and_a_head_that_is_named_outright(by_hand: Maker, refusal: Refusal, retouch: Retouch) -> None:
    half = by_hand("separuh", ("ff_out",))
    retouch(half, lambda t: t.pop(f"{STEM}.ff_out.lora_B.weight"))
    assert f"missing: 1 ({STEM}.ff_out.lora_B.weight)" in str(refusal(half))
    named = by_hand("bernama", ("0.ff_out",), target_modules=["0.ff_out", "transformer.ff_out"])
    assert f"missing: 2 ({STEM}.ff_out.lora_A.weight" in str(refusal(named))


@pytest.mark.usefixtures("headers_only")
@pytest.mark.parametrize("targets", [["ff_out"], ["transformer.ff_out"], ["model.transformer.ff_out"]])
def test_a_head_on_a_model_with_tied_weights(
    by_hand: Maker, build: Callable[..., LLaDAModelLM], refusal: Refusal, targets: list[str]
) -> None:
    error = refusal(by_hand(targets=("ff_out",), target_modules=targets), build(weight_tying=True))
    assert "output head" in str(error)
    assert "tied to the embedding" in str(error)
    assert "terikat pada embedding" in error.in_language("id")


def test_a_bare_ff_out_on_a_model_with_tied_weights_means_the_blocks(
    by_hand: Maker, build: Callable[..., LLaDAModelLM]
) -> None:
    folder = by_hand(targets=("0.ff_out", "1.ff_out"), target_modules=["ff_out"])
    assert len(read_adapter(folder, build(weight_tying=True)).weights) == 2
