"""Recording: the reference's attention, looked at beside the computation, and only what was asked for is kept."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from llada_demo.attention.record import REGIMES, AttentionRecord, observe, pack, pair_scores, record, regime_mask
from llada_demo.attention.summary import merge, rollout
from llada_demo.model import LLaDAModelLM

GOLDEN = Path(__file__).parents[1] / "golden" / "llada-tiny"
SINGLE = [slice(at, at + 1) for at in range(12)]
WORDS = [slice(0, 2), slice(2, 3), slice(3, 7), slice(7, 12)]


@pytest.fixture(scope="module")
def model() -> LLaDAModelLM:
    return LLaDAModelLM.from_pretrained(GOLDEN, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def ids() -> Tensor:
    return torch.randint(0, 90, (12,), generator=torch.Generator().manual_seed(2))


def layers_of(model: LLaDAModelLM, ids: Tensor, regime: str = "full") -> Tensor:
    """Every head of every layer, (N, H, L, L), by the network's own switch."""
    with torch.inference_mode():
        return torch.cat(model(ids[None], regime_mask(regime, len(ids)), output_attentions=True).attentions)


def test_observed_attention_is_that_of_the_reference(model: LLaDAModelLM) -> None:
    with np.load(GOLDEN / "golden.npz") as arrays:
        rows, wanted = torch.from_numpy(arrays["input_ids"]), torch.from_numpy(arrays["attentions"])
    for row, attentions in zip(rows, wanted, strict=True):
        seen: list[Tensor] = []
        observe(model, row, "full", lambda _, layer, seen=seen: seen.append(layer))
        assert (torch.stack(seen) - attentions).abs().max() < 1e-5


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("groups", [SINGLE, WORDS])
def test_every_row_sums_to_one_before_and_after_merging(
    model: LLaDAModelLM, ids: Tensor, regime: str, groups: list[slice]
) -> None:
    seen = record(model, ids, regime, groups, layer=1)
    assert seen.heads is not None
    for part in (seen.means, seen.rollout, seen.heads):
        assert part.shape[-2:] == (len(groups), len(groups))
        assert (part.sum(-1) - 1).abs().max() < 1e-5
        if regime == "causal":
            assert (part.triu(1) == 0).all()  # exactly nothing goes forward


def test_a_causal_row_is_what_a_shorter_text_would_give(model: LLaDAModelLM, ids: Tensor) -> None:
    whole = record(model, ids, "causal", SINGLE).means
    begun = record(model, ids[:7], "causal", SINGLE[:7]).means
    assert torch.allclose(whole[:, :7, :7], begun, atol=1e-6)


def test_the_record_is_made_of_the_networks_own_attention(model: LLaDAModelLM, ids: Tensor) -> None:
    layers = layers_of(model, ids)
    seen = record(model, ids, "full", WORDS, layer=1)
    assert seen.heads is not None
    assert torch.allclose(seen.means, merge(layers.mean(1), WORDS), atol=1e-6)
    assert torch.allclose(seen.heads, merge(layers[1], WORDS), atol=1e-6)
    assert torch.allclose(seen.rollout, merge(rollout(layers.mean(1)), WORDS), atol=1e-6)
    assert record(model, ids, "full", WORDS).heads is None


def test_scores_of_a_pair_are_cells_of_the_merged_heads(model: LLaDAModelLM, ids: Tensor) -> None:
    scores = pair_scores(model, ids, "full", WORDS[2], [WORDS[0], WORDS[3]])
    heads = merge(layers_of(model, ids), WORDS)
    assert torch.allclose(scores, torch.stack((heads[:, :, 2, 0], heads[:, :, 2, 3]), -1), atol=1e-6)


def test_observing_changes_nothing_and_ends_with_the_call(model: LLaDAModelLM, ids: Tensor) -> None:
    def broken(layer: int, seen: Tensor) -> None:
        raise RuntimeError("in the middle")

    with torch.inference_mode():
        plain = model(ids[None]).logits
        observed = model(ids[None], observe=lambda layer, seen: None)
        assert torch.equal(plain, observed.logits)
        assert observed.attentions is None
        with pytest.raises(RuntimeError, match="in the middle"):
            model(ids[None], observe=broken)
        after = model(ids[None])
    assert torch.equal(plain, after.logits)
    assert after.attentions is None


@pytest.mark.parametrize("layer", [-1, 2])
def test_a_layer_that_is_not_there_is_refused(model: LLaDAModelLM, ids: Tensor, layer: int) -> None:
    with pytest.raises(IndexError, match="of 2"):
        record(model, ids, "full", SINGLE, layer)
    with pytest.raises(ValueError, match="there are: full, causal"):
        regime_mask("both", 3)


def test_a_record_as_json_gives_its_matrices_back(model: LLaDAModelLM, ids: Tensor) -> None:
    seen = {regime: record(model, ids, regime, WORDS, layer=0) for regime in REGIMES}
    made = AttentionRecord(tuple("abcd"), ("text",) * 4, 4, 0, seen, {})
    data = made.to_dict()
    assert (data["layers"], data["heads"], data["layer"]) == (2, 4, 0)
    for regime in REGIMES:
        packed = data["seen"][regime]
        for name in ("means", "rollout", "heads"):
            part = getattr(seen[regime], name)
            found = np.frombuffer(base64.b64decode(packed[name]), "<u2").reshape(part.shape) / data["scale"]
            assert np.abs(found - part.numpy()).max() < 1 / data["scale"]
    assert data["seen"]["causal"]["ahead"] == 0
    assert 0 < data["seen"]["full"]["ahead"] < 1
    assert base64.b64decode(pack(torch.tensor([0.0, 1.0]))) == b"\0\0\xff\xff"


def test_a_model_of_32_layers_and_heads_is_recorded_in_little_memory() -> None:
    """LLaDA-8B's 32 x 32 at 256 tokens; all of it at once would take 256 MiB, twice over in float32."""
    code = """
import resource, torch
from llada_demo.attention.record import record
from llada_demo.model import LLaDAConfig, LLaDAModelLM
torch.set_num_threads(1)
model = LLaDAModelLM(LLaDAConfig(d_model=128, n_layers=32, n_heads=32, mlp_hidden_size=64, vocab_size=512,
                                 embedding_size=512, max_sequence_length=256, mask_token_id=1)).eval()
ids, words = torch.arange(256) % 500, [slice(at, at + 1) for at in range(256)]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with torch.inference_mode():
    model(ids[None])
before = peak()
record(model, ids, "full", words, layer=31)
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 300
