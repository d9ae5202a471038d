"""The schedule: storms and calms, and in the storms gusts on lines and processes. All of it follows from the seed.

A schedule can be printed and played again: it is the same for the same seed, parties and length, on any machine.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

T = TypeVar("T")
WEB = (
    "502",
    "502-html",
    "502-late",
    "503",
    "503-later",
    "504",
    "429",
    "408",
    "200-html",
    "empty",
    "refused",
    "reset",
    "cut",
    "slow",
    "delay",
    "silence",
)
"""What comes over a line that carries HTTP. `502-late`: after the server did what was asked; `503-later` says when to
come again; `200-html` is the page of somebody in between; `reset` and `cut` come within the answer."""
PLAIN = ("refused", "reset", "cut", "slow", "delay", "silence")
"""What comes over any other line."""
MACHINE = ("kill", "stop", "restart", "clock")
"""What comes over a process: SIGKILL, SIGSTOP and SIGCONT, SIGTERM, a clock that is six hours off."""
STORM_SECONDS, CALM_SECONDS = (60.0, 180.0), 75.0
GAP_SECONDS = 3.0
"""Mean time between two gusts of a storm."""
MACHINE_SHARE = 0.2
LONGEST = {"silence": 120.0, "stop": 120.0, "slow": 60.0, "clock": 90.0, "kill": 10.0, "restart": 10.0}
USUAL_LONGEST = 30.0
CLOCK_HOURS = 6


@dataclass(frozen=True)
class Line:
    """A way from one party to another; `http` says whether it carries requests."""

    client: str
    server: str
    http: bool = True

    @property
    def name(self) -> str:
        """As in a printed schedule."""
        return f"{self.client}>{self.server}"


@dataclass(frozen=True)
class Gust:
    """From `at` on, for `seconds`, over a line (`client>server`) or a process (its name). `amount` is what the kind
    takes: bytes until a cut, seconds of a delay or of Retry-After, hours of a clock."""

    at: float
    seconds: float
    where: str
    kind: str
    amount: float = 0.0

    @property
    def ends(self) -> float:
        """Seconds since the beginning."""
        return self.at + self.seconds


@dataclass(frozen=True)
class Storm:
    """Begin and end, in seconds; then it is calm until the next one."""

    begins: float
    ends: float


@dataclass(frozen=True)
class Schedule:
    """All that will come, in order."""

    seed: int
    seconds: float
    storms: tuple[Storm, ...]
    gusts: tuple[Gust, ...]

    def to_json(self) -> str:
        """One object a line, the first one about the whole."""
        head = {"seed": self.seed, "seconds": self.seconds, "storms": [asdict(storm) for storm in self.storms]}
        return "".join(f"{json.dumps(line)}\n" for line in (head, *(asdict(gust) for gust in self.gusts)))

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """What `to_json` wrote. Raises ValueError, KeyError and TypeError for anything else."""
        head, *lines = map(json.loads, text.splitlines())
        storms = tuple(Storm(**storm) for storm in head["storms"])
        return cls(head["seed"], head["seconds"], storms, tuple(Gust(**line) for line in lines))


def schedule(
    seed: int,
    seconds: float,
    lines: Sequence[Line],
    processes: Sequence[str],
    storm: tuple[float, float] = STORM_SECONDS,
    calm: float = CALM_SECONDS,
    gap: float = GAP_SECONDS,
    machine: Sequence[str] = MACHINE,
) -> Schedule:
    """Storms for `seconds`, each followed by a calm. Every kind of gust, line and process has its turn before any has
    a second one."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    wires = {True: _turns(rng, [line for line in lines if line.http]), False: _turns(rng, _plain(lines))}
    kinds = {True: _turns(rng, WEB), False: _turns(rng, PLAIN)}
    plain_share = len(_plain(lines)) / len(lines)
    machines, deeds = _turns(rng, processes), _turns(rng, machine)
    storms: list[Storm] = []
    gusts: list[Gust] = []
    now = 0.0
    while now + storm[0] + calm <= seconds or not storms:
        ends = round(now + rng.uniform(*storm), 1)
        storms.append(Storm(now, ends))
        while now < ends - 1:
            if machine and rng.random() < MACHINE_SHARE:
                gusts.append(_gust(rng, now, ends, next(machines), next(deeds)))
            else:
                http = rng.random() >= plain_share
                gusts.append(_gust(rng, now, ends, next(wires[http]).name, next(kinds[http])))
            now += rng.expovariate(1 / gap)
        now = round(ends + calm, 1)
    return Schedule(seed, now, tuple(storms), tuple(gusts))


def within(found: Schedule, where: str) -> tuple[Gust, ...]:
    """The gusts of one line or process."""
    return tuple(gust for gust in found.gusts if gust.where == where)


def _plain(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if not line.http]


def _turns(rng: random.Random, things: Sequence[T]) -> Iterator[T]:
    """Each once in a random order, and again."""
    while things:
        yield from rng.sample(list(things), len(things))


def _gust(rng: random.Random, at: float, storm_ends: float, where: str, kind: str) -> Gust:
    longest = LONGEST.get(kind, USUAL_LONGEST)
    seconds = min(rng.uniform(1.0, longest), storm_ends - at)
    made = Gust(round(at, 2), round(seconds, 2), where, kind)
    if kind in ("cut", "reset"):
        return replace(made, amount=float(rng.choice((0, 1, 20, 100, 300, 1_000, 20_000))))
    if kind == "clock":
        return replace(made, amount=float(rng.choice((-CLOCK_HOURS, CLOCK_HOURS))))
    if kind == "429" and rng.random() < 0.5:
        return made
    return replace(made, amount=round(rng.uniform(0.2, 5.0), 1) if kind in ("delay", "503-later", "429") else 0.0)
