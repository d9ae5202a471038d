"""Places of uploads: shared fairly, so that nobody's slow uploads keep anybody else's bytes out.

Who sends is not known, since only digests are signed. So a digest has few places, a key that announced digests has few,
and keys without a stake have a part of all. A newcomer is never shut out by what is slower: of the same digest or key
the slowest upload makes room for it, and so does that of a key with more of them. Whoever wants to keep others out has
to send more than they do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from contracts.mirrors.arrival import LEAST_RATE, Arrival, NoPlace

OF_DIGEST, OF_KEY = 2, 4
AT_ONCE, STAKELESS = 64, 32
FAIR_RATE = 2**16
"""Bytes a second at which an honest node brings a blob, or it tries again: what is slower makes room where all is
taken."""
YOUNG = 1.0
"""Seconds in which an upload shows how fast it is."""


@dataclass(frozen=True)
class Owner:
    """Whose digest is uploaded, and the bytes a second below which such an upload is ended."""

    key: str
    staked: bool = False
    least_rate: int = LEAST_RATE


@dataclass(frozen=True, eq=False)
class Upload:
    """One that is under way."""

    digest: str
    owner: Owner
    arrival: Arrival

    def pace(self) -> tuple[int, float, float]:
        """Who makes room first: who had time and is slow, then the young ones, so that newcomers end no upload that has
        shown its speed; of these the slowest, and of those that have sent nothing the oldest."""
        young, fast = self.arrival.age < YOUNG, self.arrival.speed >= FAIR_RATE
        return 1 if young else 2 * fast, self.arrival.speed, -self.arrival.age


class Slots:
    """The places of one server, on one event loop."""

    def __init__(self, at_once: int = AT_ONCE, stakeless: int = STAKELESS, of_key: int = OF_KEY) -> None:
        self._at_once, self._stakeless, self._of_key = at_once, stakeless, of_key
        self._uploads: list[Upload] = []

    def __len__(self) -> int:
        return len(self._uploads)

    @contextmanager
    def place(self, digest: str, owner: Owner, arrival: Arrival) -> Iterator[None]:
        """A place for an upload, if need be that of a slower one. Raises NoPlace."""
        upload = Upload(digest, owner, arrival)
        self._make_room(upload)
        self._uploads.append(upload)
        try:
            yield
        finally:
            if upload in self._uploads:
                self._uploads.remove(upload)

    def _make_room(self, new: Upload) -> None:
        """Who leaves is decided before anybody is ended: a newcomer that finds no place has ended nobody."""
        key, left = new.owner.key, list(self._uploads)
        _bound(left, [one for one in left if one.digest == new.digest], OF_DIGEST)
        _bound(left, [one for one in left if one.owner.key == key], self._of_key)
        if not new.owner.staked:
            _share(left, [one for one in left if not one.owner.staked], self._stakeless, key)
        _share(left, list(left), self._at_once, key)
        for upload in [one for one in self._uploads if one not in left]:
            self._uploads.remove(upload)
            upload.arrival.end()


def _bound(left: list[Upload], rivals: Sequence[Upload], most: int) -> None:
    if len(rivals) >= most:
        left.remove(min(rivals, key=Upload.pace))


def _share(left: list[Upload], rivals: Sequence[Upload], most: int, key: str) -> None:
    """Who has more places than the newcomer would have gives one; else whoever is slower than a node would be."""
    if len(rivals) < most:
        return
    held = Counter(one.owner.key for one in rivals)
    greedy = [one for one in rivals if held[one.owner.key] > held[key] + 1]
    slow = [one for one in rivals if one.arrival.age >= YOUNG and one.arrival.speed < FAIR_RATE]
    if not greedy and not slow:
        raise NoPlace("as many uploads as are taken at once are under way; try again shortly")
    left.remove(min(greedy or slow, key=lambda one: (-held[one.owner.key], one.pace())))
