"""The renter's journal: events of rentals and fleets in one SQLite file, only ever appended, each on the disk at once.

It holds no provider's key. Keys of nodes are beside it, in files of mode 0600.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from secrets import token_hex
from typing import TextIO

from commonweight.market.errors import UnknownRental
from commonweight.market.money import MicroUsd
from commonweight.market.renting.events import KINDS, Event, Intended
from commonweight.market.renting.rental import Rental, after
from commonweight.market.renting.steady import SteadyClock
from contracts.process.record import Record
from verifier.mirror.store.database import Database

PREFIX = "cw"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY, rental TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of ON events (rental, id);
CREATE TABLE IF NOT EXISTS fleets (id INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS beats (fleet TEXT PRIMARY KEY, at INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events stay'); END;
CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events remain'); END;
"""
Clock = Callable[[], int]


@dataclass(frozen=True)
class Fleet(Record):
    """Machines that were asked for together. `budget` is the most that all of them may cost; `ends_at` (Unix seconds)
    when all are ended; `watched` whether a process of this machine looks after them, without which they are ended;
    `drain_seconds` go by between the word to a machine's nodes and its end. `reserve_ppm` of the budget is kept for
    late bills. `run` is empty where machines were rented for something else."""

    name: str
    budget: MicroUsd
    ends_at: int
    run: str = ""
    watched: bool = True
    drain_seconds: int = 0
    reserve_ppm: int = 100_000
    is_over: bool = False


class Journal:
    """One file, for any number of processes of one user. `clock` gives Unix seconds. Raises DiskFull, StoreUnusable."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.folder = path.parent
        self._file = Database(path, _SCHEMA)
        self.clock = clock or SteadyClock(self._latest())
        self.name = self._name()
        self._rentals: dict[str, Rental] = {}
        self._read = 0
        self._reading = threading.Lock()
        self._attended: dict[str, TextIO] = {}

    def close(self) -> None:
        """Let the files go."""
        for file in self._attended.values():
            file.close()
        self._attended.clear()
        self._file.close()

    def fleet_begins(self, fleet: Fleet) -> None:
        """A new fleet, or new terms of one."""
        with self._file.write() as tables:
            body = json.dumps(fleet.to_json())
            tables.execute("INSERT INTO fleets (name, body) VALUES (?, ?)", (fleet.name, body))
        self.beat(fleet.name)

    def fleet_ends(self, name: str) -> None:
        """None of its machines is wanted any more."""
        fleet = self.fleet(name)
        if not fleet.is_over:
            self.fleet_begins(replace(fleet, is_over=True))

    def fleet(self, name: str) -> Fleet:
        """The terms as they stand. Raises UnknownRental."""
        rows = self._file.rows("SELECT body FROM fleets WHERE name = ? ORDER BY id DESC LIMIT 1", name)
        if not rows:
            raise UnknownRental(f"this journal has no fleet {name}")
        return Fleet.from_json(json.loads(rows[0][0]))

    def fleets(self) -> list[Fleet]:
        """All fleets, in the order in which they began."""
        names = [row[0] for row in self._file.rows("SELECT name FROM fleets GROUP BY name ORDER BY MIN(id)")]
        return [self.fleet(name) for name in names]

    def beat(self, fleet: str) -> None:
        """A process looks after the fleet now."""
        with self._file.write() as tables:
            tables.execute(
                "INSERT INTO beats VALUES (?, ?) ON CONFLICT (fleet) DO UPDATE SET at = excluded.at",
                (fleet, self.clock()),
            )

    def attend(self, fleet: str) -> None:
        """This process looks after the fleet, for as long as it lives: others can tell, however it ends."""
        if fleet in self._attended:
            return
        with suppress(OSError):  # a full disk: then nobody waits for a drain
            file = self._attendance(fleet).open("w")
            flock(file, LOCK_EX)
            self._attended[fleet] = file

    def is_attended(self, fleet: str) -> bool:
        """Whether a process that lives looks after the fleet."""
        if fleet in self._attended:
            return True
        try:
            with self._attendance(fleet).open() as file:
                flock(file, LOCK_SH | LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _attendance(self, fleet: str) -> Path:
        return self.folder / f"keeping-{fleet}.lock"

    def beat_at(self, fleet: str) -> int:
        """When a process last looked after the fleet, in Unix seconds; 0 for never."""
        rows = self._file.rows("SELECT at FROM beats WHERE fleet = ?", fleet)
        return int(rows[0][0]) if rows else 0

    def intend(self, intent: Intended) -> Rental:
        """A new rental, with a tag of its own."""
        tag = f"{PREFIX}-{self.name}-{token_hex(5)}"
        self.note(tag, intent)
        return self.rental(tag)

    def note(self, tag: str, event: Event) -> Rental:
        """One more event of a rental, on the disk when this returns; returns the rental after it."""
        with self._file.write() as tables:
            body = json.dumps(event.to_json())
            tables.execute(
                "INSERT INTO events (rental, at, kind, body) VALUES (?, ?, ?, ?)", (tag, self.clock(), event.kind, body)
            )
        return self.rental(tag)

    def rental(self, tag: str) -> Rental:
        """A rental as it stands. Raises UnknownRental."""
        self._read_on()
        if tag not in self._rentals:
            raise UnknownRental(f"this journal has no rental {tag}")
        return self._rentals[tag]

    def rentals(self, fleet: str | None = None) -> list[Rental]:
        """All rentals, or those of one fleet, in their order."""
        self._read_on()
        return [rental for rental in self._rentals.values() if fleet is None or rental.fleet == fleet]

    def _read_on(self) -> None:
        """Take in what this and other processes have written since."""
        query = "SELECT id, rental, at, kind, body FROM events WHERE id > ? ORDER BY id"
        with self._reading:  # a launch that takes long writes from a thread of its own
            for number, tag, at, kind, body in self._file.rows(query, self._read):
                event = KINDS[kind].from_json(json.loads(body))
                self._rentals[tag] = after(self._rentals.get(tag), tag, at, event)
                self._read = number

    def is_ours(self, tag: str) -> bool:
        """Whether a tag was given by this journal, or by a copy of it that was lost since."""
        return tag.startswith(f"{PREFIX}-{self.name}-")

    def _latest(self) -> int:
        """When something was written last: no process is earlier."""
        query = "SELECT MAX((SELECT IFNULL(MAX(at), 0) FROM events), (SELECT IFNULL(MAX(at), 0) FROM beats))"
        return int(self._file.rows(query)[0][0])

    def _name(self) -> str:
        with self._file.write() as tables:
            if tables.execute("SELECT 1 FROM journal").fetchone() is None:
                tables.execute("INSERT INTO journal VALUES (?)", (token_hex(4),))
        return str(self._file.rows("SELECT name FROM journal")[0][0])
