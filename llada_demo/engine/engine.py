"""The one thing that tabs and commands talk to: it owns the model, and only it touches the network."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
import transformers
from torch import Tensor

from llada_demo.attention.record import REGIMES, AttentionRecord
from llada_demo.core.chat import Message
from llada_demo.core.errors import CapacityError, OptionsError, UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import ADAPTERS, EMBEDDED, EMBEDDED_NAME, Settings
from llada_demo.core.trace import Step, Trace
from llada_demo.diffusion.generate import fixed_ids
from llada_demo.diffusion.loop import Ask, Request, Tokens, denoise
from llada_demo.diffusion.predict import forward
from llada_demo.engine.attend import attend, read
from llada_demo.engine.batcher import Batcher
from llada_demo.engine.branch import begun, by_hand
from llada_demo.engine.compare import Comparison, compare
from llada_demo.engine.device import Placement, place
from llada_demo.engine.run import Prepared, Run
from llada_demo.engine.shelf import Shelf, written
from llada_demo.model.loading import LoadedModel, load_model
from llada_demo.model.template import fit_chat

BIG_MODEL = "GSAI-ML/LLaDA-8B-Instruct"
BIG_MODEL_BYTES = 20 * 2**30  # its weights in bf16, and room to work
SHORTEST_PROMPT = 8  # a chat needs at least its frame


class Engine:
    """A loaded model that answers; safe to use from many threads."""

    def __init__(self, loaded: LoadedModel, placement: Placement, settings: Settings | None = None) -> None:
        self.loaded, self.placement, self.settings = loaded, placement, settings or Settings()
        self.model, self.tokenizer = loaded.model, loaded.tokenizer
        own = self.model.config.max_sequence_length
        self.max_length = min(own, self.settings.max_length or own)
        ids = self.tokenizer.special
        self.tokens = Tokens(mask=ids.mask, eos=ids.eos, ends=ids.ends, wordless=self.tokenizer.wordless)
        self.shelf = Shelf(loaded)
        self._batcher = Batcher(self._forward, only_same_shape=placement.device == "cpu")

    @classmethod
    def load(cls, settings: Settings | None = None) -> Engine:
        """The engine for the settings (by default those of the environment), with the adapters that they name and,
        before those, the ones that come with the embedded model. Raises UserError."""
        settings = settings or Settings.from_environment()
        placement = place(settings)
        source = model_source(settings, placement)
        loaded = load_model(source, device=placement.device, dtype=placement.dtype)
        if loaded.folder == EMBEDDED:
            loaded = replace(loaded, name=EMBEDDED_NAME)
        engine = cls(loaded, placement, settings)
        shipped = sorted(ADAPTERS.glob("[!.]*")) if loaded.folder == EMBEDDED else []
        for folder in (path for path in shipped if path.is_dir()):
            engine.shelf.add(folder, shipped=True)
        for adapter in settings.adapters:
            engine.shelf.add(adapter)
        return engine

    def start(
        self,
        messages: Sequence[Message],
        options: SamplingOptions,
        adapter: str | None = None,
        candidates: int = 0,
    ) -> Run:
        """An answer to a conversation, ready to be iterated. adapter: `name`, `name:scale`, several joined by `+`,
        or none for the base. Raises UserError before any work is done."""
        mix = self.shelf.mix(adapter)
        prepared = self.prepare(messages, options)
        prompt = torch.tensor(prepared.prompt, device=self.model.device)
        request = Request(prompt, options, prepared.fixed, mix=mix)

        def begin() -> Iterator[Step]:
            for (step,) in denoise(self._batcher, [request], self.tokens, candidates):
                assert step is not None
                yield step

        return Run(prepared, options, self.tokenizer, begin, self.about(written(mix)))

    def chat(self, messages: Sequence[Message], options: SamplingOptions, adapter: str | None = None) -> Iterator[Step]:
        """The steps of an answer, live."""
        return iter(self.start(messages, options, adapter))

    def trace(
        self,
        messages: Sequence[Message],
        options: SamplingOptions,
        adapter: str | None = None,
        candidates: int = 5,
    ) -> Trace:
        """A whole run, with the candidates of every step."""
        run = self.start(messages, options, adapter, candidates)
        for _ in run:
            pass
        return run.trace()

    def compare(
        self, messages: Sequence[Message], options: SamplingOptions, adapters: Sequence[str], candidates: int = 0
    ) -> Comparison:
        """The base and one to three adapters (each as `start` takes it) on one question with one seed, as rows of
        one batch, ready to be iterated. Raises UserError before any work is done."""
        return compare(self, messages, options, adapters, candidates)

    def resume(
        self, trace: Trace, step: int, edits: Mapping[int, int | str | None] | None = None, candidates: int = 5
    ) -> Run:
        """A run that goes on from a recorded one, after `step` of its steps and with `edits` made by hand.

        edits: {position in the answer: a token id, a word (it may take the positions behind it too), or None to
        mask it again}. Without edits the run goes on as the recorded one did. Raises UserError for a trace of
        another model, a step that is not there, or edits that do not fit.
        """
        self._check_trace(trace, step)
        earlier = list(trace.steps[:step])
        if edits:
            earlier.append(by_hand(trace, step, self._edit_tokens(trace, edits)))
        state = replace(trace, steps=tuple(earlier)).answer_at(len(earlier))
        self._check_ids(trace, state)
        prompt = torch.tensor([token for token, _ in trace.prompt], device=self.model.device)
        kept = {at: state[at] for done in earlier if done.by_hand for at in done.positions}
        fixed = {**trace.fixed, **{at: token for at, token in kept.items() if token is not None}}
        mix = self.shelf.mix(trace.about.get("adapter"))
        request = Request(prompt, trace.options, fixed, begun=begun(trace.options, earlier, state), mix=mix)

        def begin() -> Iterator[Step]:
            for (made,) in denoise(self._batcher, [request], self.tokens, candidates):
                assert made is not None
                yield made

        about = self.about(written(mix))
        if edits:
            about |= {"branch_of": trace.about.get("date"), "branch_step": step}
        return Run(
            Prepared(prompt.tolist(), trace.fixed, 0), trace.options, self.tokenizer, begin, about, earlier=earlier
        )

    def attend(
        self,
        what: str | Trace,
        step: int | None = None,
        unit: str = "words",
        regimes: Sequence[str] = REGIMES,
        layer: int | None = None,
    ) -> AttentionRecord:
        """What a text, or the canvas after `step` steps of a trace, attends to: the mean over the heads of every
        layer, and every head of `layer` (from 0). unit: words or tokens. Raises UserError."""
        return attend(self, read(self, what, step, unit), regimes, layer)

    def canvas(self, trace: Trace, step: int) -> list[int]:
        """The ids that the model saw after `step` steps of a trace: prompt and answer, with masks.

        Raises UserError for a trace of another model, or a step that is not there.
        """
        self._check_trace(trace, step)
        answer = trace.answer_at(step)
        self._check_ids(trace, answer)
        return [*(token for token, _ in trace.prompt), *(self.tokens.mask if t is None else t for t in answer)]

    def _check_trace(self, trace: Trace, step: int) -> None:
        """Raises UserError for a trace of another model, or a step that is not there."""
        if trace.about.get("sha256") != self.loaded.sha256:
            raise UserError(
                f"Rekaman ini dari model lain ({trace.about.get('model')}); hanya model itu yang membacanya lagi.",
                f"This trace is of another model ({trace.about.get('model')}); only that one can read it again.",
            )
        if not 0 <= step <= len(trace.steps):
            raise UserError(
                f"Langkah {step} tidak ada: rekaman ini punya {len(trace.steps)} langkah.",
                f"There is no step {step}: this trace has {len(trace.steps)}.",
            )

    def _check_ids(self, trace: Trace, state: Sequence[int | None]) -> None:
        """Raises UserError where a trace holds what this model cannot read."""
        ids = [*(token for token, _ in trace.prompt), *(token for token in state if token is not None)]
        fits = len(trace.prompt) + trace.options.gen_length <= self.max_length
        if (
            not (fits and all(0 <= token < self.model.config.embedding_size for token in ids))
            or self.tokens.mask in ids
        ):
            raise UserError(
                "Rekaman ini memuat token yang tidak dapat dibaca model ini, atau terlalu panjang baginya.",
                "This trace holds tokens that this model cannot read, or is too long for it.",
            )

    def _edit_tokens(self, trace: Trace, edits: Mapping[int, int | str | None]) -> dict[int, int | None]:
        """{position: id or None} of edits. Raises OptionsError where they do not fit."""
        words = {at: (what,) if isinstance(what, int) else what for at, what in edits.items() if what is not None}
        try:
            options = SamplingOptions.from_dict({**trace.options.to_dict(), "constraints": words})
        except OptionsError as error:
            raise UserError(error.in_language("id"), error.in_language("en")) from error
        masks = {at: None for at, what in edits.items() if what is None}
        if outside := [at for at in masks if not 0 <= at < trace.options.gen_length]:
            raise UserError(f"Posisi {outside} di luar jawaban.", f"The positions {outside} lie outside the answer.")
        return {**masks, **self.fixed_tokens(options)}

    def prepare(self, messages: Sequence[Message], options: SamplingOptions) -> Prepared:
        """Template, fixed words and length limit. Raises UserError naming what does not fit."""
        if not messages or messages[-1]["role"] != "user" or not messages[-1]["content"].replace("\0", "").strip():
            raise UserError(
                "Pesan masih kosong. Tulis dahulu pertanyaannya.", "The message is empty. Write a question."
            )
        room = self.max_length - options.gen_length
        if room < SHORTEST_PROMPT:
            near = max(8, (self.max_length // 2) // options.block_length * options.block_length)
            raise OptionsError(
                f"Panjang jawaban {options.gen_length} terlalu besar: model ini membaca paling banyak "
                f"{self.max_length} token untuk pertanyaan dan jawaban. Coba {near}.",
                f"An answer of {options.gen_length} tokens is too long: this model reads at most "
                f"{self.max_length} tokens for question and answer. Try {near}.",
                {"gen_length": near},
            )
        ids, dropped = fit_chat(self.tokenizer, messages, room)
        if len(ids) > room:
            raise CapacityError(
                f"Pesan ini terlalu panjang: {len(ids)} token, sedangkan tempatnya {room}. "
                "Pendekkan pesannya, prompt sistem, atau panjang jawabannya.",
                f"This message is too long: {len(ids)} tokens, and there is room for {room}. "
                "Shorten it, the system prompt, or the answer length.",
            )
        return Prepared(ids, self.fixed_tokens(options), dropped)

    def fixed_tokens(self, options: SamplingOptions) -> dict[int, int]:
        """{position: id} of the word constraints; a word may take several tokens from its position on.

        Raises OptionsError where words overlap or leave the answer.
        """
        as_ids: dict[int, tuple[int, ...]] = {}
        for position, word in options.constraints.items():
            if isinstance(word, str):
                spaced = word if position == 0 or word[0] in " \n.,;:!?" else " " + word
                word = tuple(self.tokenizer.encode(spaced))
            if any(token >= self.model.config.embedding_size or token == self.tokens.mask for token in word):
                raise OptionsError(
                    f"Token yang ditetapkan di posisi {position} tidak dikenal model ini.",
                    f"The tokens fixed at position {position} are unknown to this model.",
                )
            as_ids[position] = word
        return fixed_ids(SamplingOptions.from_dict({**options.to_dict(), "constraints": as_ids}))

    def predict(self, ask: Ask) -> Tensor:
        """The logits (P, V) of one canvas at its asked positions, in the same batch as whoever waits for a step."""
        (logits,) = self.predict_rows([ask])
        return logits

    def predict_rows(self, asks: Sequence[Ask]) -> Sequence[Tensor]:
        """The same for several canvases at once."""
        return self._batcher(asks)

    def ready(self) -> str | None:
        """None when a token can be generated; otherwise a sentence why not."""
        try:
            options = SamplingOptions(gen_length=1, steps=1, block_length=1)
            next(self.chat([{"role": "user", "content": "Halo"}], options))
        except (RuntimeError, UserError) as error:
            return f"the model cannot answer: {type(error).__name__}"
        return None

    def about(self, adapter: str | None = None) -> dict[str, Any]:
        """What wrote an answer: model, digest, adapter, placement, versions, date."""
        return {
            **self._constant,
            "adapter": adapter,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }

    @cached_property
    def _constant(self) -> dict[str, Any]:
        return {
            "model": self.loaded.name,
            "sha256": self.loaded.sha256,
            "parameters": self.loaded.parameters,
            "device": self.placement.device,
            "dtype": str(self.placement.dtype).removeprefix("torch."),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        }

    def _forward(self, asks: Sequence[Ask]) -> list[Tensor]:
        if not any(ask.mix for ask in asks):
            return forward(self.model, asks, self.tokens.eos)
        with self.shelf.rows([ask.mix for ask in asks]):
            return forward(self.model, asks, self.tokens.eos)


def model_source(settings: Settings, placement: Placement) -> str:
    """The folder or hub id that the settings mean."""
    if settings.model == "auto":
        if placement.device == "cuda" and torch.cuda.mem_get_info()[0] >= BIG_MODEL_BYTES:
            return BIG_MODEL
        return str(EMBEDDED)
    return settings.model or str(EMBEDDED)
