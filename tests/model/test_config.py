"""LLaDAConfig: what it accepts, and what it refuses by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tiny import GOLDEN, tiny_config

from llada_demo.core.errors import ModelError
from llada_demo.model import LLaDAConfig
from llada_demo.model.config import IMPLEMENTED


def test_worked_example_sizes_of_the_8b() -> None:
    config = LLaDAConfig()
    assert (config.d_model, config.n_layers, config.n_heads, config.head_dim) == (4096, 32, 32, 128)
    assert config.n_kv_heads == 32
    assert config.embedding_size == config.vocab_size == 126464


def test_the_published_file_is_read_as_it_is() -> None:
    config = LLaDAConfig.from_pretrained(GOLDEN)
    published = json.loads((GOLDEN / "config.json").read_text())
    for name in ("d_model", "n_layers", "n_heads", "n_kv_heads", "mlp_hidden_size", "mask_token_id"):
        assert getattr(config, name) == published[name]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("activation_type", "swiglu"),
        ("alibi", True),
        ("attention_dropout", 0.1),
        ("attention_layer_norm", True),
        ("bias_for_layer_norm", True),
        ("block_group_size", 2),
        ("block_type", "sequential"),
        ("embedding_dropout", 0.1),
        ("include_bias", True),
        ("include_qkv_bias", True),
        ("input_emb_norm", True),
        ("layer_norm_type", "default"),
        ("layer_norm_with_affine", False),
        ("multi_query_attention", True),
        ("quantization_config", {"bits": 4}),
        ("residual_dropout", 0.1),
        ("rope", False),
        ("rope_full_precision", False),
        ("rope_parameters", {"rope_type": "yarn"}),
        ("rope_scaling", {"factor": 2.0}),
        ("scale_logits", True),
    ],
)
def test_a_field_that_is_not_implemented_is_named(field: str, value: Any) -> None:
    with pytest.raises(ModelError) as caught:
        tiny_config(**{field: value})
    for language in ("id", "en"):
        assert f"{field}={value!r}" in caught.value.in_language(language)


def test_every_unsupported_field_is_named_at_once() -> None:
    with pytest.raises(ModelError, match=r"alibi=True, .*input_emb_norm=True, .*scale_logits=True"):
        tiny_config(alibi=True, input_emb_norm=True, scale_logits=True)


@pytest.mark.filterwarnings("ignore:`rope_scaling` is deprecated")
@pytest.mark.parametrize("field", sorted(IMPLEMENTED))
def test_the_implemented_value_and_none_are_accepted(field: str) -> None:
    for value in (*IMPLEMENTED[field], None):
        tiny_config(**{field: value})


def test_alias_names_decide_the_derived_sizes() -> None:
    config = LLaDAConfig(
        hidden_size=64, num_attention_heads=4, num_hidden_layers=3, max_position_embeddings=99, vocab_size=50
    )
    assert (config.d_model, config.n_heads, config.n_layers, config.max_sequence_length) == (64, 4, 3, 99)
    assert config.n_kv_heads == 4
    assert config.mlp_hidden_size == 256
    assert LLaDAConfig(hidden_size=64, num_attention_heads=4, num_key_value_heads=2).n_kv_heads == 2
    assert (config.hidden_size, config.num_attention_heads, config.num_key_value_heads) == (64, 4, 4)


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ({"d_model": 30}, "d_model / n_heads"),
        ({"d_model": 36, "n_heads": 4}, "d_model / n_heads"),  # a head of 9 has no halves to rotate
        ({"n_heads": 4, "n_kv_heads": 3}, "n_heads / n_kv_heads"),
    ],
)
def test_sizes_that_do_not_divide_are_refused(sizes: dict[str, int], named: str) -> None:
    with pytest.raises(ModelError, match=named):
        tiny_config(**sizes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("d_model", "64"),
        ("d_model", -64),
        ("n_heads", 0),
        ("n_layers", 2.5),
        ("mlp_hidden_size", -3),
        ("vocab_size", True),
        ("mask_token_id", "5"),
        ("mask_token_id", -1),
        ("rms_norm_eps", 0.0),
        ("rope_theta", "besar"),
        ("rope_theta", float("nan")),
    ],
)
def test_nonsense_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ModelError, match=field):
        tiny_config(**{field: value})


def test_saving_and_reading_gives_the_same_configuration(tmp_path: Any) -> None:
    config = tiny_config(n_kv_heads=2, weight_tying=True, mask_token_id=5, rope_theta=10000.0)
    config.save_pretrained(tmp_path)
    again = LLaDAConfig.from_pretrained(tmp_path)
    assert {n: getattr(again, n) for n in LLaDAConfig.__annotations__} == {
        n: getattr(config, n) for n in LLaDAConfig.__annotations__
    }
