"""What a host remembers of its machines, each in a folder by its tag: the order, whether it runs, when it ended.

Whether one runs is told by the lock that its processes hold, not by what this process knows: a host that was killed and
started again, or a keeper that was killed, counts none as ended that is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.files.whole_file import create_file
from contracts.hosts.signed import SKEW_SECONDS
from contracts.process.record import Record
from verifier.hosts.ending import is_held
from verifier.hosts.errors import HostBusy
from verifier.hosts.keeping import SCRIPT, clear, remove

MOST_KEPT = 1_000
"""Machines that are remembered. Those that ended give their place when no copy of their order can be taken any more."""
FORGOTTEN_SECONDS = 2 * SKEW_SECONDS
TAG = re.compile(r"[A-Za-z0-9-]{1,64}")
_ORDER, _ENDED = "machine.json", "ended"


@dataclass(frozen=True)
class Rented(Record):
    """A machine as its renter sees it: times in Unix seconds, `ended_at` 0 while it runs; `ends_at` is its order's."""

    tag: str
    renter: str
    price: int
    began_at: int
    ends_at: int
    ended_at: int = 0


@dataclass
class Machines:
    """Those below a `folder`; `now` in Unix seconds."""

    folder: Path
    now: Callable[[], int]

    def keep(self, machine: Rented, script: bytes) -> Path:
        """Remember a new one; its folder. Raises HostBusy, DiskFull and OSError, and then nothing of it is left."""
        self._make_room()
        place = self.folder / machine.tag
        self.folder.mkdir(parents=True, mode=0o711, exist_ok=True)
        place.mkdir(mode=0o711)  # another user's script passes through, and reads nothing
        try:
            create_file(place / SCRIPT, script, 0o600)
            create_file(place / _ORDER, json.dumps(machine.to_json()).encode(), 0o600)
        except BaseException:
            self.drop(machine.tag)
            raise
        return place

    def drop(self, tag: str) -> None:
        """Forget one."""
        remove(self.folder / tag)

    def tags(self) -> list[str]:
        """All that are remembered."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(path.name for path in found if TAG.fullmatch(path.name))

    def runs(self, tag: str) -> bool:
        """Whether a process of it is there."""
        place = self.folder / tag
        return not (place / _ENDED).exists() and is_held(place)

    def read(self, tag: str, is_running: bool) -> Rented | None:
        """As it stands; its end is noted when it is seen first. None for what cannot be read: it hides no other."""
        place = self.folder / tag
        if not TAG.fullmatch(tag) or not (place / _ORDER).is_file():
            return None
        try:
            machine = Rented.from_json(json.loads((place / _ORDER).read_bytes()))
        except (ValueError, OSError):
            return None
        return machine if is_running else replace(machine, ended_at=self._ended_at(place, machine))

    def _ended_at(self, place: Path, machine: Rented) -> int:
        file = place / _ENDED
        seen = max(1, min(self.now(), machine.ends_at + 60))
        if not file.exists():
            clear(place)
            with suppress(OSError, CommonweightError):  # on a full disk it is noted the next time
                create_file(file, str(seen).encode(), 0o600)
        try:
            return int(file.read_text())
        except (ValueError, OSError):
            return seen

    def _make_room(self) -> None:
        """Raises HostBusy."""
        tags = self.tags()
        if len(tags) < MOST_KEPT:
            return
        ended = [one for tag in tags if not self.runs(tag) and (one := self.read(tag, False))]
        for machine in sorted(ended, key=lambda one: one.ended_at)[: len(tags) - MOST_KEPT + 1]:
            if machine.began_at + FORGOTTEN_SECONDS < self.now():
                self.drop(machine.tag)
        if len(self.tags()) >= MOST_KEPT:
            raise HostBusy(f"{MOST_KEPT} orders of the last minutes are remembered in {self.folder}")
