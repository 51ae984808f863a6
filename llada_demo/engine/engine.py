"""The one thing that tabs and commands talk to: it owns the model, and only it touches the network."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
import transformers
from torch import Tensor

from llada_demo.core.chat import Message
from llada_demo.core.errors import CapacityError, OptionsError, UserError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import EMBEDDED, EMBEDDED_NAME, Settings
from llada_demo.core.trace import Step, Trace
from llada_demo.diffusion.generate import fixed_ids
from llada_demo.diffusion.loop import Ask, Request, Tokens, denoise
from llada_demo.diffusion.predict import forward
from llada_demo.engine.batcher import Batcher
from llada_demo.engine.device import Placement, place
from llada_demo.engine.run import Prepared, Run
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
        self.tokens = Tokens(mask=ids.mask, eos=ids.eos, ends=ids.ends)
        self._batcher = Batcher(self._forward, only_same_shape=placement.device == "cpu")

    @classmethod
    def load(cls, settings: Settings | None = None) -> Engine:
        """The engine for the settings (by default those of the environment). Raises UserError."""
        settings = settings or Settings.from_environment()
        if settings.adapters:
            raise UserError(
                "LLADA_ADAPTERS belum dapat dipakai: versi ini belum memuat adapter. Kosongkan dahulu.",
                "LLADA_ADAPTERS cannot be used yet: this version loads no adapters. Leave it empty.",
            )
        placement = place(settings)
        source = model_source(settings, placement)
        loaded = load_model(source, device=placement.device, dtype=placement.dtype)
        if loaded.folder == EMBEDDED:
            loaded = replace(loaded, name=EMBEDDED_NAME)
        return cls(loaded, placement, settings)

    def start(
        self,
        messages: Sequence[Message],
        options: SamplingOptions,
        adapter: str | None = None,
        candidates: int = 0,
    ) -> Run:
        """An answer to a conversation, ready to be iterated. Raises UserError before any work is done."""
        prepared = self.prepare(messages, options, adapter)
        prompt = torch.tensor(prepared.prompt, device=self.model.device)
        request = Request(prompt, options, prepared.fixed)

        def begin() -> Iterator[Step]:
            for (step,) in denoise(self._batcher, [request], self.tokens, candidates):
                assert step is not None
                yield step

        return Run(prepared, options, self.tokenizer, begin, self.about())

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

    def prepare(self, messages: Sequence[Message], options: SamplingOptions, adapter: str | None = None) -> Prepared:
        """Template, fixed words and length limit. Raises UserError naming what does not fit."""
        if adapter:
            raise UserError(
                f"Adapter {adapter!r} tidak ada. Belum ada adapter yang dimuat.",
                f"There is no adapter {adapter!r}. None is loaded.",
            )
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

    def ready(self) -> str | None:
        """None when a token can be generated; otherwise a sentence why not."""
        try:
            options = SamplingOptions(gen_length=1, steps=1, block_length=1)
            next(self.chat([{"role": "user", "content": "Halo"}], options))
        except (RuntimeError, UserError) as error:
            return f"the model cannot answer: {type(error).__name__}"
        return None

    def about(self) -> dict[str, Any]:
        """What wrote an answer: model, digest, placement, versions, date."""
        return {
            **self._constant,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }

    @cached_property
    def _constant(self) -> dict[str, Any]:
        return {
            "model": self.loaded.name,
            "sha256": self.loaded.sha256,
            "parameters": self.loaded.parameters,
            "adapter": None,
            "device": self.placement.device,
            "dtype": str(self.placement.dtype).removeprefix("torch."),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        }

    def _forward(self, asks: Sequence[Ask]) -> list[Tensor]:
        return forward(self.model, asks, self.tokens.eos)


def model_source(settings: Settings, placement: Placement) -> str:
    """The folder or hub id that the settings mean."""
    if settings.model == "auto":
        if placement.device == "cuda" and torch.cuda.mem_get_info()[0] >= BIG_MODEL_BYTES:
            return BIG_MODEL
        return str(EMBEDDED)
    return settings.model or str(EMBEDDED)
