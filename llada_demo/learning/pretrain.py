"""Training a small LLaDA from nothing: `python -m llada_demo pretrain --recipe assets/model/recipe.json`.

Writes checkpoints beside the model and continues from them; Ctrl-C saves first. The learning rate follows the
share of the budget that is used up, so that a run ends fully decayed: a budget of time whatever the
speed of the machine, one of token passes whatever else it does.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llada_demo.core.files import write_beside
from llada_demo.learning.corpus import Corpus
from llada_demo.learning.objective import Noise, mask_rows, masked_loss
from llada_demo.learning.recipe import Phase, Recipe
from llada_demo.learning.rows import Batch, RowMaker
from llada_demo.model import LLaDAConfig, LLaDAModelLM
from llada_demo.model.tokenizer import LLaDATokenizer


@dataclass(frozen=True)
class Progress:
    """What a line of the log says."""

    step: int
    share: float  # of the budget, 0..1
    phase: str
    loss: float  # plain cross-entropy of the supervised positions, nats per token, running mean
    tokens: int  # token passes so far
    tokens_per_second: float
    seconds_left: float
    heldout: float | None = None  # nats per masked token on held-out answers, with fixed masks


def new_model(recipe: Recipe, tokenizer: LLaDATokenizer) -> LLaDAModelLM:
    """An untrained network of the recipe's size for the tokenizer's vocabulary."""
    torch.manual_seed(recipe.seed)
    ids = tokenizer.special
    config = LLaDAConfig(
        **recipe.model,
        vocab_size=recipe.vocab_size,
        mask_token_id=ids.mask,
        eos_token_id=ids.eos,
        pad_token_id=ids.eos,
    )
    return LLaDAModelLM(config)


class Trainer:
    """One run: model, optimisers and position in the data; all of it is in the checkpoint."""

    def __init__(
        self,
        recipe: Recipe,
        tokenizer: LLaDATokenizer,
        corpus: Corpus,
        heldout: Corpus | None,
        folder: Path,
        device: str = "cpu",
        bf16: bool = True,
        compiled: bool = True,
    ) -> None:
        self.recipe, self.tokenizer, self.folder = recipe, tokenizer, folder
        self.device, self.bf16 = torch.device(device), bf16
        self.model = new_model(recipe, tokenizer)
        torch.nn.Module.to(self.model, self.device)
        if compiled:  # fuses norms, rotary embedding and gates, which cost as much as the products on a CPU
            for block in self.model.model.transformer["blocks"]:
                block.compile(dynamic=True)
        self.optimizers = make_optimizers(self.model, recipe)
        self.makers = [RowMaker(tokenizer, corpus, phase.rows) for phase in recipe.phases]
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.heldout = heldout_batches(tokenizer, heldout, recipe.phases[-1]) if heldout else []
        self.step, self.tokens, self.seconds, self.epoch, self.batch_in_epoch = 0, 0, 0.0, 0, 0
        self.running: float | None = None

    def run(self, report: Callable[[Progress], None], every: int = 50, save_every: float = 300.0) -> None:
        """Trains to the end of the budget; reports every `every` steps, saves every `save_every` seconds."""
        saved = measured = time.monotonic()
        measured_tokens = self.tokens
        try:
            for phase, batch in self._batches():
                began = time.monotonic()
                loss = self._step(phase, batch)
                self.running = loss if self.running is None else 0.98 * self.running + 0.02 * loss
                self.step += 1
                self.tokens += batch.ids.numel()
                self.seconds += time.monotonic() - began
                if self.step % every == 0:
                    now = time.monotonic()
                    speed = (self.tokens - measured_tokens) / max(now - measured, 1e-9)
                    last = phase.kind == self.recipe.phases[-1].kind
                    heldout = self.heldout_loss() if self.step % (10 * every) == 0 and last else None
                    report(self._progress(phase, speed, heldout))
                    measured, measured_tokens = time.monotonic(), self.tokens
                if time.monotonic() - saved > save_every:
                    self.save()
                    saved = time.monotonic()
        finally:
            self.save()

    @property
    def share(self) -> float:
        """How much of the budget, token passes or time, is used up, 0 to 1."""
        if self.recipe.passes:
            return min(1.0, self.tokens / self.recipe.passes)
        return min(1.0, self.seconds / (60 * self.recipe.minutes))

    def phase(self) -> int:
        """The index of the phase that the run is in."""
        ends, end = [], 0.0
        for phase in self.recipe.phases:
            ends.append(end := end + phase.share)
        return next((i for i, end in enumerate(ends) if self.share < end / ends[-1]), len(ends) - 1)

    @torch.inference_mode()
    def heldout_loss(self) -> float:
        """Nats per masked token over the held-out answers, always under the same masks.

        After a causal last phase: nats per token of the answers, written left to right.
        """
        self.model.eval()
        causal = self.recipe.phases[-1].kind == "causal"
        total, count = 0.0, 0
        generator = torch.Generator().manual_seed(0)
        for batch in self.heldout:
            real = batch.supervised & (batch.weights == 1)
            if causal:
                asked, mean = real, self._causal_loss(replace(batch, weights=real.float()))[0]
            else:
                asked, _ = mask_rows(real, Noise(), generator)
                _, mean = self._masked_loss(batch, asked, torch.ones_like(batch.weights))
            total, count = total + float(mean) * int(asked.sum()), count + int(asked.sum())
        self.model.train()
        return total / max(count, 1)

    def save(self) -> None:
        """The checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "generator": self.generator.get_state(),
            "counters": {n: getattr(self, n) for n in COUNTERS},
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_beside(self.folder / CHECKPOINT, buffer.getvalue())

    def resume(self) -> bool:
        """Continues from the checkpoint of the folder, if there is one."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator.set_state(state["generator"].cpu())
        for name, value in state["counters"].items():
            setattr(self, name, value)
        return True

    def _batches(self) -> Iterator[tuple[Phase, Batch]]:
        """Epoch after epoch until the budget is used up, from where the run stands."""
        while self.share < 1:
            index = self.phase()
            skip = self.batch_in_epoch
            for i, batch in enumerate(
                self.makers[index].batches(self.recipe.batch_tokens, self.recipe.seed, self.epoch)
            ):
                if i < skip:
                    continue
                if self.share >= 1 or self.phase() != index:
                    break
                self.batch_in_epoch = i + 1
                yield self.recipe.phases[index], batch
            self.epoch, self.batch_in_epoch = self.epoch + 1, 0

    def _step(self, phase: Phase, batch: Batch) -> float:
        rate = schedule(self.share, self.recipe.warmup, self.recipe.rates)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * rate
        if phase.kind == "causal":
            loss, mean = self._causal_loss(batch)
        else:
            masked, weights = mask_rows(batch.supervised, phase.noise, self.generator, batch.weights)
            loss, mean = self._masked_loss(batch, masked, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return float(mean)

    def _masked_loss(self, batch: Batch, masked: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        ids, masked, weights = batch.ids.to(self.device), masked.to(self.device), weights.to(self.device)
        noisy = ids.masked_fill(masked, self.tokenizer.special.mask)
        return masked_loss(self._logits(noisy, None, masked), ids[masked], weights[masked])

    def _causal_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Every position predicts the next token, seeing only what is left of it."""
        ids, weights = batch.ids.to(self.device), batch.weights.to(self.device)[:, 1:]
        length = ids.shape[1] - 1
        causal = torch.ones(1, 1, length, length, dtype=torch.bool, device=self.device).tril()
        everywhere = torch.ones_like(ids[:, 1:], dtype=torch.bool)
        logits = self._logits(ids[:, :-1], causal, everywhere)
        return masked_loss(logits, ids[:, 1:].flatten(), (weights / weights.sum()).flatten())

    def _logits(self, ids: Tensor, mask: Tensor | None, asked: Tensor) -> Tensor:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            hidden = self.model.model(ids, mask)[0]
            return self.model.head(hidden.flatten(0, 1)[asked.flatten().nonzero()[:, 0]])

    def _progress(self, phase: Phase, speed: float, heldout: float | None) -> Progress:
        left = 60 * self.recipe.minutes - self.seconds
        if self.recipe.passes:
            left = (self.recipe.passes - self.tokens) / max(speed, 1e-9)
        return Progress(self.step, self.share, phase.kind, self.running or 0.0, self.tokens, speed, left, heldout)


CHECKPOINT = "checkpoint.pt"
COUNTERS = ("step", "tokens", "seconds", "epoch", "batch_in_epoch", "running")


def schedule(share: float, warmup: float, rates: Sequence[tuple[float, float]] = ((0, 1), (1, 0))) -> float:
    """Factor of the learning rate: up over `warmup`, then along the straight lines between `rates`.

    rates: (share, factor), in order. Two of one share are a jump: such a run starts anew with the weights it has.
    """
    last = next(i for i in range(len(rates) - 1, -1, -1) if rates[i][0] <= share)
    (start, height), (end, goal) = rates[last], rates[min(last + 1, len(rates) - 1)]
    factor = height + (goal - height) * (share - start) / (end - start) if end > start else height
    return factor * (min(share / warmup, 1.0) if warmup else 1.0)


def make_optimizers(model: LLaDAModelLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embeddings, head and norms."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and ".blocks." in n]
    others = [p for n, p in model.named_parameters() if not (p.ndim == 2 and ".blocks." in n)]
    muon = torch.optim.Muon(
        matrices, lr=recipe.matrix_lr, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(others, lr=recipe.other_lr, weight_decay=0.0, betas=(0.9, 0.95))
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    return [muon, adam]


def heldout_batches(tokenizer: LLaDATokenizer, corpus: Corpus, phase: Phase, tokens: int = 8192) -> list[Batch]:
    """The held-out conversations as batches, the same at every call."""
    return list(RowMaker(tokenizer, corpus, phase.rows).batches(tokens, seed=0, epoch=0))


def human_time(seconds: float) -> str:
    """Seconds as `1:02:03` or `2:03`."""
    whole = max(0, math.ceil(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe(progress: Progress) -> dict[str, Any]:
    """The log line of a step as JSON data."""
    return {
        "step": progress.step,
        "done": f"{progress.share:.1%}",
        "phase": progress.phase,
        "loss": round(progress.loss, 3),
        "heldout": None if progress.heldout is None else round(progress.heldout, 3),
        "tokens": progress.tokens,
        "tokens/s": round(progress.tokens_per_second),
        "left": human_time(progress.seconds_left),
    }
