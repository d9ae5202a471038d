"""What goes to whom: every message to server and mirrors, a blob to the server and k mirrors that take it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from trainer.exchange.handing import Courier, Parcel
from trainer.exchange.keeping import Kept

SERVER = ""


class Couriers(Protocol):
    """Who can be reached, and how it stands with each."""

    def names(self) -> list[str]: ...

    def courier(self, name: str) -> Courier | None: ...


def offers(
    kept: Iterable[tuple[Kept, bool, bool]], couriers: Couriers, blob_path: Callable[[str], Path], k: int
) -> dict[str, list[Parcel]]:
    """By source, the messages first: who knows no message that announces a blob takes no blob.

    `kept` says of each message whether it and whether its blob is wanted. A blob announced by a message that is in the
    log needs its message no more, since a mirror holds the log.
    """
    names = couriers.names()
    found: dict[str, list[Parcel]] = {name: [] for name in names}
    wanted = list(kept)
    for one, message, _ in wanted:
        if message:
            for name in names:
                found[name].append(Parcel(one.name, one.text))
    for digest in dict.fromkeys(one.blob for one, _, blob in wanted if blob and one.blob):
        for name in targets(digest, couriers, k):
            found[name].append(Parcel(digest, file=blob_path(digest)))
    return found


def targets(digest: str, couriers: Couriers, k: int) -> list[str]:
    """The server, and mirrors in an order of the blob's own until k of them may be expected to take it."""
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
