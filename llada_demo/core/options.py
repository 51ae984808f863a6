"""SamplingOptions: every setting of the sampler, with its range, unit and help, in one place.

Sliders and command-line flags are generated from the fields' metadata; an invalid value or combination
raises `OptionsError`, which names the rule, the value and the nearest valid one. Nothing is corrected
silently: who wants the nearest valid options asks for them with `nearest_valid`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from llada_demo.core.errors import OptionsError

REMASKING = ("low_confidence", "random", "margin", "entropy")
END_RULES = ("free", "last", "forbid")
CACHES = ("none",)
MAX_CONSTRAINTS = 64


@dataclass(frozen=True)
class Spec:
    """What an interface must know of one field: kind, range, unit, and words in both languages."""

    kind: type
    label: tuple[str, str]
    help: tuple[str, str]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: tuple[str, str] = ("", "")
    choices: tuple[str, ...] = ()
    optional: bool = False


def _option(default: Any, kind: type, label: tuple[str, str], help: tuple[str, str], **range_: Any) -> Any:
    metadata = {"spec": Spec(kind, label, help, **range_)}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class SamplingOptions:
    """Settings of one answer. Frozen; refuses nonsense at birth with `OptionsError`."""

    gen_length: int = _option(
        64, int, ("Panjang jawaban", "Answer length"),
        ("Banyaknya token yang disiapkan untuk jawaban; jawaban boleh selesai lebih awal.",
         "How many tokens are set aside for the answer; it may end sooner."),
        low=1, high=1024, step=1, unit=("token", "tokens"))  # fmt: skip
    steps: int = _option(
        64, int, ("Langkah", "Steps"),
        ("Banyaknya langkah untuk seluruh jawaban: makin banyak makin teliti, makin sedikit makin cepat.",
         "Denoising steps for the whole answer: more is more careful, fewer is faster."),
        low=1, high=1024, step=1, unit=("langkah", "steps"))  # fmt: skip
    block_length: int = _option(
        16, int, ("Panjang blok", "Block length"),
        ("Jawaban ditulis blok demi blok dari kiri; di dalam satu blok urutannya bebas.",
         "The answer is written block by block from the left; inside a block the order is free."),
        low=1, high=1024, step=1, unit=("token", "tokens"))  # fmt: skip
    temperature: float = _option(
        0.0, float, ("Suhu", "Temperature"),
        ("0 selalu memilih kata yang paling mungkin; lebih tinggi lebih beragam.",
         "0 always takes the likeliest word; higher is more varied."),
        low=0.0, high=2.0, step=0.05)  # fmt: skip
    cfg_scale: float = _option(
        0.0, float, ("Panduan tanpa pengklasifikasi", "Classifier-free guidance"),
        ("0 mati; lebih tinggi membuat jawaban lebih terikat pada pertanyaan, dengan dua kali perhitungan.",
         "0 is off; higher ties the answer more closely to the question, at twice the work."),
        low=0.0, high=4.0, step=0.1)  # fmt: skip
    remasking: str = _option(
        "low_confidence", str, ("Strategi remasking", "Remasking"),
        ("Cara memeringkat tebakan. Yang teratas ditetapkan dan tidak pernah ditutup lagi; sisanya tetap [MASK].",
         "How guesses are ranked. The best are committed for good; the rest stays masked."),
        choices=REMASKING)  # fmt: skip
    threshold: float | None = _option(
        None, float, ("Ambang keyakinan", "Confidence threshold"),
        ("Selain jadwal, tetapkan juga semua tebakan yang keyakinannya paling sedikit sekian.",
         "Beside the schedule, also commit every guess that is at least this confident."),
        low=0.05, high=1.0, step=0.05, optional=True)  # fmt: skip
    constraints: Mapping[int, str | tuple[int, ...]] = _option(
        {}, dict, ("Kata yang ditetapkan", "Word constraints"),
        ("posisi: kata, satu per baris, misalnya 0: Tentu. Kata itu ada sejak awal dan tidak berubah.",
         "position: word, one a line, e.g. 0: Tentu. The word is there from the start and stays."))  # fmt: skip
    stop_at_end: bool = _option(
        True, bool, ("Berhenti di token akhir", "Stop at the end token"),
        ("Selesai begitu jawaban berakhir; blok sesudahnya tidak dihitung.",
         "Finish as soon as the answer has ended; later blocks are not computed."))  # fmt: skip
    end_rule: str = _option(
        "free", str, ("Token akhir", "End tokens"),
        ("free: kapan saja; last: setelah kata-kata lain di bloknya; forbid: tidak pernah.",
         "free: at any time; last: after the other words of its block; forbid: never."),
        choices=END_RULES)  # fmt: skip
    no_repeat: int = _option(
        0, int, ("Tanpa pengulangan", "No repetition"),
        ("Rangkaian sekian token tidak ditulis dua kali dalam satu jawaban, dan kata tidak mengulang diri tepat di "
         "sebelahnya. 0: mati.",
         "No run of this many tokens is written twice in an answer, and no word directly beside itself. 0: off."),
        low=0, high=8, step=1)  # fmt: skip
    seed: int = _option(
        0, int, ("Benih acak", "Seed"),
        ("Benih dan pengaturan yang sama memberi jawaban yang sama.",
         "The same seed and settings give the same answer."),
        low=0, high=2**31 - 1, step=1)  # fmt: skip
    cache: str = _option(
        "none", str, ("Tembolok", "Cache"),
        ("none: perhitungan tepat tanpa tembolok.", "none: exact computation, nothing cached."),
        choices=CACHES)  # fmt: skip

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(f.name, getattr(self, f.name), f.metadata["spec"]))
        for constraint in self.constraints:
            if constraint >= self.gen_length:
                longest = int(spec("gen_length").high or 0)
                whole_blocks = -(-(constraint + 1) // self.block_length) * self.block_length
                raise OptionsError(
                    f"Posisi kata {_shown(constraint)} di luar jawaban: panjang jawaban {self.gen_length}, "
                    f"jadi posisi 0 sampai {self.gen_length - 1}.",
                    f"Constraint position {_shown(constraint)} lies outside the answer: with gen_length "
                    f"{self.gen_length} positions are 0 to {self.gen_length - 1}.",
                    {"gen_length": min(whole_blocks, longest)} if constraint < longest else None,
                )
        if self.gen_length % self.block_length:
            near = _nearest(divisors(self.gen_length), self.block_length)
            raise OptionsError(
                f"Panjang jawaban ({self.gen_length}) harus kelipatan panjang blok ({self.block_length}); "
                f"panjang blok terdekat yang cocok adalah {near}.",
                f"gen_length ({self.gen_length}) must be a multiple of block_length ({self.block_length}); "
                f"the nearest block_length that fits is {near}.",
                {"block_length": near},
            )
        if self.steps not in (allowed := allowed_steps(self.gen_length, self.block_length)):
            near = _nearest(allowed, self.steps)
            raise OptionsError(
                f"Langkah ({self.steps}) harus kelipatan banyaknya blok ({self.blocks}) dan paling banyak "
                f"panjang jawaban ({self.gen_length}); yang terdekat adalah {near}.",
                f"steps ({self.steps}) must be a multiple of the number of blocks ({self.blocks}) and at most "
                f"gen_length ({self.gen_length}); the nearest is {near}.",
                {"steps": near},
            )

    @property
    def blocks(self) -> int:
        """How many blocks the answer has."""
        return self.gen_length // self.block_length

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `from_dict` gives the same options back."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        data["constraints"] = {
            str(k): v if isinstance(v, str) else list(v) for k, v in sorted(self.constraints.items())
        }
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SamplingOptions:
        """Options from JSON data. Raises OptionsError for an unknown name or an invalid value."""
        if not isinstance(data, Mapping):
            raise OptionsError(
                'Pengaturan harus berupa objek JSON, misalnya {"seed": 1}.',
                'Options must be a JSON object, for example {"seed": 1}.',
            )
        names = [f.name for f in fields(cls)]
        for name in data:
            if name not in names:
                raise OptionsError(
                    f"Pengaturan {name!r} tidak dikenal. Yang ada: {', '.join(names)}.",
                    f"Unknown option {name!r}. There are: {', '.join(names)}.",
                )
        return cls(**data)


def spec(name: str) -> Spec:
    """The metadata of one field of SamplingOptions."""
    return next(f.metadata["spec"] for f in fields(SamplingOptions) if f.name == name)


def default(name: str) -> Any:
    """The default of one field of SamplingOptions."""
    return getattr(SamplingOptions(), name)


def divisors(n: int) -> list[int]:
    """Every block length that fits an answer of n tokens, ascending."""
    return [d for d in range(1, n + 1) if n % d == 0]


def allowed_steps(gen_length: int, block_length: int) -> list[int]:
    """Every valid number of steps: each block gets the same number, and no step commits nothing."""
    blocks = gen_length // block_length
    return [blocks * k for k in range(1, block_length + 1)]


def nearest_valid(data: Mapping[str, Any]) -> tuple[SamplingOptions, list[OptionsError]]:
    """The options nearest to `data`, and what had to change (in order, empty when nothing had to).

    Raises OptionsError where there is no nearest value to offer (an unknown name, a constraint out of range).
    """
    wanted: dict[str, Any] = dict(data)
    told: list[OptionsError] = []
    for _ in range(2 * len(fields(SamplingOptions))):
        try:
            return SamplingOptions.from_dict(wanted), told
        except OptionsError as error:
            if not error.nearest:
                raise
            wanted.update(error.nearest)
            told.append(error)
    raise told[-1]


def _nearest(allowed: Sequence[int], value: float) -> int:
    """The allowed number nearest to value; of two equally near ones the larger (more careful) one."""
    return min(allowed, key=lambda a: (abs(a - value), -a))


def _checked(name: str, value: Any, spec: Spec) -> Any:
    """The value in its field's type, or OptionsError."""
    if value is None and spec.optional:
        return None
    if spec.kind is dict:
        return _checked_constraints(value)
    if spec.choices:
        if value not in spec.choices:
            raise OptionsError(
                f"{name} tidak mengenal {value!r}; pilihannya: {', '.join(spec.choices)}.",
                f"{name} cannot be {value!r}; choose one of: {', '.join(spec.choices)}.",
            )
        return value
    if spec.kind is bool:
        if not isinstance(value, bool):
            raise OptionsError(
                f"{name} harus true atau false, bukan {value!r}.",
                f"{name} must be true or false, not {value!r}.",
            )
        return value
    return _checked_number(name, value, spec)


def _checked_number(name: str, value: Any, spec: Spec) -> int | float:
    if not _is_number(value):
        raise OptionsError(f"{name} harus berupa angka, bukan {value!r}.", f"{name} must be a number, not {value!r}.")
    if spec.kind is int and value != int(value):
        raise OptionsError(
            f"{name} harus bilangan bulat, bukan {value}.",
            f"{name} must be a whole number, not {value}.",
            {name: round(value)},
        )
    assert spec.low is not None
    assert spec.high is not None
    if not spec.low <= value <= spec.high:
        near = spec.kind(min(max(value, spec.low), spec.high))
        raise OptionsError(
            f"{name} = {_shown(value)} di luar batas {spec.low:g} sampai {spec.high:g}.",
            f"{name} = {_shown(value)} is outside {spec.low:g} to {spec.high:g}.",
            {name: near},
        )
    return spec.kind(value)


def _is_number(value: Any) -> bool:
    """Whether value is a finite number (JSON knows whole numbers that no float can hold)."""
    return type(value) is int or (isinstance(value, float) and math.isfinite(value))


def _shown(value: float) -> str:
    """A number in few characters; Python refuses to print the longest ones."""
    return str(value) if abs(value) < 10**15 else f"{float(min(max(value, -1e300), 1e300)):.3g}"


def _checked_constraints(value: Any) -> dict[int, str | tuple[int, ...]]:
    """{position: text or ids} with integer positions, sorted; JSON gives positions as strings."""
    problem = OptionsError(
        'Kata yang ditetapkan ditulis sebagai {posisi: kata}, misalnya {"0": "Tentu"}, posisi mulai dari 0.',
        'Constraints are written {position: word}, for example {"0": "Tentu"}, positions from 0.',
    )
    if not isinstance(value, Mapping):
        raise problem
    if len(value) > MAX_CONSTRAINTS:
        raise OptionsError(
            f"Paling banyak {MAX_CONSTRAINTS} kata dapat ditetapkan, bukan {len(value)}.",
            f"At most {MAX_CONSTRAINTS} words can be fixed, not {len(value)}.",
        )
    result: dict[int, str | tuple[int, ...]] = {}
    for position, word in value.items():
        try:
            at = int(position)
            whole = at == float(position)
        except (TypeError, ValueError, OverflowError):
            raise problem from None
        if isinstance(position, bool) or at < 0 or not whole:
            raise problem
        if isinstance(word, str) and word.strip():
            result[at] = word
        elif isinstance(word, list | tuple) and word and all(type(i) is int and i >= 0 for i in word):
            result[at] = tuple(word)
        else:
            raise problem
    return dict(sorted(result.items()))
