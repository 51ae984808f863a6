"""Fine-tuning an adapter: `python -m llada_demo finetune --recipe published-1 --data FILE --out runs/mine`.

The base stays frozen; what is trained, saved and continued is the adapter. All that is random in a step is a
function of (seed, step, process): a checkpoint needs no random state, and a run that was stopped goes on with
the very loss that it would have had. `accelerate` places the model and averages gradients over processes; one
process on a CPU is the plain case of the same code, and only the main process writes.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from llada_demo.core.errors import UserError
from llada_demo.learning.adapter import disk_errors
from llada_demo.learning.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from llada_demo.learning.lora import adapter_state, attach, load_state, make_optimizer
from llada_demo.learning.objective import Noise, masked_loss
from llada_demo.learning.pretrain import human_time, schedule
from llada_demo.learning.sft import Dataset, Example, Noised, heldout_batches, noised
from llada_demo.learning.tuning import SCHEDULES, FinetuneSettings
from llada_demo.model.loading import LoadedModel

MEASURES = 10  # times that the held-out loss is taken on the way


@dataclass(frozen=True)
class TuningProgress:
    """What a line of the log says."""

    step: int
    share: float  # of the budget, 0..1
    loss: float  # cross-entropy of the masked tokens, nats per token, running mean
    tokens_per_second: float
    seconds_left: float
    heldout: float | None = None  # nats per masked token of held-out answers, always under the same masks


class Tuner:
    """One run: base, adapter, optimiser and position. It goes on from the checkpoint of its folder, if any."""

    def __init__(
        self,
        settings: FinetuneSettings,
        base: LoadedModel,
        data: Dataset,
        heldout: Dataset | None,
        folder: Path,
        accelerator: Accelerator | None = None,
    ) -> None:
        """Attaches the adapter to `base.model`, in place. Raises UserError, see `attach` and `Checkpoint.check`."""
        if not len(data):
            raise UserError(
                f"Tidak ada baris yang muat dalam cutoff_len {settings.cutoff_len}.",
                f"There is no row that fits a cutoff_len of {settings.cutoff_len}.",
            )
        self.settings, self.base, self.data, self.folder = settings, base, data, folder
        self.accelerator = accelerator or Accelerator(cpu=True)
        self.identity = {  # what must be the same for a run to go on
            "settings": {k: v for k, v in settings.to_dict().items() if k != "note"},
            "data": data.digest(),
            "base": base.sha256,
            "processes": self.accelerator.num_processes,
        }
        saved = read_checkpoint(folder)
        if saved:
            saved.check(self.identity)
        self.adapted = attach(base.model, settings, base.name, saved.start if saved else None)
        self.start = saved.start if saved else adapter_state(self.adapted) if settings.pissa else None
        optimizer = make_optimizer(self.adapted, settings)
        self.wrapped, self.optimizer = self.accelerator.prepare(self.adapted, optimizer)
        self.noise = Noise("reference" if settings.weighting == "llada" else "uniform", settings.t)
        self.heldout = heldout_batches(heldout) if heldout else []
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self.running: float | None = None
        self.losses: list[dict[str, Any]] = []
        if saved:
            self._continue(saved)

    @property
    def step_rows(self) -> int:
        """Rows of one step, all processes together."""
        return self.settings.batch_size * self.settings.accumulation * self.accelerator.num_processes

    @property
    def epoch_steps(self) -> int:
        """Steps of one pass over the data; where they don't come out even, the last one takes rows again."""
        return math.ceil(len(self.data) / self.step_rows)

    @property
    def total_steps(self) -> int | None:
        """The budget in steps; None where it is time."""
        if self.settings.epochs is not None:
            return max(1, round(self.settings.epochs * self.epoch_steps))
        return self.settings.steps

    @property
    def share(self) -> float:
        """How much of the budget is used up, 0 to 1."""
        if self.total_steps is not None:
            return min(1.0, self.step / self.total_steps)
        return min(1.0, self.seconds / (60 * (self.settings.minutes or 1)))

    def run(
        self,
        report: Callable[[TuningProgress], None],
        every: int = 10,
        save_every: float = 300.0,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Trains to the end of the budget, reports every `every` steps, saves every `save_every` seconds.

        stopping is asked after every whole step; where it says so, the run is saved and KeyboardInterrupt
        raised. A finished run is saved too; who has stored its adapter removes the checkpoint. Raises UserError
        where the loss is no number any more or the disk does not take a checkpoint.
        """
        saved, tokens, seconds = time.monotonic(), self.tokens, self.seconds
        if not self.losses:
            self._measure()
        while self.share < 1:
            began, tenth = time.monotonic(), int(self.share * MEASURES)
            loss = self.train_step()
            self.running = loss if self.running is None else 0.95 * self.running + 0.05 * loss
            self.seconds += time.monotonic() - began
            stop = self._agree(stopping())
            heldout = self._measure() if int(self.share * MEASURES) > tenth else None
            if self.step % every == 0 or heldout is not None:
                report(self._progress((self.tokens - tokens) / max(self.seconds - seconds, 1e-9), heldout))
                tokens, seconds = self.tokens, self.seconds
            if stop or time.monotonic() - saved > save_every:
                self.save()
                saved = time.monotonic()
            if stop:
                raise KeyboardInterrupt
        self.save()  # whatever becomes of the adapter's own files

    def train_step(self) -> float:
        """One step of the optimiser. Returns the plain cross-entropy of its masked tokens (nats per token)."""
        settings, last = self.settings, self.settings.accumulation - 1
        rate = schedule(self.share, settings.warmup, SCHEDULES[settings.schedule])
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * rate
        draw = random.Random(f"{settings.seed}/{self.step}/{self.accelerator.process_index}").getrandbits(62)
        generator = torch.Generator().manual_seed(draw)
        eos = self.base.tokenizer.special.eos
        batches = noised(self._examples(), settings.batch_size, self.noise, generator, eos, settings.pad_weight)
        total, count = 0.0, 0
        self.adapted.train()
        with torch.random.fork_rng([self.accelerator.device] if self.accelerator.device.type == "cuda" else []):
            torch.manual_seed(draw)  # dropout
            for i, batch in enumerate(batches):
                with self.accelerator.no_sync(self.wrapped) if i < last else nullcontext():
                    loss, mean = self.loss(self.wrapped, batch)
                    self.accelerator.backward(loss)
                total, count = total + float(mean) * int(batch.masked.sum()), count + int(batch.masked.sum())
                self.tokens += batch.ids.numel() * self.accelerator.num_processes
        trained = [p for p in self.adapted.parameters() if p.requires_grad]
        norm = self.accelerator.clip_grad_norm_(trained, settings.max_grad_norm)
        if not math.isfinite(total) or (norm is not None and not math.isfinite(norm)):
            self.optimizer.zero_grad()  # the adapter is still as it was
            raise diverged(self.step + 1, settings.learning_rate)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return total / max(count, 1)

    def loss(self, model: Callable[..., Any], batch: Noised) -> tuple[Tensor, Tensor]:
        """LLaDA's loss of a mini-batch, and the plain mean of its cross-entropies.

        Only masked positions get logits: model(input_ids (B, L), positions (B, P)) -> `.logits` (B, P, V).
        """
        device = self.accelerator.device
        ids, masked, weights = batch.ids.to(device), batch.masked.to(device), batch.weights.to(device)
        most = int(masked.sum(1).max())
        positions = masked.int().argsort(dim=1, descending=True, stable=True)[:, :most]  # masked ones first
        asked = masked.gather(1, positions).flatten().nonzero()[:, 0]
        noisy = ids.masked_fill(masked, self.base.tokenizer.special.mask)
        logits = model(input_ids=noisy, positions=positions).logits.flatten(0, 1)[asked]
        targets, factors = ids.gather(1, positions), weights.gather(1, positions)
        return masked_loss(logits, targets.flatten()[asked], factors.flatten()[asked])

    @torch.inference_mode()
    def heldout_loss(self) -> float | None:
        """Nats per masked token over the held-out answers, always under the same masks; None without any."""
        if not self.heldout:
            return None
        self.adapted.eval()
        sums = torch.zeros(2, dtype=torch.float64)
        for batch in self.heldout[self.accelerator.process_index :: self.accelerator.num_processes]:
            _, mean = self.loss(self.adapted, batch)
            masked = int(batch.masked.sum())
            sums += torch.tensor([float(mean) * masked, masked])
        self.adapted.train()
        total, count = self._summed(sums)
        return total / max(count, 1.0)

    def save(self) -> None:
        """The checkpoint, whole or not at all. Raises UserError where the disk does not take it."""
        if self.accelerator.is_main_process:
            numbers = {"step": self.step, "tokens": self.tokens, "seconds": self.seconds, "running": self.running}
            about = {**self.identity, "numbers": numbers, "losses": self.losses}
            state = Checkpoint(adapter_state(self.adapted), self.start, self.optimizer.state_dict()["state"], about)
            with disk_errors(self.folder):
                write_checkpoint(self.folder, state)
        self.accelerator.wait_for_everyone()

    def figures(self) -> dict[str, Any]:
        """What the run came to, for the card."""
        first, last = (self.losses[0], self.losses[-1]) if self.losses else ({}, {})
        trained = sum(p.numel() for p in self.adapted.parameters() if p.requires_grad)
        return {
            "steps": self.step,
            "epochs": round(self.step / self.epoch_steps, 2),
            "token_passes": self.tokens,
            "minutes": round(self.seconds / 60, 2),
            "trained_parameters": trained,
            "loss": None if self.running is None else round(self.running, 4),
            "heldout_before": first.get("heldout"),
            "heldout_after": last.get("heldout"),
            "device": str(self.accelerator.device.type),
            "processes": self.accelerator.num_processes,
        }

    def _continue(self, saved: Checkpoint) -> None:
        load_state(self.adapted, saved.adapter)
        whole = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**whole, "state": saved.optimizer})
        for name, value in saved.about["numbers"].items():
            setattr(self, name, value)
        self.losses = saved.about["losses"]

    def _examples(self) -> list[Example]:
        """This process's rows of the step."""
        epoch, at = divmod(self.step, self.epoch_steps)
        order, mine = self.data.order(epoch), self.settings.batch_size * self.settings.accumulation
        first = at * self.step_rows + self.accelerator.process_index * mine
        return [self.data.example(order[i % len(order)], epoch) for i in range(first, first + mine)]

    def _measure(self) -> float | None:
        heldout = self.heldout_loss()
        if heldout is not None and not math.isfinite(heldout):
            raise diverged(self.step, self.settings.learning_rate)
        line = {"step": self.step, "loss": self.running, "heldout": heldout}
        self.losses.append({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()})
        return heldout

    def _agree(self, stop: bool) -> bool:
        """Whether any process was asked to stop; and one clock for all of them."""
        stops, seconds = self._summed(torch.tensor([float(stop), self.seconds], dtype=torch.float64))
        self.seconds = seconds / self.accelerator.num_processes
        return stops > 0

    def _summed(self, values: Tensor) -> list[float]:
        """The sums over all processes."""
        if self.accelerator.num_processes > 1:
            kind = torch.float32 if self.accelerator.device.type == "mps" else values.dtype
            values = self.accelerator.reduce(values.to(self.accelerator.device, kind), "sum")
        return values.tolist()

    def _progress(self, speed: float, heldout: float | None) -> TuningProgress:
        if self.total_steps is not None:
            left = self.seconds / self.step * (self.total_steps - self.step)
        else:
            left = 60 * (self.settings.minutes or 0) - self.seconds
        return TuningProgress(self.step, self.share, self.running or 0.0, speed, left, heldout)


def diverged(step: int, rate: float) -> UserError:
    """The sentence for a run whose loss is no number any more."""
    return UserError(
        f"Pada langkah {step} loss bukan bilangan lagi; learning_rate {rate:g} terlalu tinggi, turunkan.",
        f"At step {step} the loss is no number any more; the learning_rate {rate:g} is too high, lower it.",
    )


def describe(progress: TuningProgress) -> Mapping[str, Any]:
    """The log line of a step as JSON data."""
    return {
        "step": progress.step,
        "done": f"{progress.share:.1%}",
        "loss": round(progress.loss, 3),
        "heldout": None if progress.heldout is None else round(progress.heldout, 3),
        "tokens/s": round(progress.tokens_per_second),
        "left": human_time(progress.seconds_left),
    }
