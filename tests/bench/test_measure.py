"""The bench measures all it promises, on equal terms; no time is asserted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from llada_demo.bench import shapes
from llada_demo.bench.figures import figures, identity, visible
from llada_demo.bench.measure import measure
from llada_demo.bench.prompts import PROMPTS, read_prompts
from llada_demo.bench.race import Timed, contestants, race
from llada_demo.bench.table import lines
from llada_demo.bench.visitors import throughput
from llada_demo.commands import bench
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion import Tokens
from llada_demo.model import LLaDAModelLM

OPTIONS = SamplingOptions(gen_length=16, steps=8, block_length=8)


@pytest.fixture(scope="module")
def report(network: LLaDAModelLM, golden: dict[str, Any], tokens: Tokens) -> dict[str, Any]:
    prompts = [golden["prompt"], golden["prompt"][:7], golden["prompt"][3:]]
    return measure(network, prompts, tokens, OPTIONS, repeats=2, threshold=0.5)


def test_prompts_are_twenty_and_distinct() -> None:
    assert len(PROMPTS) == len(set(PROMPTS)) == 20


def test_prompts_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("Halo!\n\n  Apa itu hujan? \n", encoding="utf-8")
    assert read_prompts(file) == ["Halo!", "Apa itu hujan?"]
    file.write_text("\n")
    for wrong in (file, tmp_path / "none.txt"):
        with pytest.raises(UserError):
            read_prompts(wrong)


def test_report_has_every_field(report: dict[str, Any]) -> None:
    assert set(report) == {"times", "ratios", "cpu_ratios", "identity", "peak_memory", "quality", "attention"}
    assert report["attention"]["recorded/plain"] > 0
    assert list(report["times"]) == ["reference", "reference_light", "exact", "stopped", "threshold"]
    for of_name in report["times"].values():
        assert of_name["seconds"] > 0
        assert len(of_name["seconds_of_rounds"]) == 2
        assert 0 < of_name["first_ms"] <= of_name["median_ms"]
    assert len(report["ratios"]) == 5
    assert all(ratio > 0 for ratio in (*report["ratios"].values(), *report["cpu_ratios"].values()))
    assert report["times"]["reference"]["forwards"] == report["times"]["exact"]["forwards"] == 3 * OPTIONS.steps


def test_float32_is_identical(report: dict[str, Any]) -> None:
    same = report["identity"]
    assert (same["prompts"], same["tokens_identical"], same["texts_identical"]) == (3, 3, 3)
    assert same["token_agreement"] == 1.0


def test_speed_with_a_threshold_stands_beside_its_quality(report: dict[str, Any]) -> None:
    assert {"texts_identical", "agreement", "bound_stopped", "bound_threshold"} < set(report["quality"])
    assert 0 <= report["quality"]["agreement"] <= 1
    assert report["quality"]["bound_threshold"] > 0


def test_stopping_does_less_and_shows_the_same(network: LLaDAModelLM, golden: dict[str, Any]) -> None:
    answer = golden["runs"]["block8_steps16"]["tokens"]
    ending = Tokens(golden["mask_token_id"], golden["eos_token_id"], (answer[9],))  # the text ends in the 2nd block
    options = SamplingOptions(gen_length=32, steps=16, block_length=8)
    runs = race(contestants(network, options, ending, None), [torch.tensor(golden["prompt"])], 1)
    forwards = {name: of_name[0][0].forwards for name, of_name in runs.items()}
    assert forwards["reference"] == forwards["reference_light"] == forwards["exact"] == 16
    assert forwards["stopped"] < 16
    assert identity(runs, ending, torch.float32)["texts_identical"] == 1


def test_everyone_runs_in_alternating_order() -> None:
    order = []

    def named(name: str) -> Any:
        return lambda prompt: order.append(name) or Timed((), 0.0, 0.0, 0.0, 0)

    race({"a": named("a"), "b": named("b")}, [torch.tensor([1]), torch.tensor([2])], 2)
    assert "".join(order) == "abba" + "baab"


def test_figures_by_hand() -> None:
    tokens = Tokens(mask=9, eos=0, ends=(0,))
    runs = [
        [
            Timed((5, 6, 0, 0), 1.0, 0.5, 0.1, 4),
            Timed((5, 6, 0, 0), 3.0, 1.5, 0.3, 4),
            Timed((5, 6, 0, 0), 2.0, 1.0, 0.2, 4),
        ],
        [
            Timed((5, 6, 7, 8), 4.0, 2.0, 0.4, 4),
            Timed((5, 6, 7, 8), 4.0, 2.0, 0.4, 4),
            Timed((5, 6, 7, 8), 9.0, 4.5, 0.9, 4),
        ],
    ]
    assert figures(runs, tokens) == {
        "seconds": 6.0,
        "cpu_seconds": 3.0,
        "seconds_of_rounds": [5.0, 7.0, 11.0],
        "median_ms": 3000.0,
        "first_ms": 300.0,
        "forwards": 8,
        "visible_tokens": 6,
        "visible_tokens_per_second": 1.0,
    }
    assert visible((0, 5), tokens) == ()


def test_visitors(network: LLaDAModelLM, golden: dict[str, Any], tokens: Tokens) -> None:
    one, two = throughput(network, golden["prompt"], tokens, OPTIONS, (1, 2), repeats=1)
    assert (one["visitors"], one["rows_factor"], one["threads_factor"], one["rows_a_forward"]) == (
        1,
        1.0,
        1.0,
        1.0,
    )
    assert two["visitors"] == 2
    assert two["rows_tokens_per_second"] > 0
    assert 1 <= two["rows_a_forward"] <= 2


@pytest.fixture
def small_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"d_model": 32, "n_heads": 2, "mlp_hidden_size": 48, "vocab_size": 64}
    ids = {"mask_token_id": 63, "eos_token_id": 62, "pad_token_id": 62}
    monkeypatch.setattr(shapes, "SHAPES", {"8b": {**sizes, **ids, "n_layers": 3}})


@pytest.mark.parametrize("layers", [None, 1])
def test_random_weights_of_a_shape(small_shape: None, layers: int | None) -> None:
    model, tokens = shapes.random_model("8b", layers, "cpu", torch.bfloat16)
    assert model.config.n_layers == (layers or 3)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert torch.get_default_dtype() == torch.float32
    assert tokens == Tokens(63, 62, (62,))
    prompt = shapes.random_prompt(tokens, 40)
    assert len(prompt) == 40
    assert max(prompt) < 62


def arguments(*argv: str) -> Any:
    import argparse

    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args(argv)


def test_command_with_a_shape(small_shape: None, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--shape", "8b", "--layers", "1", "--gen-length", "8", "--steps", "4", "--block-length", "4"]
    given += ["--repeats", "1", "--prompt-length", "5", "--visitors", "1,2", "--device", "cpu"]
    assert bench.run(arguments(*given, "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"]["dtype"] == "bfloat16"
    assert report["settings"]["prompt_tokens"] == 5
    assert {"model", "machine", "settings", "times", "ratios", "visitors"} < set(report)
    assert "quality" not in report
    assert bench.run(arguments(*given)) == 0
    assert "reference/stopped" in capsys.readouterr().out


def test_table_shows_the_quality(report: dict[str, Any]) -> None:
    whole = {"model": {"model": "tiny"}, "machine": {"cpu": "x"}, "settings": {"steps": 8}, **report}
    text = "\n".join(lines(whole))
    assert "tokens agree" in text
    assert "3 of 3 in every token" in text


@pytest.mark.parametrize(
    "given",
    [["--repeats", "0"], ["--limit", "-1"], ["--visitors", "1,x"], ["--steps", "7"], ["--threshold", "2"]],
)
def test_bad_input(given: list[str]) -> None:
    with pytest.raises(UserError):
        bench.bench(arguments(*given))
