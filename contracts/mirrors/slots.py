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
"""Bytes a second at which an honest node brings a blob, or it tries again: a slower one makes room where all is
taken."""
YOUNG = 1.0
"""Seconds in which an upload shows how fast it is."""


@dataclass(frozen=True)
class Sender:
    """The sender of an upload (a key, or a host where none signs), and the bytes a second below which it is ended."""

    key: str
    staked: bool = False
    least_rate: int = LEAST_RATE


@dataclass(frozen=True, eq=False)
class Upload:
    """One that is under way."""

    sender: Sender
    arrival: Arrival

    def pace(self) -> tuple[int, float, float]:
        """The order of making room: uploads that had time and are slow, then the young ones, so that newcomers end no
        upload that has shown its speed; of these the slowest, and of those that have sent nothing the oldest."""
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

    def _make_room(self, newcomer: Upload) -> None:
        """The uploads that leave are chosen before any is ended: a newcomer that finds no place has ended nobody."""
        key = newcomer.sender.key
        staying = list(self._uploads)
        same_key = [upload for upload in staying if upload.sender.key == key]
        if len(same_key) >= self._of_key:
            staying.remove(min(same_key, key=Upload.pace))
        if not newcomer.sender.staked:
            _share(staying, [upload for upload in staying if not upload.sender.staked], self._stakeless, key)
        _share(staying, list(staying), self._at_once, key)
        for upload in [upload for upload in self._uploads if upload not in staying]:
            self._uploads.remove(upload)
            upload.arrival.end()


def _share(staying: list[Upload], rivals: Sequence[Upload], most: int, key: str) -> None:
    """A key that has more places than the newcomer would have gives one; else an upload slower than a node's does."""
    if len(rivals) < most:
        return
    counts = Counter(upload.sender.key for upload in rivals)
    greedy = [upload for upload in rivals if counts[upload.sender.key] > counts[key] + 1]
    slow = [upload for upload in rivals if upload.arrival.age >= YOUNG and upload.arrival.speed < FAIR_RATE]
    if not greedy and not slow:
        raise NoPlace("as many uploads as are taken at once are under way; try again shortly")
    staying.remove(min(greedy or slow, key=lambda upload: (-counts[upload.sender.key], upload.pace())))
