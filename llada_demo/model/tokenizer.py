"""LLaDA's tokenizer: byte-level BPE whose special tokens can only be placed by us, never typed.

Two things differ from a stock tokenizer. Text is encoded by a copy of the vocabulary that has no special
tokens, so `<|eot_id|>` typed by a visitor becomes harmless ordinary tokens. And text comes back as *cells*,
one per token, in which a character whose bytes are spread over several tokens is shown whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer

from llada_demo.core.errors import ModelError

BOS = "<|startoftext|>"
EOS = "<|endoftext|>"  # end of the answer's canvas and padding
MASK = "<|mdm_mask|>"
HEADER_START = "<|start_header_id|>"
HEADER_END = "<|end_header_id|>"
EOT = "<|eot_id|>"  # end of a turn
SPECIAL = (BOS, EOS, MASK, HEADER_START, HEADER_END, EOT)


def byte_alphabet() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for (the GPT-2 convention).

    Printable Latin-1 characters stand for themselves, the other bytes for the characters from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


@dataclass(frozen=True)
class SpecialIds:
    """Ids of the tokens that only the program places."""

    bos: int
    eos: int
    mask: int
    header_start: int
    header_end: int
    eot: int

    @property
    def ends(self) -> tuple[int, int]:
        """The tokens at which an answer ends."""
        return (self.eos, self.eot)


class LLaDATokenizer:
    """Text to ids and back. `vocabulary` is the parsed tokenizer.json of the checkpoint."""

    def __init__(self, vocabulary: dict, mask_token_id: int | None = None, eos_token_id: int | None = None) -> None:
        added = {token["content"]: token["id"] for token in vocabulary.get("added_tokens", [])}
        known = added | vocabulary["model"]["vocab"]
        ids = [added.get(name, known.get(name)) for name in SPECIAL]
        # The configuration has the last word on the two ids that models disagree about.
        ids[2] = mask_token_id if mask_token_id is not None else ids[2]
        ids[1] = eos_token_id if eos_token_id is not None else ids[1]
        if not all(isinstance(i, int) for i in [*known.values(), *ids] if i is not None):
            raise ValueError("a token id is no whole number")
        if None in ids:
            missing = ", ".join(name for name, i in zip(SPECIAL, ids, strict=True) if i is None)
            raise ModelError(
                f"Tokenizer model ini tidak memiliki token {missing}.",
                f"This checkpoint's tokenizer lacks the tokens {missing}.",
            )
        self.special = SpecialIds(*ids)
        self._names = {i: name for name, i in known.items()}
        self._special_ids = frozenset(ids) | frozenset(added.values())
        text_only = {
            **vocabulary,
            "added_tokens": [],
            "post_processor": None,
            "truncation": None,
            "padding": None,
        }
        text_only["model"] = {
            **vocabulary["model"],
            "vocab": {k: v for k, v in vocabulary["model"]["vocab"].items() if v not in self._special_ids},
        }
        self._text = _tokenizer(text_only)

    @classmethod
    def from_folder(
        cls, folder: Path, mask_token_id: int | None = None, eos_token_id: int | None = None
    ) -> LLaDATokenizer:
        """The tokenizer beside a checkpoint's weights. Raises ModelError if it is missing or not readable."""
        path = Path(folder) / "tokenizer.json"
        try:
            vocabulary = json.loads(path.read_text(encoding="utf-8"))
            return cls(vocabulary, mask_token_id, eos_token_id)
        except FileNotFoundError:
            raise ModelError(
                f"Berkas tokenizer.json tidak ada di {folder}.", f"There is no tokenizer.json in {folder}."
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(
                f"Berkas {path} rusak: {error}. Unduh ulang modelnya.",
                f"{path} is damaged: {error}. Download the model again.",
            ) from error

    @cached_property
    def wordless(self) -> frozenset[int]:
        """The ids without a Latin letter: digits, signs, spaces, special tokens."""
        letters = {i for i, name in self._names.items() if any(c.isascii() and c.isalpha() for c in name)}
        return frozenset(self._names) - letters | self._special_ids

    @property
    def size(self) -> int:
        """One more than the highest id."""
        return max(self._names) + 1

    def encode(self, text: str) -> list[int]:
        """Ids of a text. No special token ever comes out, whatever the text says.

        Null bytes are dropped; a lone surrogate, which no UTF-8 can hold (JSON can), becomes "?".
        """
        text = text.replace("\0", "").encode("utf-8", errors="replace").decode("utf-8")
        return self._text.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids without special tokens; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.token_bytes(i) for i in ids).decode("utf-8", errors="replace")

    def answer(self, ids: Sequence[int]) -> str:
        """The visible text of an answer: up to its first end token, trimmed."""
        ends = [i for i, token in enumerate(ids) if token in self.special.ends]
        return self.decode(ids[: ends[0]] if ends else ids).strip()

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one ordinary token; none for a special or unknown one."""
        name = self._names.get(token)
        if name is None or token in self._special_ids:
            return b""
        return bytes(self._alphabet[c] for c in name) if all(c in self._alphabet for c in name) else name.encode()

    def name(self, token: int) -> str:
        """The name of a special token, such as `<|eot_id|>`; empty for an ordinary token."""
        return self._names.get(token, "") if token in self._special_ids else ""

    def cells(self, ids: Sequence[int]) -> list[str]:
        """One text per token, safe to show: between two special tokens, joined, they are the decoded text.

        A character whose bytes are spread over neighbouring tokens stands whole in the first of them; what
        follows it stands in its own token, and tokens of which nothing is left are empty. Bytes whose rest is
        missing (still masked) become U+FFFD. Special tokens are empty.
        """
        cells = [""] * len(ids)
        data, owners = bytearray(), list[int]()  # of a run: its bytes, and the token that each is from
        for i, token in enumerate([*ids, self.special.eos]):
            piece = self.token_bytes(token)
            data += piece
            owners += [i] * len(piece)
            if not piece:  # a special token ends the run
                for character, at in _characters(bytes(data)):
                    cells[owners[at]] += character
                data, owners = bytearray(), []
        return cells

    @cached_property
    def _alphabet(self) -> dict[str, int]:
        return byte_alphabet()


def _characters(data: bytes) -> Iterator[tuple[str, int]]:
    """(character, its first byte's place) of UTF-8, U+FFFD as `decode(errors="replace")` puts it."""
    at = 0
    while at < len(data):
        bad = 0  # bytes that are no character
        try:
            text = data[at:].decode()
        except UnicodeDecodeError as error:
            text, bad = data[at : at + error.start].decode(), error.end - error.start
        for character in text:
            yield character, at
            at += len(character.encode())
        if bad:
            yield "\N{REPLACEMENT CHARACTER}", at
            at += bad


def _tokenizer(vocabulary: dict) -> Tokenizer:
    try:
        return Tokenizer.from_str(json.dumps(vocabulary))
    except Exception as error:  # the library raises nothing narrower for a vocabulary that it can't use
        raise ValueError(str(error)) from error
