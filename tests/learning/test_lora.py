"""Where an adapter sits, what optimises it, and that a saved one is the trained one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from tiny import tiny_config
from torch import Tensor

from llada_demo.core.errors import UserError
from llada_demo.learning import adapter
from llada_demo.learning.adapter import FILES, save_adapter
from llada_demo.learning.lora import adapter_state, attach, load_state, make_optimizer, target_modules
from llada_demo.learning.tuning import FinetuneSettings
from llada_demo.model import LLaDAModelLM

ALL = ("q_proj", "k_proj", "v_proj", "attn_out", "ff_proj", "up_proj", "ff_out")
PLAIN = FinetuneSettings(r=4, alpha=8)
PISSA = replace(PLAIN, init="pissa_niter_4", targets=ALL)
IDS = torch.randint(0, 60, (2, 12), generator=torch.Generator().manual_seed(1))
Build = Callable[..., LLaDAModelLM]


@pytest.fixture(scope="session")
def fresh() -> Build:
    """A tiny network, the same at every call."""

    def build(**changes: Any) -> LLaDAModelLM:
        torch.manual_seed(0)
        return LLaDAModelLM(tiny_config(**changes)).eval()

    return build


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def base_weights(model: torch.nn.Module) -> dict[str, Tensor]:
    """The weights below an adapter, by the base's own names."""
    pairs = ((name.removeprefix("base_model.model."), value) for name, value in model.state_dict().items())
    return {name.replace(".base_layer", ""): value.clone() for name, value in pairs if "lora_" not in name}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def train(model: PeftModel, settings: FinetuneSettings, steps: int = 5) -> None:
    """A few steps towards other tokens."""
    optimizer = make_optimizer(model, settings)
    model.train()
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(input_ids=IDS).logits.flatten(0, 1), IDS.flatten().flip(0))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


@torch.no_grad()
def logits(model: torch.nn.Module) -> Tensor:
    return model(input_ids=IDS).logits


ABOUT: dict[str, Any] = {
    "name": "uji",
    "recipe": "default",
    "adapted": ["cutoff_len is now 64."],
    "base": {"name": "tiny", "sha256": "ab" * 32},
    "data": {"trained": 3, "held_out": 1, "dropped": {"no answer": 2}, "sources": {"sapaan": 4}},
    "settings": {**PLAIN.to_dict(), "note": "A note."},
    "figures": {"steps": 5, "heldout_after": 1.5},
    "losses": [{"step": 0, "loss": None, "heldout": 2.5}],
}


# Where it sits


def sits_on(model: PeftModel) -> set[str]:
    return {name.split(".lora_")[0].removeprefix("base_model.model.") for name in adapter_state(model)}


def test_ff_out_is_that_of_the_blocks_and_the_head_only_where_it_is_asked_for(fresh: Build) -> None:
    blocks = {f"model.transformer.blocks.{i}.ff_out" for i in range(2)}
    head = "model.transformer.ff_out"
    for targets, expected in ((("ff_out",), blocks), (("head",), {head}), (("ff_out", "head"), {*blocks, head})):
        assert sits_on(attach(fresh(), replace(PLAIN, targets=targets), "tiny")) == expected


def test_many_layers_do_not_bring_the_head_along(fresh: Build) -> None:
    """PEFT shortens long lists of targets."""
    model = attach(fresh(n_layers=24), replace(PLAIN, targets=ALL), "tiny")
    assert len(sits_on(model)) == 24 * 7
    assert "model.transformer.ff_out" not in sits_on(model)


def test_a_name_that_matches_nothing_lists_those_that_there_are(fresh: Build) -> None:
    with pytest.raises(UserError, match=r"no layer named o_proj, gate; there are: q_proj.*ff_out.*head"):
        target_modules(fresh(), ("q_proj", "o_proj", "gate"))
    with pytest.raises(UserError, match=r"no layer named head; there are: (?!.*head)"):
        target_modules(fresh(weight_tying=True), ("head",))


def test_only_the_adapter_is_trained_in_float32_and_the_base_is_as_it_was(fresh: Build) -> None:
    model = fresh().to(torch.bfloat16)
    before, drawn = weights(model), torch.random.get_rng_state()
    tuned = attach(model, PLAIN, "tiny")
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert {n for n, p in tuned.named_parameters() if p.requires_grad} == {
        n for n, _ in tuned.named_parameters() if "lora_" in n
    }
    assert {value.dtype for value in adapter_state(tuned).values()} == {torch.float32}
    train(tuned, PLAIN)
    assert same(base_weights(tuned), before)


def test_the_same_seed_starts_alike_and_another_does_not(fresh: Build) -> None:
    one, again, other = (adapter_state(attach(fresh(), replace(PLAIN, seed=s), "tiny")) for s in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


@pytest.mark.parametrize(("method", "scale"), [("lora", 2.0), ("rslora", 4.0), ("loraplus", 2.0)])
def test_the_scale_is_that_of_the_method(fresh: Build, method: str, scale: float) -> None:
    tuned = attach(fresh(), replace(PLAIN, method=method), "tiny")
    layer = tuned.get_base_model().model.transformer["blocks"][0].q_proj
    assert layer.scaling["default"] == scale


# What optimises it


def rates(model: PeftModel, settings: FinetuneSettings) -> dict[str, float]:
    names = {id(p): n for n, p in model.named_parameters()}
    groups = make_optimizer(model, settings).param_groups
    return {names[id(p)]: group["lr"] for group in groups for p in group["params"]}


def test_lora_plus_gives_b_the_higher_rate(fresh: Build) -> None:
    settings = replace(PLAIN, method="loraplus", learning_rate=1e-3, loraplus_ratio=16.0)
    model = attach(fresh(), settings, "tiny")
    of = rates(model, settings)
    assert len(of) == 12
    assert {rate for name, rate in of.items() if "lora_A" in name} == {1e-3}
    assert {rate for name, rate in of.items() if "lora_B" in name} == {16e-3}
    own = rates(model, replace(settings, learning_rate_b=2e-3))
    assert {rate for name, rate in own.items() if "lora_B" in name} == {2e-3}
    plain = rates(model, replace(settings, method="lora"))
    assert set(plain.values()) == {1e-3}


def test_b_moves_further_with_lora_plus(fresh: Build) -> None:
    moved = []
    for method in ("lora", "loraplus"):
        settings = replace(PLAIN, method=method, learning_rate=1e-3)
        tuned = attach(fresh(), settings, "tiny")
        train(tuned, settings, steps=1)
        moved.append(max(float(v.abs().max()) for n, v in adapter_state(tuned).items() if "lora_B" in n))
    assert moved[1] == pytest.approx(16 * moved[0], rel=1e-3)  # Adam's first step is the rate


# PiSSA


@pytest.mark.parametrize("init", ["pissa_niter_4", "pissa_niter_8"])
def test_pissa_starts_from_the_principal_part_and_does_not_change_the_function(fresh: Build, init: str) -> None:
    base = fresh()
    before, weight = logits(base), base.model.transformer["blocks"][0].q_proj.weight.detach().clone()
    tuned = attach(base, replace(PISSA, init=init), "tiny")
    torch.testing.assert_close(logits(tuned), before, atol=1e-4, rtol=0)
    layer = tuned.get_base_model().model.transformer["blocks"][0].q_proj
    taken = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    best = torch.linalg.svdvals(weight)
    torch.testing.assert_close(torch.linalg.svdvals(taken)[:4], best[:4], rtol=0.1, atol=0)
    assert float(torch.linalg.svdvals(layer.base_layer.weight)[0]) < float(best[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_known_start_moves_the_base_to_the_same_bits(fresh: Build, dtype: torch.dtype) -> None:
    first = attach(fresh().to(dtype), PISSA, "tiny")
    again = attach(fresh().to(dtype), replace(PISSA, seed=9), "tiny", adapter_state(first))
    assert same(weights(first), weights(again))


def test_in_bfloat16_the_base_moves_by_the_very_adapter_that_is_trained(fresh: Build) -> None:
    base = fresh().to(torch.bfloat16)
    weight = base.model.transformer["blocks"][0].q_proj.weight.detach().clone()
    layer = attach(base, PISSA, "tiny").get_base_model().model.transformer["blocks"][0].q_proj
    taken = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    assert torch.equal(layer.base_layer.weight, (weight.float() - taken).to(torch.bfloat16))


def test_pissa_of_a_rank_that_the_layers_do_not_have_is_refused(fresh: Build) -> None:
    with pytest.raises(UserError, match="r must be at most 32 with PiSSA"):
        attach(fresh(), replace(PISSA, r=40), "tiny")


@pytest.mark.parametrize("method", ["lora", "rslora", "loraplus"])
@pytest.mark.parametrize("init", ["default", "pissa_niter_4"])
def test_what_is_saved_is_an_ordinary_lora_with_the_trained_function(
    fresh: Build, tmp_path: Path, method: str, init: str
) -> None:
    settings = replace(PISSA, init=init, method=method, learning_rate=1e-3)
    tuned = attach(fresh(), settings, "tiny")
    start = adapter_state(tuned) if settings.pissa else None
    train(tuned, settings)
    trained, state = logits(tuned), adapter_state(tuned)
    assert not torch.allclose(trained, logits(fresh()), atol=1e-2)
    save_adapter(tuned, tmp_path, ABOUT, start)
    torch.testing.assert_close(logits(tuned), trained, atol=0, rtol=0)  # saving changes nothing
    assert same(adapter_state(tuned), state)

    base = fresh()
    before = weights(base)
    loaded = PeftModel.from_pretrained(base, str(tmp_path)).eval()
    torch.testing.assert_close(logits(loaded), trained, atol=1e-4, rtol=0)
    assert same(base_weights(loaded), before)
    with loaded.disable_adapter():
        assert torch.equal(logits(loaded), logits(fresh()))
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["init_lora_weights"] is True
    assert config["r"] == (8 if settings.pissa else 4)
    assert {v.shape[0] for n, v in load_file(tmp_path / FILES[0]).items() if "lora_A" in n} == {config["r"]}


@pytest.mark.parametrize("settings", [replace(PLAIN, targets=(*ALL, "head")), PISSA], ids=["lora", "pissa"])
def test_merged_and_unmerged_agree(fresh: Build, tmp_path: Path, settings: FinetuneSettings) -> None:
    tuned = attach(fresh(), settings, "tiny")
    start = adapter_state(tuned) if settings.pissa else None
    train(tuned, settings)
    save_adapter(tuned, tmp_path, ABOUT, start)
    loaded = PeftModel.from_pretrained(fresh(), str(tmp_path)).eval()
    apart = logits(loaded)
    merged = loaded.merge_and_unload()
    torch.testing.assert_close(logits(merged), apart, atol=1e-5, rtol=1e-5)
    assert not [name for name in merged.state_dict() if "lora_" in name]


def test_gradient_checkpointing_gives_the_same_gradients(fresh: Build) -> None:
    found = []
    for checkpointing in (False, True):
        tuned = attach(fresh(), replace(PLAIN, gradient_checkpointing=checkpointing), "tiny").train()
        tuned(input_ids=IDS).logits.square().mean().backward()
        found.append({n: p.grad for n, p in tuned.named_parameters() if p.grad is not None})
    assert len(found[0]) == 12
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient)


# The folder


def test_the_folder_holds_peft_files_figures_and_a_card_and_no_pickle(fresh: Build, tmp_path: Path) -> None:
    save_adapter(attach(fresh(), PLAIN, "pemilik/model"), tmp_path / "a", ABOUT)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(FILES)
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "pemilik/model"
    assert config["target_modules"] == ["k_proj", "q_proj", "v_proj"]
    assert (config["task_type"], config["auto_mapping"]) == ("CAUSAL_LM", None)
    about = json.loads((tmp_path / "a" / "training.json").read_text())
    assert about["base"]["sha256"] == "ab" * 32
    text = (tmp_path / "a" / "README.md").read_text()
    head = text.split("---")[1]
    assert f"base_sha256: {'ab' * 32}" in head
    for said in (
        "`tiny`",
        "| sapaan | 4 |",
        "2 (no answer)",
        "A note.",
        "| r | 4 |",
        "| 0 |  | 2.5 |",
        "cutoff_len is",
    ):
        assert said in text


def test_two_savings_of_one_adapter_are_the_same_bytes(fresh: Build, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_adapter(attach(fresh(), PLAIN, "tiny"), tmp_path / name, ABOUT)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_disk_that_fills_up_leaves_the_older_adapter_whole(
    fresh: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_adapter(attach(fresh(), PLAIN, "tiny"), tmp_path, ABOUT)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(adapter, "card", full)
    with pytest.raises(UserError, match=r"No space left on device.*still whole"):
        save_adapter(attach(fresh(), replace(PLAIN, r=2), "tiny"), tmp_path, ABOUT)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_state_of_another_adapter_does_not_load(fresh: Build) -> None:
    state = adapter_state(attach(fresh(), replace(PLAIN, targets=("q_proj",)), "tiny"))
    with pytest.raises(ValueError, match="not this adapter's state"):
        load_state(attach(fresh(), PLAIN, "tiny"), state)
