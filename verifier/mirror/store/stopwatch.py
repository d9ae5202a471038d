"""The stopwatch of time-outs (J3): the time that each message was missing, by looks that count, and lapses to sign.

No clock is believed alone. A look that counts adds the time since the look before it, whether that one counted or not:
as much as both the verifier's own monotonic clock and the chain say, and never more than one look's length. Chain time
moves in blocks, so the chain's lead is kept for the next looks: a few looks' length at most, and a small part of the
shortest period, so that time in which no look counted fills none. While a message was shown, by the log or by any
mirror, its time stands still.

Two more measures stand beside it, which nobody can hold back. The time for a verifier's own duties runs on its own
clock, in looks that reached mirrors with the bytes (`asked`). And the time that a node took is an upper estimate, by
the chain's clock since its round opened: looks that do not count make no node look quick (`took`).

Each time is on the disk before it is used. After a restart the first look adds nothing, so that nothing is signed
early, and a lapse that was released for signing once is never released again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.ids import Address, RunId
from contracts.protocol.judge.facts import Awaited, What
from verifier.mirror.store.database import Database

LOOKS_AHEAD, PART_AHEAD = 4, 0.25
"""Looks' lengths, and part of the shortest period, that the chain's clock may be ahead."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS awaited (
    what TEXT, run TEXT, round INTEGER, proof TEXT, party TEXT, since INTEGER, root TEXT,
    passed REAL NOT NULL DEFAULT 0, quiet REAL NOT NULL DEFAULT 0, sign TEXT NOT NULL DEFAULT '',
    period REAL, lease REAL, signed INTEGER NOT NULL DEFAULT 0, shown INTEGER NOT NULL DEFAULT 0,
    asked REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (what, run, round, proof, party, since, root)
);
CREATE TABLE IF NOT EXISTS took (
    run TEXT, party TEXT, round INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (run, party)
);
"""
_ONE = "what = ? AND run = ? AND round = ? AND proof = ? AND party = ? AND since = ? AND root = ?"
_TIMES = f"SELECT passed, asked FROM awaited WHERE {_ONE}"  # noqa: S608 - constants
_DUE = """
SELECT * FROM awaited WHERE signed = 0 AND shown = 0 AND (passed >= period OR quiet >= lease) ORDER BY since, rowid
"""
_RELEASE = f"""
UPDATE awaited SET signed = 1 WHERE {_ONE} AND signed = 0 AND shown = 0 AND (passed >= period OR quiet >= lease)
"""  # noqa: S608 - constants
_CAME = """
INSERT INTO took VALUES (:run, :node, :round, max(:seconds, coalesce((
    SELECT max(passed) FROM awaited WHERE what = 'commitment' AND run = :run AND round = :round AND party = :node
), 0)))
ON CONFLICT (run, party) DO UPDATE SET round = excluded.round, seconds = excluded.seconds
WHERE excluded.round > took.round
"""
_CLOSE = f"DELETE FROM awaited WHERE {_ONE} AND signed = 0"  # noqa: S608 - constants
_COLUMNS = 7
"""Columns of `awaited` that identify an absence."""


@dataclass(frozen=True)
class Absence:
    """A message that is awaited since an entry of the log; `root` (0x-hex) is the log's up to that entry, so that time
    on one fork ends nothing on another; empty while that entry was not read."""

    awaited: Awaited
    since: int
    root: str = ""


@dataclass(frozen=True)
class Allowed:
    """Seconds: a whole period, and the lease in which a sign of life must come; None where there is no such bound."""

    period: float | None
    lease: float | None = None


@dataclass(frozen=True)
class Observation:
    """A look's view of an absence: whether log or mirrors have the message, its author's newest sign of life (any text
    that changes with it), the time that it may take, whether the look counts for it, and whether the look reached
    enough others to ask for bytes."""

    allowed: Allowed
    shown: bool = False
    sign: str = ""
    counts: bool = True
    reached: bool = True


@dataclass(frozen=True)
class Came:
    """A node's commitment that is in the log and no longer awaited; `opened` is the chain's time when its round
    opened."""

    run: RunId
    round: int
    node: Address
    opened: float


def opening_seconds(period: float, asked_bytes: int, least_rate: int) -> float:
    """A node's period to open: the period, and the time that the bytes take at the manifest's least bandwidth."""
    return period + asked_bytes / least_rate


class Stopwatch:
    """Times absences. `chain` and `own` are clocks in seconds: the newest block's, and a monotonic one.

    `longest` is a look's length in seconds: the most that one look adds.
    """

    def __init__(self, path: Path, chain: Callable[[], float], own: Callable[[], float], longest: float) -> None:
        self._chain = chain
        self._own = own
        self._longest = longest
        self._file = Database(path, _SCHEMA)
        self._before: tuple[float, float] | None = None
        self._ahead = 0.0

    def look(self, seen: Mapping[Absence, Observation], came: Iterable[Came] = ()) -> None:
        """Enter a look: `seen` has all open absences (State.open), `came` the commitments that are there, in a look at
        which the chain answered.

        A new absence is timed from this look on; an absence that is no longer open is forgotten, unless its lapse was
        released for signing (`forget` does that). A node's time is noted once, of its newest round. Raises DiskFull.
        """
        own = self._elapsed()
        step = self._step(own, self._most(seen))
        with self._file.write() as tables:
            stored = {_missing(row): row[_COLUMNS:] for row in tables.execute("SELECT * FROM awaited")}
            self._note(tables, came)
            tables.executemany(_CLOSE, [_key(missing) for missing in stored.keys() - seen.keys()])
            for missing, sight in seen.items():
                counted = step if sight.counts else 0.0
                reached = own if sight.reached else 0.0
                _enter(tables, missing, sight, stored.get(missing), counted, reached)

    def due(self) -> list[Absence]:
        """Lapses to be signed: missing for a whole period, or silent for a whole lease, and not shown at the last look.

        Lapses that were released already are no longer among them.
        """
        return [_missing(row) for row in self._file.rows(_DUE)]

    def release(self, missing: Absence) -> bool:
        """Whether this lapse may be signed now: true once in all, written down before the answer. Raises DiskFull."""
        with self._file.write() as tables:
            return tables.execute(_RELEASE, _key(missing)).rowcount == 1

    def released(self) -> list[Absence]:
        """Released lapses: a verifier that was killed before it sent one signs the same one again, if it is open."""
        return [
            _missing(row) for row in self._file.rows("SELECT * FROM awaited WHERE signed = 1 ORDER BY since, rowid")
        ]

    def passed(self, missing: Absence) -> float:
        """Seconds that a message has been missing, 0 for an unknown absence."""
        rows = self._file.rows(_TIMES, *_key(missing))
        return float(rows[0][0]) if rows else 0.0

    def asked(self, missing: Absence) -> float:
        """Seconds of the own clock that a message has been missing, in looks that reached enough others to ask for it,
        whether these looks counted or not; 0 for an unknown absence."""
        rows = self._file.rows(_TIMES, *_key(missing))
        return float(rows[0][1]) if rows else 0.0

    def took(self, run: RunId) -> dict[str, float]:
        """Seconds that each node of a run took at most for its newest commitment, until k had its gradient."""
        return dict(self._file.rows("SELECT party, seconds FROM took WHERE run = ?", run))

    def forget(self, run: RunId, last_round: int) -> None:
        """A final epoch of this run ends with this round: its absences are no longer signed."""
        with self._file.write() as tables:
            tables.execute("DELETE FROM awaited WHERE run = ? AND round <= ?", (run, last_round))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _note(self, tables: Any, came: Iterable[Came]) -> None:
        """Note the time of each node's newest round, once."""
        assert self._before is not None, "this look read the clocks"
        chain, _ = self._before
        newest = {(run, node): number for run, node, number in tables.execute("SELECT run, party, round FROM took")}
        for arrival in came:
            if arrival.round > newest.get((arrival.run, arrival.node), 0):
                row = {
                    "run": arrival.run,
                    "node": arrival.node,
                    "round": arrival.round,
                    "seconds": chain - arrival.opened,
                }
                tables.execute(_CAME, row)

    def _step(self, own: float, most: float) -> float:
        """Seconds that a look adds if it counts; they have passed also in a look that does not count."""
        step = min(own, self._ahead, self._longest)
        self._ahead = min(most, self._ahead - step)
        return step

    def _most(self, seen: Mapping[Absence, Observation]) -> float:
        """Seconds that the chain's clock may be ahead after a look."""
        allowed = [sight.allowed for sight in seen.values()]
        bounds = [bound for allowance in allowed for bound in (allowance.period, allowance.lease) if bound is not None]
        return min([LOOKS_AHEAD * self._longest, *(PART_AHEAD * bound for bound in bounds)])

    def _elapsed(self) -> float:
        """Seconds of the own clock since the last look; the chain's seconds are added to its lead."""
        chain = self._chain()
        own = self._own()
        before = self._before
        self._before = (chain, own)
        if before is None:
            return 0.0
        self._ahead += max(0.0, chain - before[0])
        return max(0.0, own - before[1])


def _enter(
    tables: Any, missing: Absence, sight: Observation, stored: tuple[Any, ...] | None, step: float, own: float
) -> None:
    """Write an absence after a look; a later bound never shortens a period, nor a lease."""
    passed, quiet, sign, period, lease, signed, _, asked = stored or (0.0, 0.0, sight.sign, None, None, 0, 0, 0.0)
    adds = 0.0 if stored is None or sight.shown else step
    asked = 0.0 if stored is None else asked + own
    quiet = 0.0 if sight.sign != sign else quiet + adds
    longer = (_longer(period, sight.allowed.period), _longer(lease, sight.allowed.lease))
    row = (*_key(missing), passed + adds, quiet, sight.sign, *longer, signed, int(sight.shown), asked)
    tables.execute("INSERT OR REPLACE INTO awaited VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _longer(before: float | None, now: float | None) -> float | None:
    bounds = [bound for bound in (before, now) if bound is not None]
    return max(bounds, default=None)


def _key(missing: Absence) -> tuple[str, str, int, str, str, int, str]:
    awaited = missing.awaited
    return (str(awaited.what), awaited.run, awaited.round, awaited.proof, awaited.party, missing.since, missing.root)


def _missing(row: tuple[Any, ...]) -> Absence:
    what, run, number, proof, party, since, root = row[:_COLUMNS]
    return Absence(Awaited(What(what), run, number, proof, party), since, root)
