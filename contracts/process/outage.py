"""Something that is away, told in few lines: one when it begins, one a minute while it lasts, one when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY_SECONDS = 60.0
GRACE_SECONDS = 5.0
"""An outage that passes sooner is told to nobody: a single 502 is no news."""


class Outage:
    """The outage of one thing, by its name. Threads may not share it. `say` takes a line."""

    def __init__(
        self,
        name: str,
        say: Callable[[str], None],
        grace: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._say = say
        self._grace = grace
        self._clock = clock
        self._since: float | None = None
        self._said: float | None = None

    @property
    def seconds(self) -> float:
        """For how long it has been away by now; 0 while it is not."""
        return 0.0 if self._since is None else self._clock() - self._since

    def failed(self, why: str) -> None:
        """The thing did not do what was asked of it."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        if self._said is None and now - self._since >= self._grace:
            self._say(f"{self._name} does not answer: {why}; trying again")
            self._said = now
        elif self._said is not None and now - self._said >= EVERY_SECONDS:
            self._say(f"{self._name} has not answered for {duration(now - self._since)}: {why}; trying again")
            self._said = now

    def ended(self) -> None:
        """The thing did what was asked of it."""
        if self._said is not None:
            self._say(f"{self._name} answers again, after {duration(self.seconds)}")
        self._since = self._said = None

    def look(self, why: str | None) -> None:
        """`failed`, or `ended` where there is nothing to say against it."""
        if why is None:
            self.ended()
        else:
            self.failed(why)


class Troubles:
    """Things that go wrong again and again: each is told when it begins or changes, once a minute, and at its end.

    A trouble that comes and goes within seconds is told once a minute.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._told: dict[str, tuple[str, float]] = {}
        self._since: dict[str, float] = {}

    def failed(self, what: str, detail: str) -> bool:
        """The thing went wrong, as `detail` says; returns whether that was told."""
        now = self._clock()
        self._since.setdefault(what, now)
        last_detail, at = self._told.get(what, ("", float("-inf")))
        if now - at < (EVERY_SECONDS if detail == last_detail else GRACE_SECONDS):  # a number that counts is no news
            return False
        self._say(f"{what}: {detail}")
        self._told[what] = detail, now
        return True

    def ended(self, what: str) -> None:
        """The thing went well."""
        since = self._since.pop(what, None)
        if since is not None and self._clock() - since >= GRACE_SECONDS and self._told.pop(what, None) is not None:
            self._say(f"{what}: well again")


def duration(seconds: float) -> str:
    """For people: the two largest units."""
    total = int(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    if total < 86400:
        return f"{total // 3600} h {total % 3600 // 60} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"
