"""Places of uploads: shared fairly, so that nobody's slow uploads keep anybody else's bytes out.

Each upload is somebody's, by its ticket (contracts/mirrors/tickets.py). A key has few places, and of its own uploads
the slowest makes room; keys without a stake have a part of all. An upload of another key makes room only where all is
taken: that of a key with more of them, else one that is slower than a node would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from contracts.mirrors.arrival import LEAST_RATE, Arrival, NoPlace

OF_KEY = 4
AT_ONCE = 64
STAKELESS = 32
FAIR_RATE = 2**16
"""Bytes a second at which an honest node brings a blob, or it tries again: what is slower makes room where all is
taken."""
YOUNG = 1.0
"""Seconds in which an upload shows how fast it is."""


@dataclass(frozen=True)
class Sender:
    """Who uploads (a key, or a host where none signs), and the bytes a second below which that is ended."""

    key: str
    staked: bool = False
    least_rate: int = LEAST_RATE


@dataclass(frozen=True, eq=False)
class Upload:
    """One that is under way."""

    sender: Sender
    arrival: Arrival

    def pace(self) -> tuple[int, float, float]:
        """Who makes room first: who had time and is slow, then the young ones, so that newcomers end no upload that has
        shown its speed; of these the slowest, and of those that have sent nothing the oldest."""
        young = self.arrival.age < YOUNG
        fast = self.arrival.speed >= FAIR_RATE
        return 1 if young else 2 * fast, self.arrival.speed, -self.arrival.age


class Slots:
    """The places of one server, on one event loop."""

    def __init__(self, at_once: int = AT_ONCE, stakeless: int = STAKELESS, of_key: int = OF_KEY) -> None:
        self._at_once = at_once
        self._stakeless = stakeless
        self._of_key = of_key
        self._uploads: list[Upload] = []

    def __len__(self) -> int:
        return len(self._uploads)

    @contextmanager
    def place(self, sender: Sender, arrival: Arrival) -> Iterator[None]:
        """A place for an upload, if need be that of a slower one. Raises NoPlace."""
        upload = Upload(sender, arrival)
        self._make_room(upload)
        self._uploads.append(upload)
        try:
            yield
        finally:
            if upload in self._uploads:
                self._uploads.remove(upload)

    def _make_room(self, new: Upload) -> None:
        """Who leaves is decided before anybody is ended: a newcomer that finds no place has ended nobody."""
        key = new.sender.key
        left = list(self._uploads)
        own = [one for one in left if one.sender.key == key]
        if len(own) >= self._of_key:
            left.remove(min(own, key=Upload.pace))
        if not new.sender.staked:
            _share(left, [one for one in left if not one.sender.staked], self._stakeless, key)
        _share(left, list(left), self._at_once, key)
        for upload in [one for one in self._uploads if one not in left]:
            self._uploads.remove(upload)
            upload.arrival.end()


def _share(left: list[Upload], rivals: Sequence[Upload], most: int, key: str) -> None:
    """Who has more places than the newcomer would have gives one; else whoever is slower than a node would be."""
    if len(rivals) < most:
        return
    held = Counter(one.sender.key for one in rivals)
    greedy = [one for one in rivals if held[one.sender.key] > held[key] + 1]
    slow = [one for one in rivals if one.arrival.age >= YOUNG and one.arrival.speed < FAIR_RATE]
    if not greedy and not slow:
        raise NoPlace("as many uploads as are taken at once are under way; try again shortly")
    left.remove(min(greedy or slow, key=lambda one: (-held[one.sender.key], one.pace())))
