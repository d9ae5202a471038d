"""A real server's log: SQLite, the machine of rules before it, and the one door for messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from contracts.ids import as_address
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import Entry, read, write
from contracts.protocol.log.signed import Envelope
from ledger.books import log
from ledger.context import Ledger
from ledger.intake.door import take
from ledger.machine.replica import Entered, Replica
from ledger.machine.sequencer import Sequencer
from ledger.storage.store import Store
from tests.adversary.service.twin import Twin
from tests.contracts.protocol.log.signed_run import DOMAIN
from tests.databases import fresh_file


@dataclass(frozen=True)
class _Parts:
    """What of a `Ledger` the door takes a message with: no chain, no blobs, no clock."""

    store: Store
    judge: Replica
    sequencer: Sequencer


class Server:
    """A database with the machine of rules before it; messages come through the door, blocks from the operator."""

    def __init__(self, folder: Path, functions: Twin) -> None:
        self.store = Store(fresh_file(folder))
        self.functions = functions
        self.replica = Replica(functions, DOMAIN)
        self.ledger = cast(Ledger, _Parts(self.store, self.replica, Sequencer(self.store, self.replica)))

    def enter(self, entry: Rules | Block | Envelope) -> list[Derived]:
        """Enter it; what stands directly after it in the log. Raises what the door raises."""
        if isinstance(entry, Envelope):
            taken = take(self.ledger, write(entry).encode())
            assert taken.index is not None, "it stands in the log"
            return self._after(Entered(taken.index, taken.entered))
        with self.store.write() as session:
            entered = self.replica.enter(session, entry)
        return self._after(entered)

    def roots(self) -> dict[int, str]:
        """Of the log up to entries that messages may name."""
        with self.store.read() as session, self.replica.view(session) as state:
            return dict(state.roots)

    @property
    def size(self) -> int:
        """Entries of the log."""
        with self.store.read() as session:
            return log.size(session)

    def _after(self, entered: Entered) -> list[Derived]:
        with self.store.read() as session:
            rows = log.bodies(session, entered.index + 1, entered.derived)
        return [cast(Derived, read(row.body, DOMAIN, as_address)) for row in rows]

    def audit(self) -> Iterator[Entry]:
        """Every entry of the log, believed in nothing: signatures, and what follows. Raises Differs."""
        follower = Follower(self.functions, DOMAIN)
        with self.store.read() as session:
            for row in log.bodies(session, 0, 10**6):
                yield follower.take(row.body)
        follower.finish()

    def close(self) -> None:
        """Let go of the database."""
        self.store.engine.dispose()
