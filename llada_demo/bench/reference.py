"""The rival: the public reference sampler, derived again in our own words, with all the work that it does.

Every step it computes logits for every position of the canvas, a softmax over the whole vocabulary of the
whole canvas, and ranks every position; nothing stops it before the last block. It shares with ours the
network and its number type, and nothing else.

The published code exists in two revisions. The older one takes the softmax in float64; the newer one in the
network's own type. `softmax_dtype` chooses. Both draw no noise at temperature 0 here, which the older one
does: where in doubt the rival gets the faster way.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from llada_demo.core.options import SamplingOptions


@torch.inference_mode()
def reference_generate(
    model: nn.Module,
    prompt_ids: Sequence[int] | Tensor,
    options: SamplingOptions,
    mask_id: int,
    softmax_dtype: torch.dtype | None = torch.float64,
) -> list[int]:
    """The answer's ids (gen_length) to one prompt (L,). softmax_dtype None = the network's own.

    Raises ValueError for options that the reference sampler does not have.
    """
    _refuse(options)
    device = next(model.parameters()).device
    prompt = torch.as_tensor(prompt_ids, device=device)
    start = len(prompt)
    canvas = prompt.new_full((1, start + options.gen_length), mask_id)
    canvas[0, :start] = prompt
    generator = torch.Generator(device).manual_seed(options.seed)
    steps = options.steps // options.blocks
    for end in range(start + options.block_length, canvas.shape[1] + 1, options.block_length):
        each, rest = divmod(int((canvas[0, end - options.block_length : end] == mask_id).sum()), steps)
        for i in range(steps):
            logits = _logits(model, canvas, start, mask_id, options.cfg_scale)
            tokens = _with_noise(logits, options.temperature, generator).argmax(-1)
            if options.remasking == "random":
                scores = torch.rand(tokens.shape, device=device, generator=generator)
            else:
                probabilities = logits.to(softmax_dtype or logits.dtype).softmax(-1)
                scores = probabilities.gather(-1, tokens[..., None])[..., 0]
            scores[:, end:] = float("-inf")
            masked = canvas == mask_id
            scores = torch.where(masked, scores, float("-inf"))
            best = scores[0].topk(each + (i < rest)).indices
            canvas[0, best] = torch.where(masked, tokens, canvas)[0, best]
    return canvas[0, start:].tolist()


def reference_forwards(options: SamplingOptions) -> int:
    """How often it evaluates the network for one answer: every step, and twice where it is guided."""
    return options.steps * (2 if options.cfg_scale > 0 else 1)


def _logits(model: nn.Module, canvas: Tensor, start: int, mask_id: int, scale: float) -> Tensor:
    """Logits (1, L, V) of the canvas; with guidance from a batch of two, the second without the prompt."""
    if scale <= 0:
        return model(canvas).logits
    blind = canvas.clone()
    blind[:, :start] = mask_id
    seeing, blinded = model(torch.cat((canvas, blind))).logits.chunk(2)
    return blinded + (scale + 1) * (seeing - blinded)


def _with_noise(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """exp(logits) / (-log U)^T in float64 over everything (1, L, V)."""
    if temperature <= 0:
        return logits
    full = logits.double()
    uniform = torch.rand(full.shape, dtype=full.dtype, device=full.device, generator=generator)
    return full.exp() / (-uniform.log()) ** temperature


def _refuse(options: SamplingOptions) -> None:
    lacking = {
        "threshold": options.threshold is not None,
        "constraints": bool(options.constraints),
        "end_rule": options.end_rule != "free",
        "remasking": options.remasking not in ("low_confidence", "random"),
    }
    if asked := [name for name, is_asked in lacking.items() if is_asked]:
        raise ValueError(f"the reference sampler has no such {', '.join(asked)}")
