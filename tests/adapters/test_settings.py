"""adapter_config.json: what changes the function is refused by name, what does not is let through."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llada_demo.adapters import AdapterError, read_adapter
from llada_demo.model import LLaDAModelLM

Maker = Callable[..., Path]
Refusal = Callable[..., AdapterError]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"peft_type": "IA3"}, "peft_type in adapter_config.json is 'IA3'"),
        ({"peft_type": ...}, "peft_type in adapter_config.json is None"),
        ({"r": 100_000}, "r in adapter_config.json is 100000; it must be a whole number, 1 to 256"),
        ({"r": 0}, "it must be a whole number, 1 to 256"),
        ({"r": 4.0}, "r in adapter_config.json is 4.0"),
        ({"r": True}, "r in adapter_config.json is True"),
        ({"r": ...}, "r in adapter_config.json is None"),
        ({"r": 10**4000}, "it must be a whole number, 1 to 256"),
        ({"lora_alpha": float("inf")}, "lora_alpha in adapter_config.json is inf"),
        ({"lora_alpha": float("nan")}, "lora_alpha in adapter_config.json is nan"),
        ({"lora_alpha": -1}, "lora_alpha in adapter_config.json is -1"),
        ({"lora_alpha": 0}, "lora_alpha in adapter_config.json is 0"),
        ({"lora_alpha": 10**4000}, "at most 4096"),
        ({"lora_alpha": "16"}, "lora_alpha in adapter_config.json is '16'"),
        ({"lora_alpha": ...}, "lora_alpha in adapter_config.json is None"),
        ({"use_rslora": "ya"}, "use_rslora in adapter_config.json is 'ya'"),
        ({"bias": "all"}, "bias in adapter_config.json is 'all'"),
        ({"target_modules": "(q_proj|v_proj)"}, "target_modules is a text ('(q_proj|v_proj)')"),
        ({"target_modules": "(a+)+$"}, "which means a regular expression"),
        ({"target_modules": ["q_proj", ".*v_proj"]}, "'.*v_proj'; regular expressions are not accepted"),
        ({"target_modules": ["q_proj", 3]}, "holds what is no module name: 3"),
        ({"target_modules": {"q_proj": 1}}, "it must be a list of module names"),
        ({"target_modules": []}, "target_modules is empty"),
        ({"target_modules": None}, "target_modules is empty"),
        ({"target_modules": ["q_proj", "o_proj", "gate_proj"]}, "does not have: o_proj, gate_proj; it has: attn_out"),
        ({"exclude_modules": "ff_out"}, "exclude_modules is a text"),
        ({"llada_demo": "x"}, "llada_demo in adapter_config.json is 'x'"),
    ],
)
def test_values_that_are_not_allowed(
    by_hand: Maker, refusal: Refusal, edit: Callable[..., None], fields: dict[str, Any], named: str
) -> None:
    folder = by_hand()
    edit(folder, **fields)
    error = refusal(folder)
    assert named in str(error)
    assert "Adapter adapter ditolak: " in error.in_language("id")


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "PISSA", 2, ["gaussian"]])
def test_a_start_that_moves_the_base(by_hand: Maker, refusal: Refusal, start: Any) -> None:
    error = refusal(by_hand(init_lora_weights=start))
    assert f"init_lora_weights = {start!r}" in str(error)
    assert "mengubah bobot model dasar" in error.in_language("id")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("use_dora", True),
        ("rank_pattern", {"(a+)+$": 8}),
        ("alpha_pattern", {"q_proj": 1e9}),
        ("modules_to_save", ["wte"]),
        ("layers_to_transform", [0]),
        ("layers_pattern", "blocks"),
        ("auto_map", {"AutoModel": "code.Model"}),
        ("layer_replication", [[0, 9999]]),
        ("megatron_config", {"x": 1}),
        ("trainable_token_indices", [1]),
        ("fan_in_fan_out", True),
        ("lora_bias", True),
        ("use_qalora", True),
        ("target_parameters", ["a"]),
        ("alora_invocation_tokens", [1]),
        ("eva_config", {"rho": 2.0}),
        ("bidang_baru", {"x": 1}),
    ],
)
def test_fields_that_are_not_supported_are_named(by_hand: Maker, refusal: Refusal, field: str, value: Any) -> None:
    error = refusal(by_hand(**{field: value}))
    assert f"uses what is not supported here: {field} = " in str(error)
    assert f"yang tidak didukung di sini: {field} = " in error.in_language("id")


def test_a_strangers_long_text_stays_short(by_hand: Maker, refusal: Refusal) -> None:
    error = refusal(by_hand(**{f"b{i}" * 500 + "\n\r": "x" * 5000 for i in range(30)}))
    assert "…" in str(error)


def test_harmless_and_empty_fields(by_hand: Maker, base: LLaDAModelLM) -> None:
    folder = by_hand(
        auto_mapping={"base_model_class": "LLaDAModelLM", "parent_library": "transformers_modules.GSAI-ML"},
        inference_mode=True,
        lora_dropout=0.1,
        peft_version="0.15.1",
        megatron_core="megatron.core",
        qalora_group_size=16,
        revision="main",
        task_type="CAUSAL_LM",
        init_lora_weights="gaussian",
        use_dora=False,
        rank_pattern={},
        loftq_config={},
        modules_to_save=None,
        bidang_baru=None,
    )
    assert read_adapter(folder, base).rank == 4


@pytest.mark.parametrize(("rslora", "scaling"), [(False, 2.0), (None, 2.0), (True, 4.0)])
def test_the_scaling(by_hand: Maker, base: LLaDAModelLM, rslora: bool | None, scaling: float) -> None:
    assert read_adapter(by_hand(use_rslora=rslora), base).scaling == scaling


@pytest.mark.parametrize("text", ["", '{"r": 8', "[1, 2]", "\ufeff{}", "[" * 100_000, '{"r": 1' + "0" * 5000 + "}"])
def test_a_damaged_configuration(by_hand: Maker, refusal: Refusal, text: str) -> None:
    folder = by_hand()
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    assert "adapter_config.json is damaged or only half downloaded" in str(refusal(folder))


def test_a_huge_configuration_is_not_parsed(by_hand: Maker, refusal: Refusal) -> None:
    folder = by_hand()
    (folder / "adapter_config.json").write_text(json.dumps({"x": "y" * (1 << 20)}))
    assert "more than 1048576 bytes" in str(refusal(folder))


def test_many_targets_take_no_time(by_hand: Maker, refusal: Refusal) -> None:
    folder = by_hand(target_modules=[f"a{i}" for i in range(90_000)])
    began = time.monotonic()
    refusal(folder)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("targets", "excluded", "modules"),
    [
        (["q_proj"], None, ["blocks.0.q_proj", "blocks.1.q_proj"]),
        (["blocks.1.q_proj"], None, ["blocks.1.q_proj"]),
        (["1.ff_out"], None, ["blocks.1.ff_out"]),  # as PEFT shortens a long list
        (["model.transformer.blocks.0.ff_out"], None, ["blocks.0.ff_out"]),
        (["transformer.ff_out"], None, ["ff_out"]),
        (["ff_out"], ["transformer.ff_out"], ["blocks.0.ff_out", "blocks.1.ff_out"]),
    ],
)
def test_a_target_is_the_end_of_a_name(
    by_hand: Maker, base: LLaDAModelLM, targets: list[str], excluded: list[str] | None, modules: list[str]
) -> None:
    folder = by_hand(
        targets=[f"transformer.{name}" for name in modules], target_modules=targets, exclude_modules=excluded
    )
    assert sorted(read_adapter(folder, base).weights) == [f"model.transformer.{name}" for name in modules]
