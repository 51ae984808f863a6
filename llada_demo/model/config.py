"""LLaDAConfig: the published configuration of LLaDA, and the list of what of it is not implemented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from transformers import PreTrainedConfig

from llada_demo.core.errors import ModelError

# Fields that change what the network computes, and the one value of each that this implementation computes.
# `None` counts as "not set". A checkpoint with another value is refused by name: see `refuse_unsupported`.
IMPLEMENTED: Mapping[str, tuple[Any, ...]] = {
    "activation_type": ("silu",),
    "alibi": (False,),
    "attention_layer_norm": (False,),
    "bias_for_layer_norm": (False,),
    "block_group_size": (1,),
    "block_type": ("llama",),
    "include_bias": (False,),
    "include_qkv_bias": (False,),
    "input_emb_norm": (False,),
    "layer_norm_type": ("rms",),
    "layer_norm_with_affine": (True,),
    "multi_query_attention": (False,),
    "quantization_config": (),
    "rope": (True,),
    "rope_full_precision": (True,),
    "rope_parameters": (),
    "rope_scaling": (),
    "scale_logits": (False,),
    "attention_dropout": (0.0,),
    "embedding_dropout": (0.0,),
    "residual_dropout": (0.0,),
}


class LLaDAConfig(PreTrainedConfig):
    """Configuration of a LLaDA network, with the field names of the published checkpoints.

    `d_model` D, `n_layers` N, `n_heads` H, `n_kv_heads` (defaults to H; fewer is grouped-query attention),
    `mlp_hidden_size` (defaults to `mlp_ratio` x D), `embedding_size` V (rows of the embedding and of the
    head, defaults to `vocab_size`), `weight_tying` (then the checkpoint holds no output matrix).

    Raises ModelError where a size does not fit or a field asks for something that is not implemented.
    """

    model_type = "llada"
    attribute_map: ClassVar[dict[str, str]] = {
        "hidden_size": "d_model",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "num_key_value_heads": "n_kv_heads",
        "max_position_embeddings": "max_sequence_length",
    }

    d_model: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: int | None = None
    mlp_hidden_size: int | None = None
    mlp_ratio: int = 4
    vocab_size: int = 126464
    embedding_size: int | None = None
    weight_tying: bool = False
    max_sequence_length: int = 4096
    rms_norm_eps: float = 1e-5
    rope_theta: float = 500000.0
    mask_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None
    init_std: float = 0.02

    def __post_init__(self, **kwargs: Any) -> None:
        refuse_unsupported(kwargs)
        for alias, name in self.attribute_map.items():  # before the sizes that are derived from them
            if kwargs.get(alias) is not None:
                setattr(self, name, kwargs[alias])
            kwargs.pop(alias, None)
        self.n_kv_heads = self.n_kv_heads or self.n_heads
        self.mlp_hidden_size = self.mlp_hidden_size or self.mlp_ratio * self.d_model
        self.embedding_size = self.embedding_size or self.vocab_size
        refuse_nonsense(self)
        super().__post_init__(**kwargs)
        # The output matrix is simply absent when tied; transformers has nothing to tie (and must not try).
        self.tie_word_embeddings = False
        for what, number, divisor in (
            ("d_model / n_heads", self.d_model, 2 * self.n_heads),
            ("n_heads / n_kv_heads", self.n_heads, self.n_kv_heads),
        ):
            if number % divisor:
                raise ModelError(
                    f"Konfigurasi model tidak cocok: {what} tidak habis dibagi ({number} oleh {divisor}).",
                    f"The model's configuration does not fit: {what} leaves a rest ({number} by {divisor}).",
                )

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads


def refuse_unsupported(fields: Mapping[str, Any]) -> None:
    """Raises ModelError naming every field of a checkpoint's configuration that is not implemented here."""
    wrong = [
        f"{name}={fields[name]!r}"
        for name, allowed in IMPLEMENTED.items()
        if fields.get(name) is not None and fields[name] not in allowed
    ]
    if wrong:
        raise ModelError(
            f"Model ini memakai bagian LLaDA yang belum didukung: {', '.join(wrong)}.",
            f"This checkpoint uses parts of LLaDA that are not implemented: {', '.join(wrong)}.",
        )


def refuse_nonsense(config: LLaDAConfig) -> None:
    """Raises ModelError naming every size that is no positive whole number and every id that is no id."""
    sizes = (
        "d_model",
        "n_layers",
        "n_heads",
        "n_kv_heads",
        "mlp_hidden_size",
        "vocab_size",
        "embedding_size",
    )
    wrong = [f"{name}={value!r}" for name in sizes if not _whole(value := getattr(config, name), 1)]
    wrong += [
        f"{name}={value!r}"
        for name in ("mask_token_id", "eos_token_id", "pad_token_id")
        if (value := getattr(config, name)) is not None and not _whole(value, 0)
    ]
    wrong += [
        f"{name}={value!r}"
        for name in ("rms_norm_eps", "rope_theta")
        if not isinstance(value := getattr(config, name), int | float) or not 0 < value < float("inf")
    ]
    if wrong:
        raise ModelError(
            f"Konfigurasi model tidak masuk akal: {', '.join(wrong)}.",
            f"The model's configuration makes no sense: {', '.join(wrong)}.",
        )


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
