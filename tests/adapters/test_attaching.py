"""Rows of one batch with different adapters: exact, independent, in many threads, and gone without a trace."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from llada_demo.adapters import Adapter, AdapterError, Attached, read_adapter
from llada_demo.model import LLaDAModelLM

Maker = Callable[..., Path]
Logits = Callable[..., Tensor]

CLOSE = {"rtol": 0.0, "atol": 1e-5}


@pytest.fixture
def attached(base: LLaDAModelLM, three: list[Adapter]) -> Attached:
    """Adapters a, b and c on the base."""
    home = Attached(base)
    for adapter in three:
        home.attach(adapter)
    return home


def hooks(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if module._forward_hooks]


def merged(model: LLaDAModelLM, adapters: Mapping[Adapter, float]) -> LLaDAModelLM:
    """A copy of the model with W + scale x scaling x B A in its weights."""
    other = copy.deepcopy(model)
    for adapter, scale in adapters.items():
        for name, (a, b) in adapter.weights.items():
            other.get_submodule(name).weight.data += scale * adapter.scaling * b @ a
    return other


# Against PEFT


@pytest.mark.parametrize(
    "options",
    [
        {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "k_proj", "v_proj"]},
        {"r": 8, "lora_alpha": 16, "use_rslora": True, "target_modules": ["q_proj", "attn_out", "up_proj"]},
        {"r": 3, "lora_alpha": 2, "target_modules": ["ff_out", "ff_proj"], "lora_dropout": 0.1},  # with the head
        {"r": 2, "lora_alpha": 4, "target_modules": ["ff_out", "q_proj"], "exclude_modules": ["transformer.ff_out"]},
        {"r": 2, "lora_alpha": 4, "target_modules": ["blocks.1.ff_out"], "task_type": "CAUSAL_LM"},
        {"r": 2, "lora_alpha": 4, "target_modules": "all-linear"},
    ],
)
def test_an_adapter_of_peft_computes_what_peft_computes(
    by_peft: Callable[..., tuple[Path, nn.Module]],
    base: LLaDAModelLM,
    ids: Tensor,
    logits: Logits,
    options: dict[str, Any],
) -> None:
    folder, theirs = by_peft(**options)
    adapter = read_adapter(folder, base, name="a")
    home = Attached(base)
    home.attach(adapter)
    expected = logits(theirs, ids)
    assert (expected - logits(base, ids)).abs().max() > 0.01
    with home.rows([{"a": 1.0}] * 4):
        torch.testing.assert_close(logits(base, ids), expected, **CLOSE)


# Rows


@pytest.mark.parametrize(
    "mixes",
    [
        [{}, {"a": 1}, {"b": 1.5}, {"c": 0.5, "a": 2}],
        [{}, {"a": 1}, {"b": 1}, {"c": 1}],  # neighbours, of different rank
        [{"c": 2}, {"b": 0.25}, {"a": 1}, {}],
        [{"b": 1}, {"c": 1}, {"b": 1}, {"c": 2, "b": 1}],  # rows of one adapter that are no neighbours
    ],
)
def test_a_mixed_batch_equals_single_runs(
    base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits, mixes: list[dict[str, float]]
) -> None:
    with attached.rows(mixes):
        together = logits(base, ids)
    for row, mix in enumerate(mixes):
        with attached.rows([mix]):
            alone = logits(base, ids[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, **CLOSE)
        assert torch.equal(alone, logits(base, ids[row : row + 1])) == (not mix)


def test_asked_positions_and_padding(base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits) -> None:
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    positions = torch.tensor([[0, 3], [1, 4], [2, 6], [5, 5]])
    with attached.rows([{"c": 1}, {"b": 1}, {"c": 1}, {}]):
        whole = logits(base, ids, attention_mask=mask)
        asked = logits(base, ids, attention_mask=mask, positions=positions)
    with attached.rows([{"b": 1}]):
        alone = logits(base, ids[1:2, :5])
    torch.testing.assert_close(asked, whole.gather(1, positions[..., None].expand(-1, -1, 64)), **CLOSE)
    torch.testing.assert_close(whole[1:2, :5], alone, **CLOSE)


def test_the_base_is_bit_identical(base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits) -> None:
    attached_to_nothing = logits(base, ids)
    for name in attached.names:
        attached.detach(name)
    plain = logits(base, ids)
    assert not hooks(base)
    assert torch.equal(attached_to_nothing, plain)


@pytest.mark.parametrize("mix", [{}, {"a": 0}, {"a": 0.0, "c": 0}])
def test_a_batch_of_the_base_is_bit_identical(
    base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits, mix: dict[str, float]
) -> None:
    with attached.rows([mix] * 4):
        inside = logits(base, ids)
    assert torch.equal(inside, logits(base, ids))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_scale_is_linear_in_the_weights(
    base: LLaDAModelLM, attached: Attached, three: list[Adapter], ids: Tensor, logits: Logits, scale: float
) -> None:
    for adapter in three:
        expected = logits(merged(base, {adapter: scale}), ids)
        with attached.rows([{adapter.name: scale}] * 4):
            torch.testing.assert_close(logits(base, ids), expected, **CLOSE)


def test_several_adapters_add_up(
    base: LLaDAModelLM, attached: Attached, three: list[Adapter], ids: Tensor, logits: Logits
) -> None:
    expected = logits(merged(base, dict(zip(three, (1, 0.5, 0.25), strict=True))), ids)
    with attached.rows([{"a": 1, "b": 0.5, "c": 0.25}] * 4):
        torch.testing.assert_close(logits(base, ids), expected, **CLOSE)


def test_blocks_nest_and_the_outer_one_comes_back(
    base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits
) -> None:
    plain = logits(base, ids)
    with attached.rows([{"a": 1}] * 4):
        outer = logits(base, ids)
        with attached.rows([{}] * 4):
            assert torch.equal(logits(base, ids), plain)
        assert torch.equal(logits(base, ids), outer)


def test_after_an_error_inside_the_model_is_the_base(
    base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits
) -> None:
    plain = logits(base, ids)
    with pytest.raises(ZeroDivisionError), attached.rows([{"a": 1}] * 4):
        raise ZeroDivisionError
    assert torch.equal(logits(base, ids), plain)


def test_a_batch_of_another_size_is_a_bug(base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits) -> None:
    with attached.rows([{"a": 1}] * 3), pytest.raises(ValueError, match="4 rows inside rows\\(\\) of 3 mixes"):
        logits(base, ids)


def test_one_visitors_wild_adapter_stays_in_its_row(
    base: LLaDAModelLM, attached: Attached, three: list[Adapter], ids: Tensor, logits: Logits
) -> None:
    huge = {name: (a * 1e30, b * 1e30) for name, (a, b) in three[1].weights.items()}
    attached.attach(replace(three[1], name="liar", weights=huge))
    with attached.rows([{"a": 1}, {"liar": 2}, {}, {"c": 1}]):
        mixed = logits(base, ids)
    with attached.rows([{"a": 1}, {}, {}, {"c": 1}]):
        calm = logits(base, ids)
    assert not torch.isfinite(mixed[1]).all()
    for row in (0, 2, 3):
        torch.testing.assert_close(mixed[row], calm[row], **CLOSE)


@pytest.mark.parametrize("scale", [-0.1, 2.0001, float("nan"), float("inf"), True, "1", None])
def test_a_scale_out_of_range(attached: Attached, scale: Any) -> None:
    with pytest.raises(AdapterError, match="must be from 0 to 2") as caught, attached.rows([{"a": scale}]):
        pass
    assert "seharusnya 0 sampai 2" in caught.value.in_language("id")


def test_an_unknown_name_says_what_there_is(attached: Attached) -> None:
    for use in (lambda: attached.rows([{}, {"d": 1}]).__enter__(), lambda: attached.detach("d")):
        with pytest.raises(AdapterError, match="no adapter named 'd'; attached: a, b, c") as caught:
            use()
        assert "Tidak ada adapter bernama 'd'" in caught.value.in_language("id")


# Attaching and detaching


def test_a_name_is_attached_once(attached: Attached, three: list[Adapter]) -> None:
    with pytest.raises(AdapterError, match="detach it first"):
        attached.attach(three[0])
    assert attached.names == ("a", "b", "c")


def test_an_adapter_that_was_read_for_another_model(three: list[Adapter], build: Callable[..., LLaDAModelLM]) -> None:
    for changes in ({"d_model": 16}, {"n_layers": 1}, {"weight_tying": True}):
        other = Attached(build(**changes))
        with pytest.raises(AdapterError, match="another model"):
            other.attach(three[2])
        assert other.names == ()


def test_hooks_stand_only_where_an_adapter_is(base: LLaDAModelLM, attached: Attached) -> None:
    attached.detach("c")
    attached.detach("b")
    assert hooks(base) == [f"model.transformer.blocks.{i}.q_proj" for i in (0, 1)]
    attached.detach("a")
    assert not hooks(base)


def test_detaching_gives_the_memory_back(base: LLaDAModelLM, by_hand: Maker, ids: Tensor, logits: Logits) -> None:
    home = Attached(base)
    plain = logits(base, ids)
    adapter = read_adapter(by_hand("sementara"), base)
    tensors = [weakref.ref(tensor) for pair in adapter.weights.values() for tensor in pair]
    home.attach(adapter)
    with home.rows([{"sementara": 1}, {"sementara": 0.5}, {}, {}]):  # stacked, and kept for the next step
        logits(base, ids)
    home.detach("sementara")
    del adapter
    gc.collect()
    assert not any(tensor() is not None for tensor in tensors)
    assert torch.equal(logits(base, ids), plain)


def test_who_is_inside_keeps_an_adapter_that_is_detached(
    base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits
) -> None:
    with attached.rows([{"c": 1}] * 4):
        before = logits(base, ids)
        attached.detach("c")
        assert torch.equal(logits(base, ids), before)
    assert "model.transformer.blocks.0.attn_out" not in hooks(base)
    with pytest.raises(AdapterError, match="attached: a, b"), attached.rows([{"c": 1}]):
        pass


def test_a_model_in_bfloat16(base: LLaDAModelLM, three: list[Adapter], ids: Tensor, logits: Logits) -> None:
    half = copy.deepcopy(base).to(torch.bfloat16)
    home = Attached(half)
    home.attach(three[1])
    with home.rows([{"b": 1}, {}, {}, {}]):
        mixed = logits(half, ids)
    assert mixed.dtype == torch.bfloat16
    expected = logits(merged(base, {three[1]: 1}), ids[:1])
    error, effect = (mixed[:1].float() - expected).abs().mean(), (logits(base, ids[:1]) - expected).abs().mean()
    assert error < 0.1 * effect


def test_values_that_the_models_type_cannot_hold(base: LLaDAModelLM, three: list[Adapter]) -> None:
    home = Attached(copy.deepcopy(base).to(torch.float16))
    large = {name: (a * 1e6, b) for name, (a, b) in three[0].weights.items()}
    with pytest.raises(AdapterError, match="too large for the model's type"):
        home.attach(replace(three[0], weights=large))


def test_a_model_whose_weights_are_not_in_memory(base: LLaDAModelLM, three: list[Adapter]) -> None:
    with pytest.raises(AdapterError, match="outside the memory"):
        Attached(copy.deepcopy(base).to("meta")).attach(three[0])


# Threads


def test_200_requests_in_threads_get_what_each_would_get_alone(
    base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits
) -> None:
    mixes: list[list[dict[str, float]]] = [
        [{"a": 1}, {}],
        [{"b": 1}, {"c": 2}],
        [{}, {}],
        [{"a": 0.5, "b": 1}, {"a": 1}],
    ]
    alone = []
    for mix in mixes:
        with attached.rows(mix):
            alone.append(logits(base, ids[:2]))
    start = threading.Barrier(8)

    def visit(number: int) -> int:
        if number < 8:
            start.wait()
        with attached.rows(mixes[number % 4]):
            return int(not torch.equal(logits(base, ids[:2]), alone[number % 4]))

    with ThreadPoolExecutor(8) as pool:
        wrong = sum(pool.map(visit, range(200)))
    assert wrong == 0


def test_adapters_come_and_go_while_others_are_answered(
    base: LLaDAModelLM, attached: Attached, three: list[Adapter], ids: Tensor, logits: Logits
) -> None:
    with attached.rows([{"b": 1}] * 4):
        alone = logits(base, ids)
    over = threading.Event()

    def churn() -> None:
        other = replace(three[2], name="tamu")
        while not over.is_set():
            attached.attach(other)
            attached.detach("tamu")

    def visit(_: int) -> bool:
        with attached.rows([{"b": 1}] * 4):
            return torch.equal(logits(base, ids), alone)

    with ThreadPoolExecutor(3) as pool:
        guest = pool.submit(churn)
        try:
            assert all(pool.map(visit, range(60)))
        finally:
            over.set()
        guest.result()


def test_another_thread_is_not_inside(base: LLaDAModelLM, attached: Attached, ids: Tensor, logits: Logits) -> None:
    plain = logits(base, ids)
    with attached.rows([{"c": 2}] * 4), ThreadPoolExecutor(1) as pool:
        assert torch.equal(pool.submit(logits, base, ids).result(), plain)
