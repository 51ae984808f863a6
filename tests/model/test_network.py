"""The network: equal to the public reference, and to itself however it is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors import safe_open
from torch import Tensor

from llada_demo.model import LLaDAModelLM
from llada_demo.model import network as network_module
from llada_demo.model.network import rope_tables, rotate

Builder = Callable[..., LLaDAModelLM]
Golden = dict[str, Tensor]


@pytest.fixture(scope="module")
def model(build: Builder) -> LLaDAModelLM:
    return build()


@pytest.fixture
def ids() -> Tensor:
    return torch.randint(0, 64, (2, 12), generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def no_gradients() -> object:
    """Most tests only look; those that train switch gradients on."""
    with torch.no_grad():
        yield


def close(a: Tensor, b: Tensor, limit: float) -> bool:
    return a.shape == b.shape and float((a - b).abs().max()) < limit


# Against the public reference


def test_logits_are_those_of_the_reference(reference: LLaDAModelLM, golden: Golden) -> None:
    assert close(reference(golden["input_ids"]).logits, golden["logits"], 1e-4)


def test_left_padded_logits_are_those_of_the_reference(reference: LLaDAModelLM, golden: Golden) -> None:
    real = golden["attention_mask"].bool()
    ours = reference(golden["padded_ids"], attention_mask=golden["attention_mask"]).logits
    assert not real.all()
    assert close(ours[real], golden["logits_padded"][real], 1e-4)


def test_attentions_are_those_of_the_reference(reference: LLaDAModelLM, golden: Golden) -> None:
    ours = reference(golden["input_ids"], output_attentions=True).attentions
    assert close(torch.stack(ours, 1), golden["attentions"], 1e-5)


def test_without_rotary_embedding_the_reference_is_missed(
    reference: LLaDAModelLM, golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_module, "rotate", lambda x, cos, sin: x)
    assert not close(reference(golden["input_ids"]).logits, golden["logits"], 1e-2)


# Rotary embedding


def test_worked_example_of_a_rotation_by_halves() -> None:
    cos, sin = rope_tables(2, 4, 10000.0, torch.device("cpu"))
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 2, 4)
    first, second = rotate(x, cos, sin)[0, 0]
    assert first.tolist() == [1, 2, 3, 4]  # position 0 is not turned
    one, hundredth = torch.tensor(1.0), torch.tensor(0.01)  # the angles of the two pairs (0, 2) and (1, 3)
    expected = [
        one.cos() - 3 * one.sin(),
        2 * hundredth.cos() - 4 * hundredth.sin(),
        3 * one.cos() + one.sin(),
        4 * hundredth.cos() + 2 * hundredth.sin(),
    ]
    assert close(second, torch.stack(expected), 1e-6)


def test_rotated_products_depend_on_the_distance_alone() -> None:
    cos, sin = rope_tables(20, 8, 500.0, torch.device("cpu"))
    q, k = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(0)).expand(2, 1, 1, 20, 8)
    scores = (rotate(q, cos, sin) @ rotate(k, cos, sin).transpose(-1, -2))[0, 0]
    for distance in (-3, 0, 5):
        diagonal = scores.diagonal(distance)
        assert close(diagonal, diagonal[:1].expand_as(diagonal), 1e-5)
    assert abs(scores[0, 5] - scores[5, 0]) > 1e-2  # and on its direction


def test_the_order_of_the_tokens_matters(model: LLaDAModelLM, ids: Tensor) -> None:
    turned = model(ids.flip(1)).logits.flip(1)  # without positions this would be the same
    assert not close(turned, model(ids).logits, 1e-2)


def test_tables_made_while_answering_serve_training(build: Builder) -> None:
    model, ids = build(rope_theta=1234.0), torch.arange(7)[None]
    with torch.inference_mode():
        model(ids)
    with torch.enable_grad():
        model(ids).logits.sum().backward()
    assert model.model.transformer["wte"].weight.grad is not None


# A row is a row, however it is asked for


def test_a_right_padded_row_equals_its_single_run(model: LLaDAModelLM, ids: Tensor) -> None:
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    padded = model(ids, attention_mask=mask).logits
    assert close(padded[1, :7], model(ids[1:, :7]).logits[0], 1e-5)
    assert close(padded[0], model(ids[:1]).logits[0], 1e-5)


@pytest.mark.parametrize("n_kv_heads", [4, 2])
@pytest.mark.parametrize("kind", ["full", "padded", "causal"])
def test_asked_positions_are_the_rows_of_the_full_run(build: Builder, ids: Tensor, n_kv_heads: int, kind: str) -> None:
    model = build(n_kv_heads=n_kv_heads)
    mask = {
        "full": None,
        "padded": (torch.arange(12) < torch.tensor([[12], [9]])).long(),
        "causal": torch.ones(12, 12).tril().bool().expand(2, 1, 12, 12),
    }[kind]
    asked = torch.tensor([[3, 0, 7], [5, 5, 8]])
    rows = model(ids, attention_mask=mask, positions=asked).logits
    full = model(ids, attention_mask=mask).logits
    assert close(rows, full.gather(1, asked[..., None].expand(-1, -1, 64)), 1e-5)
    with_states = model(ids, attention_mask=mask, positions=asked, output_hidden_states=True)
    assert close(with_states.logits, rows, 1e-5)
    assert with_states.hidden_states[-1].shape == (2, 12, 32)


def test_recording_attention_leaves_the_logits_bit_identical(model: LLaDAModelLM, ids: Tensor) -> None:
    mask = torch.ones_like(ids)
    mask[0, 9:] = 0
    plain, recorded = model(ids, mask), model(ids, mask, output_attentions=True)
    assert torch.equal(plain.logits, recorded.logits)
    assert plain.attentions is None
    assert [a.shape for a in recorded.attentions] == [(2, 4, 12, 12)] * 2
    for seen in recorded.attentions:
        assert close(seen.sum(-1), torch.ones(2, 4, 12), 1e-6)
        assert (seen[0, :, :, 9:] == 0).all()


def test_hidden_states_are_the_stream_before_and_after_each_block(model: LLaDAModelLM, ids: Tensor) -> None:
    out = model(ids, output_hidden_states=True)
    assert [h.shape for h in out.hidden_states] == [(2, 12, 32)] * 3
    assert torch.equal(out.hidden_states[0], model.get_input_embeddings()(ids))
    normed = model.model.transformer["ln_f"](out.hidden_states[-1])
    assert torch.equal(model.head(normed), out.logits)
    assert model(ids).hidden_states is None


def test_a_causal_mask_gives_zeros_ahead_and_the_future_changes_nothing(model: LLaDAModelLM, ids: Tensor) -> None:
    causal = torch.ones(12, 12).tril().bool().expand(2, 1, 12, 12)
    out = model(ids, attention_mask=causal, output_attentions=True)
    for seen in out.attentions:
        assert (seen.triu(1) == 0).all()
    other = ids.clone()
    other[:, 8:] = (other[:, 8:] + 1) % 64
    assert close(model(other, attention_mask=causal).logits[:, :8], out.logits[:, :8], 1e-6)
    assert not close(model(other).logits[:, :8], model(ids).logits[:, :8], 1e-2)  # unlike without the mask


# Kinds of network


def test_grouped_heads_equal_a_network_whose_heads_are_repeated(build: Builder, ids: Tensor) -> None:
    grouped, full = build(n_kv_heads=2), build()
    weights = grouped.state_dict()
    for name in list(weights):
        if "k_proj" in name or "v_proj" in name:
            assert weights[name].shape == (16, 32)
            weights[name] = weights[name].unflatten(0, (2, 8)).repeat_interleave(2, 0).flatten(0, 1)
    full.load_state_dict(weights)
    assert close(grouped(ids).logits, full(ids).logits, 1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_saved_and_loaded_it_says_the_same(build: Builder, ids: Tensor, tmp_path: Path, tied: bool) -> None:
    model = build(weight_tying=tied)
    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        names = set(file.keys())
    assert ("model.transformer.ff_out.weight" in names) is not tied
    assert torch.equal(LLaDAModelLM.from_pretrained(tmp_path).eval()(ids).logits, model(ids).logits)


def test_a_tied_head_is_the_embedding(build: Builder) -> None:
    model = build(weight_tying=True)
    hidden = torch.randn(3, 32)
    assert torch.equal(model.head(hidden), hidden @ model.get_input_embeddings().weight.T)
    assert model.get_output_embeddings() is None


def test_bf16_runs_and_stays_near(build: Builder, ids: Tensor) -> None:
    exact = build()(ids).logits
    out = build().to(torch.bfloat16)(ids, output_attentions=True)
    assert out.logits.dtype == torch.bfloat16
    assert out.attentions[0].dtype == torch.float32
    assert close(out.logits.float(), exact, 0.05 * float(exact.abs().max()))


def test_parameter_names_are_the_published_ones(model: LLaDAModelLM) -> None:
    linears = ("q_proj", "k_proj", "v_proj", "attn_out", "ff_proj", "up_proj", "ff_out")
    parts = ("attn_norm", "ff_norm", *linears)
    published = {f"model.transformer.blocks.{i}.{part}.weight" for i in range(2) for part in parts}
    published |= {f"model.transformer.{part}.weight" for part in ("wte", "ln_f", "ff_out")}
    assert {name for name, _ in model.named_parameters()} == published
    assert set(model.state_dict()) == published


# Training


def loss_of(model: torch.nn.Module, ids: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(model(input_ids=ids).logits.flatten(0, 1), ids.flatten())


def test_gradient_checkpointing_gives_the_same_loss_and_gradients(build: Builder, ids: Tensor) -> None:
    plain, saving = build().train(), build().train()
    saving.gradient_checkpointing_enable()
    with torch.enable_grad():
        losses = [loss_of(model, ids) for model in (plain, saving)]
        for loss in losses:
            loss.backward()
    assert torch.equal(losses[0], losses[1])
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        assert close(a.grad, b.grad, 1e-6)


@pytest.mark.parametrize("task_type", [None, TaskType.CAUSAL_LM])
def test_a_lora_attaches_trains_and_keeps_the_published_keys(
    build: Builder, ids: Tensor, tmp_path: Path, task_type: TaskType | None
) -> None:
    targets = ["q_proj", "k_proj", "v_proj"]
    adapted = get_peft_model(build(), LoraConfig(r=2, target_modules=targets, task_type=task_type))
    before = adapted(input_ids=ids).logits
    steps = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.5)
    with torch.enable_grad():
        for _ in range(2):  # B starts at zero, so A moves from the second step on
            steps.zero_grad()
            loss_of(adapted, ids).backward()
            steps.step()
    after = adapted(input_ids=ids).logits
    assert not torch.equal(before, after)
    adapted.save_pretrained(tmp_path)
    with safe_open(tmp_path / "adapter_model.safetensors", framework="pt") as file:
        keys = set(file.keys())
    start = "base_model.model.model.transformer.blocks"
    assert keys == {f"{start}.{i}.{t}.lora_{ab}.weight" for i in range(2) for t in targets for ab in "AB"}
    again = PeftModel.from_pretrained(build(), tmp_path).eval()
    assert close(again(input_ids=ids).logits, after, 1e-5)


def test_an_adapter_on_the_head_is_heard(build: Builder, ids: Tensor) -> None:
    settings = LoraConfig(r=2, target_modules=["model.transformer.ff_out"], init_lora_weights=False)
    adapted = get_peft_model(build(), settings).eval()
    with adapted.disable_adapter():
        base = adapted(input_ids=ids).logits
    assert not close(adapted(input_ids=ids).logits, base, 1e-3)
