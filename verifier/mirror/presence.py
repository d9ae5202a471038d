"""The stopwatch of time-outs (J3): how long something was missing, by looks that count, and what is due to be signed.

No clock is believed alone. A look that counts adds the time since the look before it, whether that one counted or not:
as much as both the verifier's own monotonic clock and the chain say, and never more than one look's length. Chain time
moves in blocks, so what the chain is ahead is kept for the next looks: a few looks' length at most, and a small part of
the shortest period, so that time in which no look counted fills none. While something was shown, by the log or by any
mirror, its time stands still.

All is on the disk before it is used. After a restart the first look adds nothing, so that nothing is signed early, and
what was released for signing once is never released again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.protocol.judge.facts import Awaited, What
from verifier.mirror.database import Database

LOOKS_AHEAD, PART_AHEAD = 4, 0.25
"""Looks' lengths, and part of the shortest period, that the chain's clock may be ahead."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS awaited (
    what TEXT, run TEXT, round INTEGER, proof TEXT, party TEXT, since INTEGER,
    passed REAL NOT NULL DEFAULT 0, quiet REAL NOT NULL DEFAULT 0, sign TEXT NOT NULL DEFAULT '',
    period REAL, lease REAL, signed INTEGER NOT NULL DEFAULT 0, shown INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (what, run, round, proof, party, since)
);
CREATE TABLE IF NOT EXISTS took (run TEXT, party TEXT, seconds REAL NOT NULL, PRIMARY KEY (run, party));
"""
_PASSED = """
SELECT passed FROM awaited WHERE what = ? AND run = ? AND round = ? AND proof = ? AND party = ? AND since = ?
"""
_DUE = """
SELECT * FROM awaited WHERE signed = 0 AND shown = 0 AND (passed >= period OR quiet >= lease) ORDER BY since, rowid
"""
_RELEASE = """
UPDATE awaited SET signed = 1
WHERE what = ? AND run = ? AND round = ? AND proof = ? AND party = ? AND since = ?
AND signed = 0 AND shown = 0 AND (passed >= period OR quiet >= lease)
"""
_CAME = """
INSERT OR REPLACE INTO took SELECT run, party, passed FROM awaited
WHERE what = ? AND run = ? AND round = ? AND proof = ? AND party = ? AND since = ? AND signed = 0
"""
_CLOSE = """
DELETE FROM awaited
WHERE what = ? AND run = ? AND round = ? AND proof = ? AND party = ? AND since = ? AND signed = 0
"""


@dataclass(frozen=True)
class Absence:
    """Something that is awaited since an entry of the log."""

    awaited: Awaited
    since: int


@dataclass(frozen=True)
class Allowed:
    """Seconds: a whole period, and the lease in which a sign of life must come; None where there is no such bound."""

    period: float | None
    lease: float | None = None


@dataclass(frozen=True)
class Observation:
    """What a look saw of something: whether log or mirrors have it, its author's newest sign of life (any text that
    changes with it), how long it may take, and whether the look counts for it."""

    allowed: Allowed
    shown: bool = False
    sign: str = ""
    counts: bool = True


def opening_seconds(period: float, asked_bytes: int, least_rate: int) -> float:
    """A node's period to open: the period, and the time that the bytes take at the manifest's least bandwidth."""
    return period + asked_bytes / least_rate


class Stopwatch:
    """Times what is missing. `chain` and `own` are clocks in seconds: the newest block's, and a monotonic one.

    `longest` is a look's length in seconds: the most that one look adds.
    """

    def __init__(self, path: Path, chain: Callable[[], float], own: Callable[[], float], longest: float) -> None:
        self._chain, self._own, self._longest = chain, own, longest
        self._file = Database(path, _SCHEMA)
        self._before: tuple[float, float] | None = None
        self._ahead = 0.0

    def look(self, seen: Mapping[Absence, Observation]) -> None:
        """Enter a look: `seen` is all that is open now (State.open).

        What is new is timed from this look on; what is no longer open is forgotten, unless it was released for signing
        (`forget` does that). Raises DiskFull.
        """
        step = self._step(self._most(seen))
        with self._file.write() as tables:
            known = {_missing(row): row[6:] for row in tables.execute("SELECT * FROM awaited")}
            gone = [_key(missing) for missing in known.keys() - seen.keys()]
            tables.executemany(_CAME, [row for row in gone if row[0] == What.COMMITMENT])
            tables.executemany(_CLOSE, gone)
            for missing, sight in seen.items():
                _enter(tables, missing, sight, known.get(missing), step if sight.counts else 0.0)

    def due(self) -> list[Absence]:
        """Lapses to be signed: missing for a whole period, or silent for a whole lease, and not shown at the last look.

        Those that were released already are among them no more.
        """
        return [_missing(row) for row in self._file.rows(_DUE)]

    def release(self, missing: Absence) -> bool:
        """Whether this lapse may be signed now: true once in all, written down before the answer. Raises DiskFull."""
        with self._file.write() as tables:
            return tables.execute(_RELEASE, _key(missing)).rowcount == 1

    def released(self) -> list[Absence]:
        """What was released: who was killed before it sent its lapse signs the same one again, if it is still open."""
        return [
            _missing(row) for row in self._file.rows("SELECT * FROM awaited WHERE signed = 1 ORDER BY since, rowid")
        ]

    def passed(self, missing: Absence) -> float:
        """Seconds that something has been missing, 0 where it is not known."""
        rows = self._file.rows(_PASSED, *_key(missing))
        return float(rows[0][0]) if rows else 0.0

    def took(self, run: str) -> dict[str, float]:
        """Seconds until the newest commitment of each node of a run was there."""
        return dict(self._file.rows("SELECT party, seconds FROM took WHERE run = ?", run))

    def forget(self, run: str, last_round: int) -> None:
        """A final epoch of this run ends with this round: nothing of it is signed any more."""
        with self._file.write() as tables:
            tables.execute("DELETE FROM awaited WHERE run = ? AND round <= ?", (run, last_round))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _step(self, most: float) -> float:
        """Seconds that a look adds if it counts; in one that does not they have passed as well."""
        own = self._elapsed()
        step = min(own, self._ahead, self._longest)
        self._ahead = min(most, self._ahead - step)
        return step

    def _most(self, seen: Mapping[Absence, Observation]) -> float:
        """Seconds that the chain's clock may be ahead after a look."""
        allowed = [sight.allowed for sight in seen.values()]
        bounds = [bound for one in allowed for bound in (one.period, one.lease) if bound is not None]
        return min([LOOKS_AHEAD * self._longest, *(PART_AHEAD * bound for bound in bounds)])

    def _elapsed(self) -> float:
        """Seconds of one's own clock since the last look; the chain's are put with what it is ahead."""
        chain, own = self._chain(), self._own()
        before, self._before = self._before, (chain, own)
        if before is None:
            return 0.0
        self._ahead += max(0.0, chain - before[0])
        return max(0.0, own - before[1])


def _enter(tables: Any, missing: Absence, sight: Observation, known: tuple[Any, ...] | None, step: float) -> None:
    """What was added later never shortens a period, nor a lease."""
    passed, quiet, sign, period, lease, signed, _ = known or (0.0, 0.0, sight.sign, None, None, 0, 0)
    adds = 0.0 if known is None or sight.shown else step
    quiet = 0.0 if sight.sign != sign else quiet + adds
    longer = (_longer(period, sight.allowed.period), _longer(lease, sight.allowed.lease))
    row = (*_key(missing), passed + adds, quiet, sight.sign, *longer, signed, int(sight.shown))
    tables.execute("INSERT OR REPLACE INTO awaited VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _longer(before: float | None, now: float | None) -> float | None:
    known = [bound for bound in (before, now) if bound is not None]
    return max(known, default=None)


def _key(missing: Absence) -> tuple[str, str, int, str, str, int]:
    found = missing.awaited
    return (str(found.what), found.run, found.round, found.proof, found.party, missing.since)


def _missing(row: tuple[Any, ...]) -> Absence:
    what, run, number, proof, party, since = row[:6]
    return Absence(Awaited(What(what), run, number, proof, party), since)
