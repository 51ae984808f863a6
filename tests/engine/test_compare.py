"""A comparison: every pane is its single run, in one batch, and says where it parts from the base."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

from llada_demo.bench.panes import made_up_adapter
from llada_demo.core.comparison import FIGURES, divergence_of, read_comparison
from llada_demo.core.errors import UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import Settings
from llada_demo.core.text import repeated
from llada_demo.diffusion.likelihood import negative_log_likelihood
from llada_demo.engine import Engine
from llada_demo.engine.compare import DRAWS, Comparison
from llada_demo.engine.run import Run

SHORT = SamplingOptions(gen_length=16, steps=8, block_length=8)
ASKED = [{"role": "system", "content": "Kamu ramah."}, {"role": "user", "content": "Apa itu hujan?"}]
NAMES = ("kecil", "sedang:0.8", "sedang+besar:0.3")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three adapters of ranks 1, 4 and 16."""
    place, model = tmp_path_factory.mktemp("adapters"), Engine.load(Settings(dtype="float32", device="cpu")).model
    ranks = {"kecil": 1, "sedang": 4, "besar": 16}
    return {name: made_up_adapter(model, place / name, rank, size=0.05) for name, rank in ranks.items()}


@pytest.fixture(scope="module")
def engine(folders: dict[str, Path]) -> Engine:
    return Engine.load(Settings(dtype="float32", device="cpu", adapters=tuple(map(str, folders.values()))))


@pytest.fixture(scope="module")
def done(engine: Engine) -> Comparison:
    return finish(engine.compare(ASKED, SHORT, NAMES, candidates=2))


def finish(comparison: Comparison) -> Comparison:
    for _ in comparison:
        pass
    return comparison


def alone(engine: Engine, options: SamplingOptions, adapter: str | None) -> Run:
    run = engine.start(ASKED, options, adapter)
    for _ in run:
        pass
    return run


@pytest.mark.parametrize(
    "options",
    [
        SHORT,
        SamplingOptions(gen_length=16, steps=8, block_length=16, temperature=0.8, seed=5, stop_at_end=False),
        SamplingOptions(gen_length=16, steps=8, block_length=8, cfg_scale=1.5, remasking="random", seed=2),
        SamplingOptions(gen_length=16, steps=4, block_length=8, threshold=0.3, constraints={3: "laut"}),
    ],
    ids=["plain", "noisy", "guided", "threshold"],
)
def test_every_pane_is_its_single_run(engine: Engine, options: SamplingOptions) -> None:
    comparison = engine.compare(ASKED, options, NAMES)
    yielded = list(comparison)
    for i, (run, name) in enumerate(zip(comparison.runs, (None, *NAMES), strict=True)):
        single = alone(engine, options, name)
        assert [(s.index, s.positions, s.tokens, s.forwards) for s in run.steps] == [
            (s.index, s.positions, s.tokens, s.forwards) for s in single.steps
        ]
        for ours, theirs in zip(run.steps, single.steps, strict=True):
            assert ours.confidences == pytest.approx(theirs.confidences, abs=1e-4)
        assert run.answer == single.answer
        assert (run.text, run.picture(), run.about["adapter"]) == (single.text, single.picture(), name)
        assert [steps[i] for steps in yielded if steps[i]] == run.steps
        timed = {"seconds": 0, "tokens_per_second": 0}
        assert run.stats() | timed == single.stats() | timed
    assert len({tuple(run.answer) for run in comparison.runs}) > 1


@pytest.mark.parametrize(("cfg_scale", "rows"), [(0.0, 4), (1.0, 8)])
def test_a_step_of_all_panes_is_one_forward(engine: Engine, cfg_scale: float, rows: int) -> None:
    options = SamplingOptions(gen_length=8, steps=4, block_length=8, cfg_scale=cfg_scale, stop_at_end=False)
    sizes: list[int] = []
    hook = engine.model.register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    try:
        assert len(list(engine.compare(ASKED, options, NAMES))) == 4
    finally:
        hook.remove()
    assert sizes == [rows] * 4


def test_each_pane_parts_from_the_base_where_its_trace_says(done: Comparison) -> None:
    base, *others = done.runs
    assert done.divergence[0] is None
    assert list(done.divergence[1:]) == [divergence_of(base.steps, run.steps) for run in others]
    assert any(done.divergence)


def test_scale_0_never_parts_from_the_base(engine: Engine) -> None:
    comparison = finish(engine.compare(ASKED, SHORT, ["kecil:0", "besar"]))
    assert comparison.divergence[1] is None
    assert comparison.runs[1].steps == comparison.runs[0].steps


def test_the_divergence_is_there_as_soon_as_its_step_is(engine: Engine, done: Comparison) -> None:
    comparison = engine.compare(ASKED, SHORT, NAMES)
    for made, _ in enumerate(comparison):
        so_far = tuple(where if where and where.step <= made else None for where in done.divergence)
        assert comparison.divergence == so_far


def test_closing_stops_all_and_keeps_what_is_written(engine: Engine) -> None:
    comparison = engine.compare(ASKED, SHORT, ["kecil", "besar"])
    steps = iter(comparison)
    for _ in range(3):
        next(steps)
    steps.close()
    assert [len(run.steps) for run in comparison.runs] == [3, 3, 3]
    assert [len(run.written) for run in comparison.runs] == [6, 6, 6]
    assert [figures["nats_under_base"] for figures in comparison.figures()] == [None] * 3
    assert read_comparison(comparison.record().to_json()) == comparison.record()


@pytest.mark.parametrize(
    ("adapters", "says"),
    [
        ([], "Choose 1 to 3 adapters .* not 0. There are: .*kecil, sedang, besar"),
        (["kecil", "sedang", "besar", "kecil:2"], "Choose 1 to 3 adapters .* not 4"),
        (["kecil", "pantun"], "no adapter 'pantun'"),
        (["kecil", "kecil"], "kecil is in this comparison already"),
        (["kecil:0.5", "besar", "kecil: 0.50"], "kecil:0.5 is in this comparison already"),
        (["kecil+besar", "besar+kecil"], "besar.kecil is in this comparison already"),
        ([""], "The base is in this comparison already"),
        (["kecil:3"], "from 0 to 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(engine: Engine, adapters: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        engine.compare(ASKED, SHORT, adapters)
    assert caught.value.in_language("id") != caught.value.in_language("en")


def test_one_adapter_at_two_scales_can_be_compared(engine: Engine) -> None:
    comparison = engine.compare(ASKED, SHORT, ["kecil", "kecil:0.5"])
    assert [run.about["adapter"] for run in comparison.runs] == [None, "kecil", "kecil:0.5"]


def test_a_question_that_is_empty_is_refused_before_any_work(engine: Engine) -> None:
    with pytest.raises(UserError, match="empty"):
        engine.compare([{"role": "user", "content": " "}], SHORT, ["kecil"])


def test_an_adapter_that_is_taken_off_meanwhile_ends_it_with_a_sentence(
    engine: Engine, folders: dict[str, Path]
) -> None:
    engine.shelf.add(folders["kecil"], "sebentar")
    comparison = engine.compare(ASKED, SHORT, ["sebentar", "besar"])
    steps = iter(comparison)
    for _ in range(3):
        next(steps)
    engine.shelf.remove("sebentar")
    with pytest.raises(UserError, match=r"'sebentar'.* what is written stays"):
        next(steps)
    assert [len(run.steps) for run in comparison.runs] == [3, 3, 3]
    assert all(run.picture() for run in comparison.runs)
    assert len(comparison.figures()) == 3
    assert alone(engine, SHORT, "besar").finished  # nobody else noticed


# What is measured


def test_figures_are_those_of_the_format_and_of_the_runs(done: Comparison) -> None:
    for run, figures in zip(done.runs, done.figures(), strict=True):
        assert list(figures) == list(FIGURES)
        assert figures["forwards"] == run.steps[-1].forwards
        assert figures["seconds"] == round(done.seconds, 2) > 0
        assert figures["tokens"] == len(run.written)
        assert figures["ended"] == run.ended
        assert figures["repeated_3"] == round(repeated([run.text]), 4)


def test_confidence_is_the_mean_of_what_was_committed_before_the_end(engine: Engine) -> None:
    run = finish(engine.compare(ASKED, SamplingOptions(gen_length=32, steps=16, block_length=32), ["kecil"])).runs[0]
    ends = [at for at, token in enumerate(run.answer) if token in run.tokenizer.special.ends]
    assert ends  # a length at which the model ends its answer
    sure = {at: c for step in run.steps for at, c in zip(step.positions, step.confidences, strict=True)}
    comparison = Comparison((run,), "", "", lambda: iter(()), lambda run: None)
    expected = sum(sure[at] for at in range(ends[0])) / ends[0]
    assert comparison.figures()[0]["confidence"] == pytest.approx(expected, abs=1e-4)


def test_the_bound_is_that_of_the_base_alone(engine: Engine, done: Comparison) -> None:
    for run, figures in zip(done.runs, done.figures(), strict=True):
        ends = [at for at, token in enumerate(run.answer) if token in run.tokenizer.special.ends]
        text = run.answer[: ends[0] + 1] if ends else run.answer
        ids = torch.tensor([*run.prepared.prompt, *text])
        nats = negative_log_likelihood(engine.model, ids, len(run.prepared.prompt), engine.tokens.mask, DRAWS)
        assert figures["nats_under_base"] == pytest.approx(nats / len(text), abs=1e-3)


def test_measuring_again_needs_no_forward(engine: Engine, done: Comparison) -> None:
    before = done.figures()
    calls: list[int] = []
    hook = engine.model.register_forward_hook(lambda *_: calls.append(1))
    try:
        assert done.figures() == before
    finally:
        hook.remove()
    assert calls == []


def test_an_empty_text_has_no_bound_and_no_confidence(engine: Engine) -> None:
    eot = engine.tokenizer.special.eot
    options = SamplingOptions(gen_length=4, steps=4, block_length=4, constraints={0: (eot,)})
    figures = finish(engine.compare(ASKED, options, ["besar"])).figures()
    assert [(f["tokens"], f["confidence"], f["nats_under_base"]) for f in figures] == [(0, None, None)] * 2


def test_what_is_saved_is_read_again_and_shows_its_differences(done: Comparison) -> None:
    record = read_comparison(done.record().to_json())
    assert record == done.record()
    assert record.to_dict() == done.to_dict()
    assert (record.question, record.system_prompt) == ("Apa itu hujan?", "Kamu ramah.")
    base, *others = record.panes
    assert not any(piece.differs for piece in base.pieces)
    for pane in others:
        assert any(piece.differs for piece in pane.pieces) or pane.text in base.text
        assert all(best for step in pane.trace.steps for _, best in step.candidates)
        assert pane.trace.options == SHORT


def test_visitors_beside_a_comparison_get_what_they_would_get_alone(engine: Engine, done: Comparison) -> None:
    wanted, bounds = alone(engine, SHORT, "besar").answer, [f["nats_under_base"] for f in done.figures()]
    answers: list[object] = []
    comparisons: list[Comparison] = []

    def visit() -> None:
        answers.append(alone(engine, SHORT, "besar").answer)

    def watch() -> None:
        comparisons.append(finish(engine.compare(ASKED, SHORT, NAMES)))
        comparisons[-1].figures()

    threads = [threading.Thread(target=work) for work in (watch, visit, visit, watch, visit)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [wanted] * 3
    for comparison in comparisons:
        assert [run.answer for run in comparison.runs] == [run.answer for run in done.runs]
        assert [f["nats_under_base"] for f in comparison.figures()] == pytest.approx(bounds, abs=1e-3)
    assert len(comparisons) == 2
