"""Blind votes: which of two answers a visitor liked better before they were told who wrote which.

One SQLite file, one row a vote. Every call opens the file and closes it again, so nothing is lost when the process
ends, and several processes may vote into one file. Nothing is opened when the page starts: a file that cannot be
used costs the vote, not the page.

Privacy: the file holds what visitors typed (question and system prompt) and the time. It holds no answers, only
their digests, and nothing about the visitor. Whoever exports it publishes questions; the page must say so before it
asks for a vote. A new file can be read by its owner alone.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from llada_demo.core.errors import UserError
from llada_demo.core.settings import VOTES
from llada_demo.core.sheet import write_csv

CHOICES = ("left", "right", "tie", "both_bad")
LONGEST = 2000  # characters of a question or a system prompt
WAIT = 5.0  # seconds for another process to finish its vote
Z95 = 1.959963984540054  # the 97.5 % point of the normal distribution
APPLICATION, SCHEMA = int.from_bytes(b"LLDv", "big"), 1  # application_id and user_version of the file


def now() -> str:
    """The time of a vote: ISO 8601, UTC, in seconds."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def new_ballot() -> str:
    """A random id for one pair of answers: whoever has it may vote once."""
    return secrets.token_hex(16)


def digest(text: str) -> str:
    """The SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Vote:
    """One choice between two answers to one question.

    left, right: who wrote them, None for the base, else adapters as the shelf writes them (`kecil-lora:0.8`).
    choice: one of CHOICES. left_sha256, right_sha256: digests of the answers. options: of both, JSON data; seed: the
    one they share. model, sha256: the base. adapters: {name: SHA-256} of all that are compared.
    Raises UserError for a question or system prompt that is too long, two equal sides, or another choice.
    """

    left: str | None
    right: str | None
    choice: str
    question: str
    system_prompt: str
    left_sha256: str
    right_sha256: str
    options: Mapping[str, Any]
    seed: int
    model: str
    sha256: str
    adapters: Mapping[str, str] = field(default_factory=dict)
    ballot: str = field(default_factory=new_ballot)
    time: str = field(default_factory=now)

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise UserError(
                f"Pilihan {str(self.choice)[:40]!r} tidak dikenal; yang ada: {', '.join(CHOICES)}.",
                f"The choice {str(self.choice)[:40]!r} is not known; there are: {', '.join(CHOICES)}.",
            )
        if self.left == self.right:
            raise UserError(
                "Kedua jawaban berasal dari sistem yang sama; pilih dua yang berbeda.",
                "Both answers are by the same system; choose two that differ.",
            )
        for indonesian, english, text in (
            ("Pertanyaan", "question", self.question),
            ("Prompt sistem", "system prompt", self.system_prompt),
        ):
            if len(text) > LONGEST:
                raise UserError(
                    f"{indonesian} ini punya {len(text)} karakter; suara hanya dicatat sampai {LONGEST}.",
                    f"This {english} has {len(text)} characters; votes are kept for up to {LONGEST}.",
                )


@dataclass(frozen=True)
class System:
    """Who answered: the base (adapter None) of this digest, with adapters of these digests. Adapters of one name
    and different weights are different systems."""

    adapter: str | None
    sha256: str
    adapters: tuple[str, ...] = ()
    model: str = field(default="", compare=False)  # what the base was called in the last vote


@dataclass(frozen=True)
class Score:
    """How a system fared: votes (all of them), those that it won and lost; the rest are ties and both bad."""

    system: System
    votes: int
    wins: int
    losses: int

    @property
    def rate(self) -> float | None:
        """Wins over decided votes, 0 to 1; None where none was decided. Ties and both bad are counted apart."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson 95 % interval of the rate."""
        return wilson(self.wins, self.wins + self.losses)


@dataclass(frozen=True)
class Standing:
    """Two systems against each other, whichever side each stood on: their scores, ties and both bad.

    votes = first.wins + second.wins + ties + both_bad.
    """

    first: Score
    second: Score
    ties: int
    both_bad: int

    @property
    def votes(self) -> int:
        """All votes of the pair."""
        return self.first.votes


def wilson(wins: int, decided: int, z: float = Z95) -> tuple[float, float]:
    """The score interval of a share p = wins / n (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, pages 209-212):

        (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)

    It stays inside 0 to 1 and holds for few votes; without any it is (0, 1). It takes votes as independent: many
    votes of one visitor say less than it shows. Ties are no part of n.
    """
    if not decided:
        return 0.0, 1.0
    share, z2 = wins / decided, z * z / decided
    middle = share + z2 / 2
    half = z * math.sqrt(share * (1 - share) / decided + z2 / (4 * decided))
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


class Votes:
    """The votes in one file. Every method raises UserError where the file cannot be used, and then has changed
    nothing: the same vote may be given again."""

    def __init__(self, path: str | Path, wait: float = WAIT) -> None:
        """path: the file, made with the first vote; its folder must be there, only that of the default is made.
        wait: seconds for other processes."""
        self.path, self.wait = Path(os.path.expanduser(path)), wait
        self._own_folder = str(path) == VOTES

    def add(self, vote: Vote) -> None:
        """Keeps a vote. Raises UserError "already voted" for a ballot that has one."""
        row = [_stored(value) for value in _plain(vote).values()]
        with self._opened(writing=True) as base:
            try:
                base.execute(f"INSERT INTO votes VALUES ({', '.join('?' * len(row))})", row)
            except sqlite3.IntegrityError as error:
                raise UserError(
                    "Pasangan jawaban ini sudah dinilai; suara pertama tetap berlaku.",
                    "You have already voted on this pair of answers; the first vote stands.",
                ) from error

    def all(self) -> list[Vote]:
        """Every vote, oldest first."""
        if not os.path.exists(self.path) and (self._own_folder or os.path.exists(self.path.parent)):
            return []
        with self._opened(writing=False) as base:
            rows = base.execute("SELECT * FROM votes ORDER BY rowid").fetchall()
        return [Vote(**{name: _loaded(name, value) for name, value in zip(COLUMNS, row, strict=True)}) for row in rows]

    def tally(self) -> list[Standing]:
        """Every pair of systems that has votes, the most votes first."""
        pairs: dict[frozenset[System], list[Vote]] = {}
        for vote in self.all():
            pairs.setdefault(frozenset(_systems(vote)), []).append(vote)
        return sorted((_standing(votes) for votes in pairs.values()), key=lambda pair: -pair.votes)

    def scores(self) -> list[Score]:
        """Every system against all others together, the highest rate first; who met weak ones has it easier."""
        totals: dict[System, Score] = {}
        for standing in self.tally():
            for score in (standing.first, standing.second):
                before = totals.get(score.system, Score(score.system, 0, 0, 0))
                totals[score.system] = Score(
                    score.system,
                    before.votes + score.votes,
                    before.wins + score.wins,
                    before.losses + score.losses,
                )
        return sorted(totals.values(), key=lambda score: (-(score.rate or 0.0), -score.votes))

    def export(self, kind: str) -> bytes:
        """All votes as a file: "csv" (for a spreadsheet; mappings as JSON, the base as an empty cell) or "json"."""
        rows = [_plain(vote) for vote in self.all()]
        if kind == "json":
            text = json.dumps({"schema": SCHEMA, "votes": rows}, ensure_ascii=False, indent=1)
            return text.encode("utf-8")
        if kind == "csv":
            return write_csv([{name: _stored(value) for name, value in row.items()} for row in rows])
        raise ValueError(f"votes are exported as csv or json, not {kind!r}")

    @contextmanager
    def _opened(self, writing: bool) -> Iterator[sqlite3.Connection]:
        """The file's database, inside a transaction that is kept if the block ends well."""
        try:
            if writing:
                self._make_file()
            os.stat(self.path)
            uri = f"{self.path.absolute().as_uri()}?mode={'rw' if writing else 'ro'}"
            with closing(sqlite3.connect(uri, timeout=self.wait, isolation_level=None, uri=True)) as base:
                base.execute("BEGIN IMMEDIATE" if writing else "BEGIN")  # waits: timeout is SQLite's busy_timeout
                self._check_schema(base, writing)
                yield base
                base.execute("COMMIT")  # after an error the connection is closed without, and SQLite rolls back
                if writing:
                    _prefer_wal(base)
        except (OSError, sqlite3.DatabaseError) as error:
            if told := self._told(error):
                raise told from error
            raise

    def _make_file(self) -> None:
        """An empty file for its owner alone, unless there is one."""
        if self._own_folder:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

    def _check_schema(self, base: sqlite3.Connection, writing: bool) -> None:
        """Makes the table in a blank file, for a reader in memory. Raises UserError for somebody else's database."""
        (application,), (version,), (tables,) = (
            base.execute(query).fetchone()
            for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if not (application or version or tables):
            base.execute(f"CREATE {'' if writing else 'TEMP '}TABLE votes {TABLE}")
            if writing:
                base.execute(f"PRAGMA application_id = {APPLICATION}")
                base.execute(f"PRAGMA user_version = {SCHEMA}")
        elif (application, version) != (APPLICATION, SCHEMA):
            raise UserError(
                f"Berkas suara {self.path.name} dari versi atau program lain (skema {version}, di sini {SCHEMA}). "
                f"{ELSEWHERE[0]}",
                f"The votes file {self.path.name} is of another version or program (schema {version}, here "
                f"{SCHEMA}). {ELSEWHERE[1]}",
            )

    def _told(self, error: OSError | sqlite3.DatabaseError) -> UserError | None:
        """The sentence for what is wrong with the file; None for a bug."""
        said = f"{type(error).__name__} {error.strerror}" if isinstance(error, OSError) else str(error)
        for signs, indonesian, english in REASONS:
            if any(sign in said.lower() for sign in signs):
                return UserError(
                    f"Suara tidak dapat dibaca atau dicatat: berkas {self.path.name} {indonesian}",
                    f"Votes cannot be read or kept: the file {self.path.name} {english}",
                )
        return None


COLUMNS = tuple(f.name for f in fields(Vote))
MAPPINGS = ("options", "adapters")  # stored as JSON
TYPES = {"left": "TEXT", "right": "TEXT", "seed": "INTEGER NOT NULL", "ballot": "TEXT NOT NULL UNIQUE"}
TABLE = "({})".format(", ".join(f'"{name}" {TYPES.get(name, "TEXT NOT NULL")}' for name in COLUMNS))
ELSEWHERE = ("Sebutkan berkas lain dengan LLADA_VOTES.", "Name another file with LLADA_VOTES.")
# What the operating system and SQLite say, and what that means for whoever runs the page.
REASONS: Sequence[tuple[tuple[str, ...], str, str]] = (
    (("locked", "busy"),
     "sedang dipakai proses lain. Coba lagi sebentar lagi.",
     "is in use by another process. Try again in a moment."),
    (("permission", "readonly", "read-only"),
     f"atau foldernya tidak boleh dibaca atau ditulis. {ELSEWHERE[0]}",
     f"or its folder may not be read or written. {ELSEWHERE[1]}"),
    (("filenotfound", "notadirectory"),
     f"berada di folder yang tidak ada. Buat foldernya. {ELSEWHERE[0]}",
     f"is in a folder that does not exist. Make the folder. {ELSEWHERE[1]}"),
    (("not a database", "malformed", "no such table"),
     f"rusak atau bukan basis data SQLite. {ELSEWHERE[0]}",
     f"is damaged or no SQLite database. {ELSEWHERE[1]}"),
    (("full", "no space", "disk i/o", "quota"),
     "tidak dapat ditulis karena diska penuh atau rusak. Kosongkan tempat, lalu coba lagi.",
     "cannot be written because the disk is full or damaged. Free some space and try again."),
    (("unable to open", "oserror", "isadirectory", "fileexists"),
     f"tidak dapat dibuka. {ELSEWHERE[0]}",
     f"cannot be opened. {ELSEWHERE[1]}"),
)  # fmt: skip


def _prefer_wal(base: sqlite3.Connection) -> None:
    """Readers beside a writer, where the disk can do that (a network disk cannot): elsewhere the file stays as it
    is, slower and as safe, and the next vote asks again."""
    with suppress(sqlite3.OperationalError):
        base.execute("PRAGMA busy_timeout = 0")
        base.execute("PRAGMA journal_mode = WAL")


def _plain(vote: Vote) -> dict[str, Any]:
    """The fields by name."""
    return {name: getattr(vote, name) for name in COLUMNS}


def _systems(vote: Vote) -> tuple[System, System]:
    """Who stood left, and who stood right."""

    def system(adapter: str | None) -> System:
        names = [part.partition(":")[0] for part in adapter.split("+")] if adapter else []
        return System(adapter, vote.sha256, tuple(vote.adapters.get(name, "") for name in names), vote.model)

    return system(vote.left), system(vote.right)


def _standing(votes: Sequence[Vote]) -> Standing:
    """The votes of one pair, the base first, else by name."""
    pair = sorted(_systems(votes[-1]), key=lambda system: (system.adapter or "", system.adapters))
    wins = dict.fromkeys(pair, 0)
    for vote in votes:
        left, right = _systems(vote)
        if vote.choice in ("left", "right"):
            wins[left if vote.choice == "left" else right] += 1
    first, second = (
        Score(system, len(votes), wins[system], wins[other]) for system, other in zip(pair, pair[::-1], strict=True)
    )
    counted = [vote.choice for vote in votes]
    return Standing(first, second, counted.count("tie"), counted.count("both_bad"))


def _stored(value: object) -> object:
    """A field as SQLite and a spreadsheet take it."""
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _loaded(name: str, value: Any) -> Any:
    return json.loads(value) if name in MAPPINGS else value
