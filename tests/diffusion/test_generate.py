"""`generate` gives the reference sampler's tokens, alone and in a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from llada_demo.core.errors import OptionsError
from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion import generate
from llada_demo.diffusion.generate import fixed_ids
from llada_demo.diffusion.loop import Ask
from llada_demo.diffusion.predict import forward
from llada_demo.model import LLaDAModelLM

OPTIONS = SamplingOptions(gen_length=16, steps=16, block_length=8, stop_at_end=False)


@pytest.mark.parametrize("name", ["block16_steps32", "block8_steps16", "one_block", "uneven", "cfg_0.7"])
def test_tokens_are_those_of_the_reference_sampler(network: LLaDAModelLM, golden: dict[str, Any], name: str) -> None:
    recorded = golden["runs"][name]
    prompt = torch.tensor([golden["prompt"]])
    canvas = generate(network, prompt, SamplingOptions(**recorded["options"], stop_at_end=False))
    assert canvas[0].tolist() == golden["prompt"] + recorded["tokens"]


def test_every_recorded_run_is_compared(golden: dict[str, Any]) -> None:
    assert sorted(golden["runs"]) == ["block16_steps32", "block8_steps16", "cfg_0.7", "one_block", "uneven"]


@pytest.mark.parametrize("cfg_scale", [0.0, 0.7])
def test_left_padded_prompts_in_a_batch_answer_as_they_would_alone(
    network: LLaDAModelLM, golden: dict[str, Any], cfg_scale: float
) -> None:
    # Rotary positions are relative: a shift of the whole row changes nothing beyond rounding.
    options = replace(OPTIONS, cfg_scale=cfg_scale)
    long, short = torch.tensor(golden["prompt"]), torch.tensor(golden["prompt"][:11])
    gap = len(long) - len(short)
    batch = torch.stack((long, torch.cat((torch.full((gap,), 500), short))))
    attention_mask = torch.ones_like(batch)
    attention_mask[1, :gap] = 0
    together = generate(network, batch, options, attention_mask)
    assert torch.equal(together[:, : len(long)], batch)
    for row, prompt in zip(together, (long, short), strict=True):
        alone = generate(network, prompt[None], options)
        assert row[len(long) :].tolist() == alone[0, len(prompt) :].tolist()


def test_padding_that_is_not_masked_changes_the_answer(network: LLaDAModelLM, golden: dict[str, Any]) -> None:
    padded = torch.tensor([[500] * 8 + golden["prompt"]])
    mask = (torch.arange(padded.shape[1]) >= 8).long()[None]
    assert not torch.equal(generate(network, padded, OPTIONS), generate(network, padded, OPTIONS, mask))


def test_right_padded_rows_of_one_forward_equal_their_single_runs(
    network: LLaDAModelLM, golden: dict[str, Any]
) -> None:
    ids = torch.tensor(golden["prompt"])
    asks = [
        Ask(0, ids, torch.tensor([2, 18])),
        Ask(1, ids[:7], torch.tensor([0, 3, 6])),
        Ask(2, ids[3:15], torch.tensor([11])),
    ]
    for ask, logits in zip(asks, forward(network, asks, pad_id=500), strict=True):
        (alone,) = forward(network, [ask], pad_id=500)
        whole = network(ask.ids[None]).logits[0, ask.positions]
        assert logits.shape == alone.shape == (len(ask.positions), 512)
        torch.testing.assert_close(logits, alone, rtol=0, atol=1e-4)
        torch.testing.assert_close(logits, whole, rtol=0, atol=1e-4)


def test_a_batch_of_equal_prompts_gives_equal_answers(network: LLaDAModelLM, golden: dict[str, Any]) -> None:
    canvas = generate(network, torch.tensor([golden["prompt"]] * 3), OPTIONS)
    assert canvas.shape == (3, len(golden["prompt"]) + 16)
    assert torch.equal(canvas[0], canvas[1])
    assert torch.equal(canvas[0], canvas[2])


def test_constraints_given_as_ids_stand_in_the_answer(network: LLaDAModelLM, golden: dict[str, Any]) -> None:
    options = replace(OPTIONS, constraints={0: (7, 8), 13: (9,)})
    answer = generate(network, torch.tensor([golden["prompt"]]), options)[0, len(golden["prompt"]) :].tolist()
    assert (answer[0], answer[1], answer[13]) == (7, 8, 9)
    assert 510 not in answer


def test_after_an_end_token_the_answer_holds_eos(network: LLaDAModelLM, golden: dict[str, Any]) -> None:
    whole = generate(network, torch.tensor([golden["prompt"]]), OPTIONS)[0, len(golden["prompt"]) :].tolist()
    end = whole[5]  # call a word that the model writes an end, and the answer must stop there
    first = whole.index(end)
    options = replace(OPTIONS, stop_at_end=True)
    prompt = torch.tensor([golden["prompt"]])
    answer = generate(network, prompt, options, end_ids=(end,))[0, len(golden["prompt"]) :].tolist()
    assert answer[: first + 1] == whole[: first + 1]
    assert set(answer[8:]) == {500}


def test_fixed_ids_lays_out_the_tokens_of_every_constraint() -> None:
    assert fixed_ids(replace(OPTIONS, constraints={2: (5, 6), 9: (7,)})) == {2: 5, 3: 6, 9: 7}
    assert fixed_ids(OPTIONS) == {}


@pytest.mark.parametrize(
    ("constraints", "named"),
    [
        ({0: "Tentu"}, "'Tentu'"),  # text needs a tokenizer
        ({0: (1, 2, 3), 2: (4,)}, "position 2"),  # runs into the one before
        ({14: (1, 2, 3)}, "position 14"),  # past the end
    ],
)
def test_fixed_ids_refuses_what_cannot_stand(constraints: dict[int, Any], named: str) -> None:
    with pytest.raises(OptionsError, match=named):
        fixed_ids(replace(OPTIONS, constraints=constraints))
