"""Concurrent visitors share forwards and never notice one another."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
import torch

from llada_demo.core.options import SamplingOptions
from llada_demo.diffusion.loop import Ask
from llada_demo.engine import Engine
from llada_demo.engine.batcher import Batcher


def ask(length: int, value: int, positions: int = 2) -> Ask:
    return Ask(0, torch.full((length,), value), torch.arange(positions))


def echo(asks: Sequence[Ask]) -> list[torch.Tensor]:
    return [a.ids[a.positions].float()[:, None] for a in asks]


def in_threads(*jobs) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_answers_come_back_in_the_order_of_the_asks_whatever_their_shapes():
    asks = [ask(4, 1), ask(6, 2), ask(4, 3), ask(4, 4, positions=1)]
    assert [int(x[0, 0]) for x in Batcher(echo)(asks)] == [1, 2, 3, 4]


@pytest.mark.parametrize(("only_same_shape", "forwards"), [(True, 3), (False, 1)])
def test_only_rows_of_one_shape_share_a_forward_where_that_is_asked(only_same_shape, forwards):
    sizes = []
    batcher = Batcher(lambda asks: sizes.append(len(asks)) or echo(asks), only_same_shape=only_same_shape)
    batcher([ask(4, 1), ask(6, 2), ask(4, 3), ask(4, 4, positions=1)])
    assert len(sizes) == forwards
    assert sum(sizes) == 4


def test_jobs_that_wait_are_merged_into_one_forward():
    sizes, gate = [], threading.Event()

    def slow(asks: Sequence[Ask]) -> list[torch.Tensor]:
        sizes.append(len(asks))
        gate.wait(5)
        return echo(asks)

    batcher = Batcher(slow)
    results: dict[int, float] = {}

    def visitor(i: int) -> None:
        results[i] = float(batcher([ask(4, i)])[0][0, 0])

    threads = [threading.Thread(target=visitor, args=(i,)) for i in range(5)]
    threads[0].start()
    while not sizes:
        time.sleep(0.001)
    for thread in threads[1:]:
        thread.start()
    while len(batcher._waiting) < 4:
        time.sleep(0.001)
    gate.set()
    for thread in threads:
        thread.join(5)
    assert sizes == [1, 4]
    assert results == {i: float(i) for i in range(5)}


def test_a_job_that_fails_fails_alone():
    gate, started = threading.Event(), threading.Event()

    def fragile(asks: Sequence[Ask]) -> list[torch.Tensor]:
        started.set()
        gate.wait(5)
        if any(int(a.ids[0]) == 13 for a in asks):
            raise RuntimeError("thirteen")
        return echo(asks)

    batcher, results = Batcher(fragile), {}

    def visitor(i: int) -> None:
        try:
            results[i] = float(batcher([ask(4, i)])[0][0, 0])
        except RuntimeError as error:
            results[i] = str(error)

    first = threading.Thread(target=visitor, args=(1,))
    first.start()
    started.wait(5)
    others = [threading.Thread(target=visitor, args=(i,)) for i in (7, 13, 9)]
    for thread in others:
        thread.start()
    while len(batcher._waiting) < 3:
        time.sleep(0.001)
    gate.set()
    for thread in (first, *others):
        thread.join(5)
    assert results == {1: 1.0, 7: 7.0, 13: "thirteen", 9: 9.0}


def test_visitors_at_the_same_time_get_what_each_would_get_alone(engine: Engine):
    questions = ["Halo!", "Apa itu awan?", "Buatkan pantun.", "Siapa kamu?", "Apa itu awan?"]
    options = [
        SamplingOptions(gen_length=16, steps=8, block_length=8, temperature=0.7, seed=i) for i in range(len(questions))
    ]

    def answer(i: int) -> list[int | None]:
        run = engine.start([{"role": "user", "content": questions[i]}], options[i])
        for _ in run:
            pass
        return run.answer

    alone = [answer(i) for i in range(len(questions))]
    together: dict[int, list[int | None]] = {}
    in_threads(*(lambda i=i: together.__setitem__(i, answer(i)) for i in range(len(questions))))
    assert [together[i] for i in range(len(questions))] == alone
