"""Machines that a host rents out: one at a time, to renters whom its supplier named, each with an end.

Nothing here is paid: renter and supplier settle that between them, or the supplier is paid as the script's nodes are.
An order is remembered by its tag, also after a restart, so that the same one, sent again by anybody, starts nothing.
Its script's end is a keeper's; one that does not do it in time (it was stopped, or killed) is ended with the script.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from contracts.hosts.signed import Signed, require, require_addressed
from contracts.messages.for_market import HostCall, HostOrder
from contracts.process.clock_watch import since_boot
from verifier.hosts.ending import below, holders, kill, tell
from verifier.hosts.errors import HostBusy, RentPriceRose, RentRefused
from verifier.hosts.host import Host
from verifier.hosts.keeping import KEPT, last_lines
from verifier.hosts.machines import TAG, Machines, Rented

ANYBODY = "anybody"
MOST_SCRIPT = 2**18
GRACE_SECONDS = 20.0
LATE_SECONDS = 10
"""A keeper has so long besides the grace that its script has."""
END_SECONDS = 5
"""A renter that ends a machine waits for no more: its list says when it is gone."""
LIST, END, LOGS = 1, 2, 3


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
    _deadlines: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._machines = Machines(self.folder, self.host.now)

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
            if self.is_measured() or any(map(self._runs, self._machines.tags())):
                raise HostBusy("a machine is rented, or a measurement is under way")
            return self._started(said, script)

    def call(self, one: Signed[HostCall]) -> dict[str, object]:
        """A renter's machines, the end of one, or its output. Raises as `order`."""
        said = one.message
        host = self.host
        require_addressed(said.supplier, said.url, said.issuedAt, host.now(), host.offer().message)
        require(one, host.model, said.renter)
        if said.call == LIST:
            found = [self._seen(tag) for tag in self._machines.tags()]
            return {"machines": [machine.to_json() for machine in found if machine and machine.renter == said.renter]}
        machine = self._seen(said.tag)
        if machine is None or machine.renter != said.renter:
            raise RentRefused(f"{said.renter} has no machine {said.tag[:64]} here")
        if said.call == END:
            self._end(said.tag, END_SECONDS)
            return {"ended": said.tag}
        if said.call == LOGS:
            return {"output": self._output(said.tag)}
        raise RentRefused(f"there is no call {said.call}")

    @property
    def is_rented(self) -> bool:
        """Whether a machine runs now."""
        return bool(self._running())

    def look(self) -> None:
        """End what is over, and its keeper did not end; what a host of before left has no keeper that would."""
        now, late = since_boot(), self.grace + LATE_SECONDS
        for tag in self._running():
            if now > self._deadlines.setdefault(tag, now) + late:
                self._end(tag)

    def close(self) -> None:
        """End all machines."""
        for tag in self._running():
            self._end(tag)

    def _require_order(self, one: Signed[HostOrder], script: bytes) -> None:
        said, host = one.message, self.host
        offer = host.offer().message
        require_addressed(said.supplier, said.url, said.issuedAt, host.now(), offer)
        require(one, host.model, said.renter)
        if ANYBODY not in self.renters and said.renter not in self.renters:
            raise RentRefused(f"the supplier rents nothing to {said.renter}")
        if not TAG.fullmatch(said.tag) or len(script) > MOST_SCRIPT:
            raise RentRefused(f"a tag has letters and digits, and a script {MOST_SCRIPT} bytes at most")
        if hashlib.sha256(script).digest() != said.script:
            raise RentRefused("the script is not the one that was ordered")
        if not 0 < said.endsAt - host.now() <= self.most_seconds + 60:
            raise RentRefused(f"a machine has an end, {self.most_seconds} seconds from now at most")
        if said.price < offer.price:
            raise RentPriceRose(f"it costs {offer.price} micro-USD an hour and GPU, not {said.price}")

    def _started(self, said: HostOrder, script: bytes) -> Rented:
        now = self.host.now()
        machine = Rented(said.tag, said.renter, said.price, now, said.endsAt)
        place = self._machines.keep(machine, script)
        self._deadlines[said.tag] = since_boot() + said.endsAt - now
        try:
            self._keepers[said.tag] = self._keeper(place, said.endsAt - now)
        except OSError:
            self._machines.drop(said.tag)
            raise
        return machine

    def _keeper(self, place: Path, seconds: int) -> subprocess.Popen[bytes]:
        """In a session of its own: a signal to this process's terminal is no end of the machine."""
        words = [sys.executable, "-P", "-m", "verifier.hosts.keeping", str(place.resolve()), str(seconds)]
        own = {name: os.environ[name] for name in (*KEPT, "PYTHONPATH") if name in os.environ}
        return subprocess.Popen(
            [*words, str(self.grace), str(os.getpid()), self.user],
            cwd="/",
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=own,
        )

    def _running(self) -> list[str]:
        with self._lock:
            return [tag for tag in self._machines.tags() if self._runs(tag)]

    def _runs(self, tag: str) -> bool:
        """By this process's keeper; or a keeper of before, or its script, is still there."""
        keeper = self._keepers.get(tag)
        return (keeper is not None and keeper.poll() is None) or self._machines.runs(tag)

    def _end(self, tag: str, seconds: float = float("inf")) -> None:
        """End a machine. After so many seconds its keeper goes on with it alone, and a look sees to that."""
        keeper, patience = self._keepers.get(tag), self.grace + LATE_SECONDS
        if keeper is not None and keeper.poll() is None:
            keeper.terminate()
            try:
                keeper.wait(min(patience, seconds))
            except subprocess.TimeoutExpired:
                if seconds < patience:
                    self._deadlines[tag] = since_boot()
                    return
                self._force(keeper)
        if self._machines.runs(tag):
            kill(lambda: holders(self.folder / tag))
        self._seen(tag)

    def _force(self, keeper: subprocess.Popen[bytes]) -> None:
        """A script of the same user can stop its keeper."""
        left = below(keeper.pid)
        keeper.kill()
        keeper.wait()
        tell(left, signal.SIGKILL)

    def _seen(self, tag: str) -> Rented | None:
        """A machine as it stands; its end is noted when it is seen first."""
        with self._lock:
            return self._held(tag)

    def _held(self, tag: str) -> Rented | None:
        return self._machines.read(tag, self._runs(tag))

    def _output(self, tag: str) -> str:
        try:
            return last_lines(self.folder / tag).decode(errors="replace")
        except OSError:
            return ""
