"""Many visitors, one network: whoever is waiting for a step is answered in one forward.

There is no worker thread. A visitor's own thread leaves its job in the queue and asks for the network; who
gets it runs everything that is waiting, and finds its own answer among the others. A visitor who has left
simply sends no more jobs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from llada_demo.diffusion.loop import Ask

Forward = Callable[[Sequence[Ask]], Sequence[Tensor]]


@dataclass
class _Job:
    asks: Sequence[Ask]
    logits: list[Tensor] = field(default_factory=list)
    error: BaseException | None = None
    done: bool = False


class Batcher:
    """A `predict` for `denoise` that merges the asks of concurrent callers, at most `max_rows` a forward."""

    def __init__(self, forward: Forward, max_rows: int = 16, only_same_shape: bool = True) -> None:
        """only_same_shape: merge only rows of equal length and equal number of positions. On a CPU that makes a
        row bit-identical to its single run, so that no visitor can notice another; a GPU wins more from
        merging everything."""
        self._forward, self._max_rows, self._only_same_shape = forward, max_rows, only_same_shape
        self._waiting: list[_Job] = []
        self._queue_lock, self._network = threading.Lock(), threading.Lock()

    def __call__(self, asks: Sequence[Ask]) -> Sequence[Tensor]:
        """Logits (P, V) of every ask; blocks until they are there. Raises what the forward raised."""
        job = _Job(asks)
        with self._queue_lock:
            self._waiting.append(job)
        while not job.done:
            with self._network:
                if not job.done:
                    self._run(self._take())
        if job.error is not None:
            raise job.error
        return job.logits

    def _take(self) -> list[_Job]:
        """The longest-waiting jobs, together at most `max_rows` rows, but at least one."""
        with self._queue_lock:
            rows, count = 0, 0
            for job in self._waiting:
                rows += len(job.asks)
                if count and rows > self._max_rows:
                    break
                count += 1
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    def _run(self, jobs: list[_Job]) -> None:
        try:
            logits = iter(self._in_order([ask for job in jobs for ask in job.asks]))
            for job in jobs:
                job.logits = [next(logits) for _ in job.asks]
        except Exception as error:
            if len(jobs) > 1:  # find out whose fault it was: the others must not suffer
                for job in jobs:
                    self._run([job])
            else:
                jobs[0].error = error
        finally:
            for job in jobs:
                job.done = True

    def _in_order(self, asks: list[Ask]) -> list[Tensor]:
        """The forward of all asks, group by group, answers in the order of the asks."""
        groups: dict[tuple[int, int], list[int]] = {}
        for i, ask in enumerate(asks):
            shape = (len(ask.ids), len(ask.positions)) if self._only_same_shape else (0, 0)
            groups.setdefault(shape, []).append(i)
        answers: dict[int, Tensor] = {}
        for members in groups.values():
            answers.update(zip(members, self._forward([asks[i] for i in members]), strict=True))
        return [answers[i] for i in range(len(asks))]
