"""What was ordered of which host, in one file beside the journal: a host has no account, and lists only what it is
asked for by its renter."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from commonweight.market.money import MicroUsd
from contracts.process.record import Record
from verifier.mirror.store.database import Database

LAST_SECONDS = 60
"""After its end a machine is gone, whatever its host says."""
_SCHEMA = "CREATE TABLE IF NOT EXISTS orders (tag TEXT PRIMARY KEY, body TEXT NOT NULL);"


@dataclass(frozen=True)
class Ordered(Record):
    """An order, written before it was sent: `price` of the machine per hour, times in Unix seconds. `is_gone` once the
    host does not have it any more, `told_at` when its host was first told to end it, and took that; 0 before. The model
    (0x-hex, chain and registry) is that of the host's market: its machines are ended without a question to a
    server."""

    model: str
    chain_id: int
    registry: str
    tag: str
    url: str
    supplier: str
    gpu: str
    gpus: int
    price: MicroUsd
    sent_at: int
    ends_at: int
    is_gone: bool = False
    told_at: int = 0

    def is_over(self, now: int) -> bool:
        """Whether nothing of it can be billed any more, whatever its host says."""
        return now >= self.ends_at + LAST_SECONDS or bool(self.told_at and now >= self.told_at + LAST_SECONDS)

    def most_seconds(self, now: int) -> int:
        """The longest that it can have been there."""
        return max(0, min(now, self.ends_at, self.told_at or now) - self.sent_at)


class Orders:
    """All of them. Raises DiskFull and StoreUnusable."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _SCHEMA)

    def keep(self, order: Ordered) -> None:
        """Write it down, in the place of what was known of it."""
        with self._file.write() as tables:
            body = json.dumps(order.to_json())
            tables.execute("INSERT OR REPLACE INTO orders VALUES (?, ?)", (order.tag, body))

    def told(self, order: Ordered, now: int) -> None:
        """Its host was told to end it."""
        self.keep(replace(order, told_at=order.told_at or now))

    def gone(self, order: Ordered) -> None:
        """Its host does not have it any more."""
        self.keep(replace(order, is_gone=True))

    def all(self) -> list[Ordered]:
        """Those that may still run."""
        rows = self._file.rows("SELECT body FROM orders ORDER BY rowid")
        found = [Ordered.from_json(json.loads(row[0])) for row in rows]
        return [order for order in found if not order.is_gone]

    def named(self, tag: str) -> Ordered | None:
        """One of them."""
        return next((order for order in self.all() if order.tag == tag), None)
