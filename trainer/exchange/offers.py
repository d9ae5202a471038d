"""The parcels of each target: every message to server and mirrors, a blob to the server and k mirrors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from trainer.exchange.handing import Courier, Parcel
from trainer.exchange.keeping import Kept

SERVER = ""


class Couriers(Protocol):
    """The watched sources, each with its courier."""

    def names(self) -> list[str]: ...

    def courier(self, name: str) -> Courier | None: ...


def offers(
    records: Iterable[tuple[Kept, bool, bool]], couriers: Couriers, blob_path: Callable[[str], Path], k: int
) -> dict[str, list[Parcel]]:
    """Parcels by source, the messages first: a target takes no blob that no message announces.

    `records` say of each message whether it and whether its blob is wanted. A blob needs its message no more when the
    message is in the log, since a mirror holds the log.
    """
    names = couriers.names()
    parcels: dict[str, list[Parcel]] = {name: [] for name in names}
    rows = list(records)
    for record, message, _ in rows:
        if message:
            for name in names:
                parcels[name].append(Parcel(record.name, record.text))
    for digest in dict.fromkeys(record.blob for record, _, blob in rows if blob and record.blob):
        for name in targets(digest, couriers, k):
            parcels[name].append(Parcel(digest, file=blob_path(digest)))
    return parcels


def targets(digest: str, couriers: Couriers, k: int) -> list[str]:
    """The server, and mirrors in an order of the blob's own, until k of them can be expected to take it."""
    names = couriers.names()
    mirrors = sorted((name for name in names if name != SERVER), key=lambda name: _place(digest, name))
    chosen = [name for name in names if name == SERVER]
    hopeful = 0
    for name in mirrors:
        if hopeful >= k:
            break
        chosen.append(name)
        courier = couriers.courier(name)
        hopeful += courier is None or not courier.fails(digest)
    return chosen


def _place(digest: str, name: str) -> bytes:
    return hashlib.sha256(f"{digest} {name}".encode()).digest()
