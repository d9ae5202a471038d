"""Machines that a host rents out: one at a time, to renters whom its supplier named, each with an end.

Nothing here is paid: renter and supplier settle that between them, or the supplier is paid as the script's nodes are.
An order is remembered by its tag, also after a restart, so that the same one, sent again by anybody, starts nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from contracts.files.whole_file import create_file
from contracts.hosts.signed import Signed, require, require_addressed
from contracts.messages.for_market import HostCall, HostOrder
from contracts.process.record import Record
from verifier.hosts.errors import HostBusy, RentPriceRose, RentRefused
from verifier.hosts.host import Host
from verifier.hosts.keeping import KEPT, OUTPUT, SCRIPT

ANYBODY = "anybody"
MOST_SCRIPT = 2**18
MOST_KEPT = 1_000
"""Orders that are remembered; the host rents nothing more until its supplier makes room."""
GRACE_SECONDS = 20.0
LOG_BYTES = 16_384
LIST, END, LOGS = 1, 2, 3
_TAG = re.compile(r"[A-Za-z0-9-]{1,64}")


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
class Renting:
    """Machines below a `folder`. `renters` are addresses, or `anybody`; `most_seconds` the longest that one may have;
    `is_measured` says whether a measurement is under way."""

    host: Host
    folder: Path
    renters: Collection[str]
    most_seconds: int
    is_measured: Callable[[], bool] = lambda: False
    user: str = ""
    grace: float = GRACE_SECONDS
    _keepers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def order(self, one: Signed[HostOrder], script: bytes) -> Rented:
        """Start a script; the same order again is the machine that it made. Raises RentRefused, RentPriceRose,
        HostBusy, BadHostMessage, HostMessageOld and BadSignature."""
        said = one.message
        self._require_order(one, script)
        with self._lock:
            held = self._held(said.tag)
            if held is not None:
                if (held.renter, held.ends_at) != (said.renter, said.endsAt):
                    raise RentRefused(f"{said.tag} is the name of another machine")
                return held
            if self.is_measured() or self._running():
                raise HostBusy("a machine is rented, or a measurement is under way")
            return self._started(said, script)

    def call(self, one: Signed[HostCall]) -> dict[str, object]:
        """A renter's machines, the end of one, or its output. Raises as `order`."""
        said = one.message
        host = self.host
        require_addressed(said.supplier, said.url, said.issuedAt, host.now(), host.offer().message)
        require(one, host.model, said.renter)
        if said.call == LIST:
            found = [self._seen(tag) for tag in self._tags()]
            return {"machines": [machine.to_json() for machine in found if machine and machine.renter == said.renter]}
        machine = self._seen(said.tag)
        if machine is None or machine.renter != said.renter:
            raise RentRefused(f"{said.renter} has no machine {said.tag[:64]} here")
        if said.call == END:
            self._end(said.tag)
            return {"ended": said.tag}
        if said.call == LOGS:
            return {"output": self._output(said.tag)}
        raise RentRefused(f"there is no call {said.call}")

    @property
    def is_rented(self) -> bool:
        """Whether a machine runs now."""
        with self._lock:
            return bool(self._running())

    def close(self) -> None:
        """End all machines."""
        for tag in list(self._keepers):
            self._end(tag)

    def _require_order(self, one: Signed[HostOrder], script: bytes) -> None:
        said, host = one.message, self.host
        offer = host.offer().message
        require_addressed(said.supplier, said.url, said.issuedAt, host.now(), offer)
        require(one, host.model, said.renter)
        if ANYBODY not in self.renters and said.renter not in self.renters:
            raise RentRefused(f"the supplier rents nothing to {said.renter}")
        if not _TAG.fullmatch(said.tag) or len(script) > MOST_SCRIPT:
            raise RentRefused(f"a tag has letters and digits, and a script {MOST_SCRIPT} bytes at most")
        if hashlib.sha256(script).digest() != said.script:
            raise RentRefused("the script is not the one that was ordered")
        if not 0 < said.endsAt - host.now() <= self.most_seconds + 60:
            raise RentRefused(f"a machine has an end, {self.most_seconds} seconds from now at most")
        if said.price < offer.price:
            raise RentPriceRose(f"it costs {offer.price} micro-USD an hour and GPU, not {said.price}")

    def _started(self, said: HostOrder, script: bytes) -> Rented:
        if len(self._tags()) >= MOST_KEPT:
            raise HostBusy(f"{MOST_KEPT} orders are remembered in {self.folder}")
        now = self.host.now()
        machine = Rented(said.tag, said.renter, said.price, now, said.endsAt)
        place = self.folder / said.tag
        place.mkdir(parents=True, mode=0o700)
        create_file(place / SCRIPT, script, 0o600)
        create_file(place / "machine.json", json.dumps(machine.to_json()).encode(), 0o600)
        self._keepers[said.tag] = self._keeper(place, said.endsAt - now)
        return machine

    def _keeper(self, place: Path, seconds: int) -> subprocess.Popen[bytes]:
        """In a session of its own: a signal to this process's terminal is no end of the machine."""
        words = [sys.executable, "-P", "-m", "verifier.hosts.keeping", str(place), str(seconds), str(self.grace)]
        own = {name: os.environ[name] for name in (*KEPT, "PYTHONPATH") if name in os.environ}
        return subprocess.Popen([*words, self.user], cwd="/", stdin=subprocess.DEVNULL, start_new_session=True, env=own)

    def _running(self) -> list[str]:
        return [tag for tag, keeper in self._keepers.items() if keeper.poll() is None]

    def _end(self, tag: str) -> None:
        keeper = self._keepers.get(tag)
        if keeper is not None and keeper.poll() is None:
            keeper.terminate()
            keeper.wait(self.grace + 10)
        self._seen(tag)

    def _seen(self, tag: str) -> Rented | None:
        """A machine as it stands; its end is noted when it is seen first."""
        with self._lock:
            return self._held(tag)

    def _held(self, tag: str) -> Rented | None:
        place = self.folder / tag
        if not _TAG.fullmatch(tag) or not (place / "machine.json").is_file():
            return None
        machine = Rented.from_json(json.loads((place / "machine.json").read_bytes()))
        if tag in self._running():
            return machine
        if not (place / "ended").is_file():
            create_file(place / "ended", str(min(self.host.now(), machine.ends_at + 60)).encode(), 0o600)
        ended_at = int((place / "ended").read_text())
        return Rented(machine.tag, machine.renter, machine.price, machine.began_at, machine.ends_at, ended_at)

    def _tags(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []

    def _output(self, tag: str) -> str:
        path = self.folder / tag / OUTPUT
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            return file.read(LOG_BYTES).decode(errors="replace")
