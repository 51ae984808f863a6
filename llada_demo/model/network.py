"""The LLaDA network (arXiv 2502.09992): a Llama-style transformer without a causal mask.

Parameter names are those of the published checkpoints, so that they, and PEFT adapters made for them, load
as they are. B batch, L length, V vocabulary, H heads, D width, N layers, P asked positions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput

from llada_demo.model.config import LLaDAConfig

Observer = Callable[[int, Tensor], None]  # (layer, attention probabilities (B, H, L, L))


@lru_cache(maxsize=16)
def rope_tables(length: int, head_dim: int, theta: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine (length, head_dim) in float32, for `rotate`: the angles stand twice, once for each half of a
    head, and the first half's sine is negative."""
    # The tables outlive the call: made while answering (inference mode), they must serve training too.
    with torch.inference_mode(False):
        frequencies = theta ** (-torch.arange(0, head_dim, 2, device=device, dtype=torch.float32) / head_dim)
        angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequencies
        cos, sin = angles.cos(), angles.sin()
        return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding (arXiv 2104.09864) of x (B, H, L, head), halves not pairs -> (B, H, L, head) in float32."""
    full = x.float()
    swapped = full.roll(full.shape[-1] // 2, dims=-1)
    return torch.addcmul(full * cos, swapped, sin)


class LLaDARMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) in float32, back to x's type, then times the weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, eps=self.eps) * self.weight


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of queries (B, H, P, head) over keys and values (B, H, L, head) -> (B, H, P, head) in values' type.

    That type is also the computation's, but on a CPU it is at least float32: there torch's kernel for bfloat16 is
    slower, and its backward takes two to three times as long.
    """
    kind = values.dtype
    if values.device.type == "cpu":
        kind = torch.promote_types(kind, torch.float32)
    with torch.autocast("cpu", enabled=False):
        mixed = F.scaled_dot_product_attention(queries.to(kind), keys.to(kind), values.to(kind), attn_mask=mask)
    return mixed.to(values.dtype)


class LLaDABlock(nn.Module):
    """Attention, then a gated feed-forward part, each behind a norm and added to the stream."""

    def __init__(self, config: LLaDAConfig) -> None:
        super().__init__()
        width, head = config.d_model, config.head_dim
        kv_heads, inner = config.n_kv_heads, config.mlp_hidden_size
        assert kv_heads
        assert inner
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, kv_heads, head
        self.attn_norm = LLaDARMSNorm(width, config.rms_norm_eps)
        self.q_proj = nn.Linear(width, config.n_heads * head, bias=False)
        self.k_proj = nn.Linear(width, kv_heads * head, bias=False)
        self.v_proj = nn.Linear(width, kv_heads * head, bias=False)
        self.attn_out = nn.Linear(width, width, bias=False)
        self.ff_norm = LLaDARMSNorm(width, config.rms_norm_eps)
        self.ff_proj = nn.Linear(width, inner, bias=False)  # the gate
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.ff_out = nn.Linear(inner, width, bias=False)

    def forward(
        self,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        mask: Tensor | None,
        queries: Tensor | None = None,
        record: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """x (B, L, D) -> x (B, L or P, D) and, if asked, attention probabilities (B, H, L or P, L).

        mask: bool, broadcastable to (B, H, L, L), True = may be attended to. queries (B, P): compute only
        these rows; keys and values still come from all of them, so the rows are exactly those of the full
        computation.
        """
        normed = self.attn_norm(x)
        keys = rotate(self._heads(self.k_proj(normed), self.n_kv_heads), *rope)
        values = self._heads(self.v_proj(normed), self.n_kv_heads)
        cos, sin = rope
        if queries is not None:
            rows = queries[..., None].expand(-1, -1, x.shape[-1])
            x, normed = x.gather(1, rows), normed.gather(1, rows)
            cos, sin = cos[queries][:, None], sin[queries][:, None]  # (B, 1, P, head)
            if mask is not None and mask.shape[2] > 1:
                mask = mask.gather(2, queries[:, None, :, None].expand(-1, mask.shape[1], -1, mask.shape[3]))
        asked = rotate(self._heads(self.q_proj(normed), self.n_heads), cos, sin)
        if self.n_kv_heads != self.n_heads:
            groups = self.n_heads // self.n_kv_heads
            keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
        mixed = attend(asked, keys, values, mask)
        # Recording looks beside the computation, never into it: the stream is the same bit for bit.
        seen = self._probabilities(asked, keys, mask) if record else None
        x = x + self.attn_out(mixed.transpose(1, 2).flatten(2))
        normed = self.ff_norm(x)
        return x + self.ff_out(F.silu(self.ff_proj(normed)) * self.up_proj(normed)), seen

    def _heads(self, x: Tensor, n: int) -> Tensor:
        """(B, L, n * head) -> (B, n, L, head)."""
        return x.unflatten(-1, (n, self.head_dim)).transpose(1, 2)

    def _probabilities(self, queries: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        scores = queries.float() @ keys.float().transpose(-1, -2) / self.head_dim**0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        return scores.softmax(-1)


class LLaDAPreTrainedModel(PreTrainedModel):
    """What transformers must know of the family."""

    config_class = LLaDAConfig
    base_model_prefix = "model"
    _no_split_modules = ["LLaDABlock"]  # noqa: RUF012 - the type that transformers declares
    _supports_sdpa = True
    supports_gradient_checkpointing = True

    @classmethod
    def can_generate(cls) -> bool:
        """Not in the autoregressive sense of transformers: see `llada_demo.diffusion.generate`."""
        return False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Normal weights; those that write into the stream are smaller by the depth (as in GPT-2)."""
        if isinstance(module, LLaDARMSNorm):
            nn.init.ones_(module.weight)
        elif isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.init_std)
        elif isinstance(module, LLaDABlock):
            for layer in (module.attn_out, module.ff_out):
                nn.init.normal_(layer.weight, std=self.config.init_std / (2 * self.config.n_layers) ** 0.5)


class LLaDAModel(LLaDAPreTrainedModel):
    """Embedding, blocks, final norm; and the output matrix, which the checkpoints keep here."""

    def __init__(self, config: LLaDAConfig) -> None:
        super().__init__(config)
        assert config.embedding_size
        parts: dict[str, nn.Module] = {
            "wte": nn.Embedding(config.embedding_size, config.d_model),
            "blocks": nn.ModuleList(LLaDABlock(config) for _ in range(config.n_layers)),
            "ln_f": LLaDARMSNorm(config.d_model, config.rms_norm_eps),
        }
        if not config.weight_tying:
            parts["ff_out"] = nn.Linear(config.d_model, config.embedding_size, bias=False)
        self.transformer = nn.ModuleDict(parts)
        self.gradient_checkpointing = False
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        positions: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        observe: Observer | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...] | None, tuple[Tensor, ...] | None]:
        """-> final hidden (B, L or P, D), hidden states (N + 1 of (B, L, D)) or None, attentions or None."""
        x = self.transformer["wte"](input_ids)
        mask = attention_bias(attention_mask)
        rope = rope_tables(input_ids.shape[1], self.config.head_dim, self.config.rope_theta, input_ids.device)
        hidden, attentions = [x], []
        record = output_attentions or observe is not None
        whole = record or output_hidden_states
        blocks = cast(nn.ModuleList, self.transformer["blocks"])
        last = len(blocks) - 1
        for i, block in enumerate(blocks):
            # Only the last block may drop rows: the ones before it feed keys and values of every position.
            queries = positions if i == last and not whole else None
            if self.gradient_checkpointing and self.training:
                x, seen = self._gradient_checkpointing_func(block.__call__, x, rope, mask, queries, record)
            else:
                x, seen = block(x, rope, mask, queries, record)
            if output_hidden_states:
                hidden.append(x)
            if seen is not None and observe is not None:
                observe(i, seen)
            if seen is not None and output_attentions:
                attentions.append(seen)
        x = self.transformer["ln_f"](x)
        if positions is not None and whole:
            x = x.gather(1, positions[..., None].expand(-1, -1, x.shape[-1]))
        return (
            x,
            tuple(hidden) if output_hidden_states else None,
            tuple(attentions) if output_attentions else None,
        )


class LLaDAModelLM(LLaDAPreTrainedModel):
    """LLaDA with its output matrix: ids in, logits of every position (or of the asked ones) out.

    The logits at position i predict the token at position i (no shift), and every position sees every other
    that the attention mask allows.
    """

    def __init__(self, config: LLaDAConfig) -> None:
        super().__init__(config)
        self.model = LLaDAModel(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        positions: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        observe: Observer | None = None,
        **_: Any,
    ) -> MaskedLMOutput:
        """
        input_ids: (B, L) int64. attention_mask: None, (B, L) with 1 for real tokens and 0 for padding, or a
        bool mask (B, 1 or H, L, L). positions: (B, P) int64; then only these rows get logits and the last
        block computes only them. observe: called with (layer, attention (B, H, L, L) in float32) as soon as it is
        there; nothing of it is kept. Returns `.logits` (B, L or P, V), `.attentions` (N of (B, H, L, L), float32)
        and `.hidden_states` (N + 1 of (B, L, D)) where asked.
        """
        hidden, states, attentions = self.model(
            input_ids, attention_mask, positions, bool(output_attentions), bool(output_hidden_states), observe
        )
        return MaskedLMOutput(logits=self.head(hidden), hidden_states=states, attentions=attentions)

    def head(self, hidden: Tensor) -> Tensor:
        """Final hidden (..., D) -> logits (..., V)."""
        parts = self.model.transformer
        if self.config.weight_tying:
            return F.linear(hidden, parts["wte"].weight)
        return parts["ff_out"](hidden)  # the module, not its weight: an adapter may sit on it

    def get_input_embeddings(self) -> nn.Module:
        return self.model.transformer["wte"]

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.transformer["wte"] = value

    def get_output_embeddings(self) -> nn.Module | None:
        return None if self.config.weight_tying else self.model.transformer["ff_out"]

    def set_output_embeddings(self, value: nn.Module) -> None:
        self.model.transformer["ff_out"] = value

    def prepare_inputs_for_generation(self, input_ids: Tensor, **kwargs: Any) -> dict[str, Any]:
        """For PEFT's CAUSAL_LM wrapper, which asks that it exists. Diffusion does not generate this way."""
        return {"input_ids": input_ids, **kwargs}


def attention_bias(attention_mask: Tensor | None) -> Tensor | None:
    """The mask as bool, broadcastable to (B, H, L, L); None where everything may be attended to."""
    if attention_mask is None:
        return None
    mask = attention_mask.bool()
    if mask.all():
        return None
    return mask[:, None, None, :] if mask.dim() == 2 else mask
