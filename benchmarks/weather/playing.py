"""A schedule played on the network: gusts come and go, processes are watched, in each calm the parties come back."""

from __future__ import annotations

import heapq
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from benchmarks.record import progress
from benchmarks.weather.lines import clocks
from benchmarks.weather.lines.gusts import MACHINE, Gust, Schedule, Storm
from benchmarks.weather.network import Network
from benchmarks.weather.outcome.back import Calm, log_size
from benchmarks.weather.parties import Party

TICK, SIZE_EVERY = 0.1, 5.0
SAY_SECONDS = 60.0
BACK_SECONDS = 300.0
"""How long a calm lasts at the most, where somebody does not come back."""
WORKER = "/worker"
"""Behind a verifier's name: the processes beside it that replay."""


@dataclass
class Played:
    """What happened: gusts by kind, those that found nobody, seconds until each was back by storm, and how long the
    log was at which second."""

    gusts: Counter[str] = field(default_factory=Counter)
    idle: Counter[str] = field(default_factory=Counter)
    calms: list[dict[str, float | None]] = field(default_factory=list)
    sizes: list[tuple[float, int]] = field(default_factory=list)
    down: list[tuple[str, float, float]] = field(default_factory=list)
    """Party, and the seconds from which to which it was stopped or dead."""
    calm_size: int = 0
    """Entries of the log at the end of the last storm."""

    def slowest(self) -> float | None:
        """The longest time that anybody took to come back; None where somebody did not."""
        found = [seconds for calm in self.calms for seconds in calm.values()]
        return None if None in found else max((s for s in found if s is not None), default=0.0)


class Player:
    """One schedule on one network."""

    def __init__(self, network: Network, schedule: Schedule) -> None:
        self.network, self.played = network, Played()
        self._order, self._due = count(), list[tuple[float, int, Callable[[], None]]]()
        self._schedule, self._late = schedule, 0.0
        self._next_size = self._next_word = 0.0

    def play(self) -> Played:
        """To the end of its last calm. A calm ends when all are back, but not before its time."""
        self._begun = time.monotonic()
        storms = self._schedule.storms
        for place, storm in enumerate(storms):
            for gust in (g for g in self._schedule.gusts if storm.begins <= g.at < storm.ends):
                self._at(gust.at, partial(self._begin, gust))
            self._until(storm.ends)
            self._drain()
            follows = storms[place + 1].begins if place + 1 < len(storms) else self._schedule.seconds
            self._calm(storm, follows)
        return self.played

    @property
    def now(self) -> float:
        """Seconds since the beginning, without what calms took longer."""
        return time.monotonic() - self._begun - self._late

    # -- time ---------------------------------------------------------------------------------------------------------

    def _at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._order), do))

    def _until(self, when: float) -> None:
        while self.now < when:
            while self._due and self._due[0][0] <= self.now:
                heapq.heappop(self._due)[2]()
            self._watch()
            time.sleep(TICK)

    def _drain(self) -> None:
        """What ends with the storm ends now."""
        while self._due:
            heapq.heappop(self._due)[2]()

    def _watch(self) -> None:
        for party in self.network.parties.values():
            party.look(self.now)
        if self.now >= self._next_size:
            self._next_size = self.now + SIZE_EVERY
            with suppress(Exception):  # the database is asked beside the relay, and may be busy
                self.played.sizes.append((round(self.now, 1), log_size(self.network)))
        if self.now >= self._next_word:
            self._next_word = self.now + SAY_SECONDS
            size = self.played.sizes[-1][1] if self.played.sizes else 0
            done = f"{self.now:.0f} s of {self._schedule.seconds:.0f}"
            progress(f"{done}: {size} entries, {self.played.gusts.total()} gusts")

    def _calm(self, storm: Storm, follows: float) -> None:
        self.played.calm_size = log_size(self.network)
        calm, end = Calm(self.network, self.played.calm_size), time.monotonic() + BACK_SECONDS
        is_back = False
        while not is_back and time.monotonic() < end:
            self._watch()
            is_back = calm.look()
            time.sleep(3 * TICK)
        self.played.calms.append({name: calm.back.get(name) for name in self.network.parties})
        progress(f"storm of {storm.ends - storm.begins:.0f} s over: back after {calm.back}, missing {calm.missing()}")
        self._until(follows)
        self._late += max(0.0, self.now - follows)

    # -- gusts --------------------------------------------------------------------------------------------------------

    def _begin(self, gust: Gust) -> None:
        self.played.gusts[gust.kind] += 1
        if gust.kind not in MACHINE:
            self.network.relay.begin(gust)
            self._at(gust.ends, partial(self.network.sky.end, gust))
            return
        name, _, worker = gust.where.partition("/")
        party = self.network.parties[name]
        if worker:
            self._worker(party, gust)
        else:
            self._machine(party, gust)

    def _machine(self, party: Party, gust: Gust) -> None:
        if not party.group or party.is_stopped:
            self.played.idle[gust.kind] += 1
            return
        if gust.kind == "clock":
            if party.clock is not None:
                clocks.turn(party.clock, gust.amount)
                self._at(gust.ends, partial(clocks.turn, party.clock, 0))
            return
        before = self.now
        if gust.kind == "stop":
            party.stop()
            self._at(gust.ends, partial(self._again, party, party.go_on, before))
            return
        party.kill() if gust.kind == "kill" else party.tell_to_end()
        self._at(gust.ends, partial(self._start, party, before))

    def _start(self, party: Party, since: float) -> None:
        """A process that was told to end is waited for."""
        if party.group:
            self._at(self.now + 5 * TICK, partial(self._start, party, since))
            party.look(self.now)
            time.sleep(TICK)
            return
        party.look(self.now)
        self._again(party, party.start, since)

    def _again(self, party: Party, do: Callable[[], None], since: float) -> None:
        do()
        self.played.down.append((party.name, round(since, 1), round(self.now, 1)))

    def _worker(self, party: Party, gust: Gust) -> None:
        workers = party.workers()
        if not workers or gust.kind == "clock":
            self.played.idle[gust.kind] += 1
            return
        first, last = {"kill": (signal.SIGKILL, 0), "restart": (signal.SIGTERM, 0)}.get(
            gust.kind, (signal.SIGSTOP, signal.SIGCONT)
        )
        _signal(workers[0], first)
        if last:
            self._at(gust.ends, partial(_signal, workers[0], last))


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
