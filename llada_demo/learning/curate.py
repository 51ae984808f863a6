"""Curation: from millions of rows to a small set in which every kind of question is there.

The steps of the write-up that this project follows: the rows of some subsets of the Cendol Collection -> a
sample stratified by template -> sentence embeddings of the inputs -> k-means -> as many rows of every
cluster, topped up from the others -> ShareGPT conversations. Our own text goes the same way.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from llada_demo.core.errors import UserError
from llada_demo.learning.embedding import k_means
from llada_demo.learning.sources import Example, clean, flaw, parse, read_source

CENDOL = "indonlp/cendol_collection_v2"
SUBSETS = ("indo_puisi", "wikihow", "wikipedia_id", "safety_prompt", "identity_prompt", "dolly")
ALL = "all"
NEWS = 200_000  # rows between two lines of progress

Embed = Callable[[Sequence[str]], np.ndarray]  # texts -> (N, D)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Curation:
    """What is asked for. subsets: names, each found wherever it stands in a row's subset; none = SUBSETS of
    Cendol rows and all of our own; ("all",) = every row. share: (0, 1], of each template. Raises UserError.
    """

    subsets: tuple[str, ...] = ()
    share: float = 0.03
    clusters: int = 10
    per_cluster: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "share": (0 < self.share <= 1, "> 0, <= 1", self.share),
            "clusters": (self.clusters >= 1, ">= 1", self.clusters),
            "per-cluster": (self.per_cluster >= 1, ">= 1", self.per_cluster),
            "seed": (0 <= self.seed < 2**32, ">= 0, < 2^32", self.seed),
        }
        for name, (valid, rule, value) in limits.items():
            if not valid:
                raise UserError(f"--{name} harus {rule}, bukan {value}.", f"--{name} must be {rule}, not {value}.")

    def wants(self, subset: str, own: bool) -> bool:
        """Whether rows of this subset are used."""
        names = self.subsets or ((ALL,) if own else SUBSETS)
        return ALL in names or any(name.lower() in subset.lower() for name in names)


@dataclass
class Counts:
    """Rows on their way: all that were read, per subset; those that were dropped, by reason; those that the
    sample was drawn from, per subset and template. cendol: how many had the Cendol schema; absent: names that
    no subset has."""

    read: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    subsets: Counter[str] = field(default_factory=Counter)
    templates: Counter[str] = field(default_factory=Counter)
    cendol: int = 0
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Curated:
    """sample: the examples that were clustered; points (N, D) and labels (N,) of them; taken: the indices of
    those that were chosen, in the order of the source, and topped_up those of them that fill up for others."""

    settings: Curation
    counts: Counts
    sample: Sequence[Example]
    points: np.ndarray
    labels: np.ndarray
    taken: Sequence[int]
    topped_up: frozenset[int]

    def rows(self) -> Iterator[dict[str, Any]]:
        """The chosen examples as ShareGPT rows."""
        for at in self.taken:
            yield self.sample[at].sharegpt(int(self.labels[at]))

    def jsonl(self) -> bytes:
        """The file that is written."""
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows()).encode()

    def report(self) -> dict[str, Any]:
        """Settings and counts: before the sample, in it, and after the choice, by subset, template, cluster."""
        counts, chosen = self.counts, [self.sample[at] for at in self.taken]
        rows = {"read": counts.read.total(), "wanted": counts.subsets.total() + counts.dropped.total()}
        rows |= {"dropped": counts.dropped.total(), "sampled": len(self.sample), "taken": len(chosen)}
        sizes, kept = Counter(self.labels.tolist()), Counter(self.labels[list(self.taken)].tolist())
        filled = Counter(int(self.labels[at]) for at in self.topped_up)
        return {
            "settings": asdict(self.settings),
            "rows": rows,
            "licences": dict(Counter(example.licence or "?" for example in chosen).most_common()),
            "absent": counts.absent,
            "dropped": dict(counts.dropped.most_common()),
            "subsets": _three(counts.subsets, [e.subset for e in self.sample], [e.subset for e in chosen]),
            "templates": _three(counts.templates, [e.template for e in self.sample], [e.template for e in chosen]),
            "clusters": {
                str(number): {"sampled": sizes[number], "taken": kept[number], "topped_up": filled[number]}
                for number in range(self.settings.clusters)
            },
        }


@dataclass
class Stratum:
    """One template on its way: its rows so far, those of the present run, how many were given. drawn: (arrival,
    row) of the present run; spare: the last that was passed over."""

    rng: random.Random
    rows: int = 0
    run: int = 0
    given: int = 0
    drawn: tuple[int, Example] | None = None
    spare: tuple[int, Example] | None = None


class Sampler:
    """A sample of every template in one pass, which holds hardly more rows than it gives.

    Of each run of 1 / share rows of a template one is drawn, all alike likely. A template of n rows gives
    round(n x share), halves up, and at least one.
    """

    def __init__(self, share: float, seed: int) -> None:
        exact = Fraction(str(share))
        self.up, self.down, self.seed = exact.numerator, exact.denominator, seed
        self._sample: list[tuple[int, Example]] = []
        self._strata: dict[str, Stratum] = {}
        self._arrived = 0

    def __len__(self) -> int:
        return len(self._sample)

    def add(self, example: Example) -> None:
        """One more row of the pass."""
        if (stratum := self._strata.get(example.template)) is None:
            stratum = Stratum(random.Random(f"{self.seed}/{example.template}"))
            self._strata[example.template] = stratum
        stratum.run += 1
        stratum.rows += 1
        passed: tuple[int, Example] | None = (self._arrived, example)
        self._arrived += 1
        if stratum.rng.randrange(stratum.run) == 0:  # the k-th of a run replaces the one drawn with 1 / k
            passed, stratum.drawn = stratum.drawn, passed
        stratum.spare = passed or stratum.spare
        if stratum.rows * self.up // self.down > stratum.given:
            self._give(stratum)

    def finish(self) -> list[Example]:
        """The sample, in the order of the pass."""
        for stratum in self._strata.values():
            if 2 * (stratum.rows * self.up % self.down) >= self.down or not stratum.given:
                self._give(stratum)
        return [example for _, example in sorted(self._sample, key=lambda pair: pair[0])]

    def _give(self, stratum: Stratum) -> None:
        """The row drawn of the run, or the spare where a run has just ended (with a share above a half)."""
        if row := stratum.drawn or stratum.spare:
            self._sample.append(row)
            stratum.given += 1
        stratum.run, stratum.drawn = 0, None


def curate(sources: Sequence[str], settings: Curation, embed: Embed, tell: Tell = lambda line: None) -> Curated:
    """The whole way. embed: texts -> points (N, D); equal texts are embedded once. The same sources, settings
    and encoder give the same rows. Raises UserError."""
    sample, counts = draw_sample(sources, settings, tell)
    if settings.clusters > len(sample):
        raise UserError(
            f"--clusters {settings.clusters} lebih banyak dari {len(sample)} baris dalam sampel; naikkan --share.",
            f"--clusters {settings.clusters} is more than the {len(sample)} rows of the sample; raise --share.",
        )
    inputs = {text: at for at, text in enumerate(dict.fromkeys(example.turns[0] for example in sample))}
    tell(f"{counts.read.total()} rows read, {len(sample)} sampled, {len(inputs)} distinct inputs")
    points = embed(list(inputs))[[inputs[example.turns[0]] for example in sample]]
    labels = k_means(points, settings.clusters, settings.seed)
    taken, topped_up = select(labels, settings)
    return Curated(settings, counts, sample, points, labels, taken, topped_up)


def draw_sample(sources: Sequence[str], settings: Curation, tell: Tell) -> tuple[list[Example], Counts]:
    """The stratified sample of the wanted rows, and what was counted on the way. Raises UserError."""
    counts, sampler = Counts(), Sampler(settings.share, settings.seed)
    for source in sources:
        for number, (name, row) in enumerate(read_source(source), 1):
            example, own = parse(row, name, f"{settings.seed}/{name}/{number}")
            counts.read[example.subset] += 1
            counts.cendol += not own
            if number % NEWS == 0:
                tell(f"{source}: {number} rows read, {len(sampler)} sampled")
            if not settings.wants(example.subset, own):
                continue
            if why := flaw(example.turns):
                counts.dropped[why] += 1
                continue
            counts.subsets[example.subset] += 1
            counts.templates[example.template] += 1
            sampler.add(replace(example, turns=tuple(map(clean, example.turns))))
    _check(settings, counts)
    if counts.absent:
        tell(f"no rows of: {', '.join(counts.absent)}")
    return sampler.finish(), counts


def select(labels: np.ndarray, settings: Curation) -> tuple[list[int], frozenset[int]]:
    """The indices of the rows that are taken, sorted, and those of them that fill up for small clusters.

    labels: (N,) int. `per_cluster` of every cluster, or all that it has; then others by chance, up to
    clusters x per_cluster or the end of the data.
    """
    rng = random.Random(f"{settings.seed}/select")
    taken: list[int] = []
    left: list[int] = []
    for number in range(settings.clusters):
        members = np.flatnonzero(labels == number).tolist()
        rng.shuffle(members)
        taken += members[: settings.per_cluster]
        left += members[settings.per_cluster :]
    wanted = settings.clusters * settings.per_cluster - len(taken)
    filling = rng.sample(left, min(wanted, len(left)))
    return sorted([*taken, *filling]), frozenset(filling)


def _check(settings: Curation, counts: Counts) -> None:
    """Notes which subsets are not there. Raises UserError where one of them was asked for by name, or where
    there are no rows."""
    there = ", ".join(sorted(counts.read)[:40]) + (", ..." if len(counts.read) > 40 else "") or "-"
    default = SUBSETS if counts.cendol else ()
    names = [name for name in settings.subsets or default if name != ALL]
    counts.absent = tuple(name for name in names if not any(name.lower() in subset.lower() for subset in counts.read))
    if settings.subsets and counts.absent:
        absent = ", ".join(counts.absent)
        raise UserError(
            f"Subset {absent} tidak ada; yang ada: {there}.", f"There is no subset {absent}; there are: {there}."
        )
    if not counts.subsets:
        why = ", ".join(f"{reason}: {count}" for reason, count in counts.dropped.most_common()) or "-"
        raise UserError(
            f"Tidak ada baris yang dapat dipakai. Subset: {there}. Dibuang: {why}.",
            f"There is no row to use. Subsets: {there}. Dropped: {why}.",
        )


def _three(before: Counter[str], sampled: Sequence[str], taken: Sequence[str]) -> dict[str, dict[str, int]]:
    in_sample, after = Counter(sampled), Counter(taken)
    return {k: {"before": before[k], "sampled": in_sample[k], "taken": after[k]} for k in sorted(before)}
