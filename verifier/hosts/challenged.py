"""The host's side of a measurement: one at a time, begun by an admitted verifier's signed challenge.

Each part is bounded by what the challenge named and the supplier allows, comes once, and a challenge ends by itself.
The longer one took, the longer its verifier waits for the next: nothing is rented beside it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_hex

from blake3 import blake3

from contracts.hosts.signed import Signed, require_challenge
from contracts.hosts.standard import PROFILES, STANDARD, standard_in
from contracts.ids import to_hex
from contracts.messages.for_market import HostChallenge
from contracts.protocol.run_config import RunConfig
from trainer.steps import standard_segment
from verifier.hosts import walking
from verifier.hosts.errors import ChallengeRefused, ChallengeUnknown, HostBusy
from verifier.hosts.host import Host

CHALLENGE_SECONDS = 900.0
"""A challenge that was not ended by its verifier ends."""
PAUSE_SECONDS = 3600.0
"""From one challenge of a verifier to its next: each costs the host minutes of work."""
PAUSE_SHARE = 24.0
"""And so many times as long as the one before was under way."""
MOST_TRAFFIC = 2**26
MOST_STEPS = 2**16
MOST_WALKS = 8


@dataclass
class Challenge:
    """A challenge that is under way, and what its parts have left."""

    message: HostChallenge
    config: RunConfig
    began: float
    traffic: bytes = b""
    buffer: bytearray | None = None
    steps: int = MOST_STEPS
    asked: list[str] = field(default_factory=list)


@dataclass
class Challenges:
    """All challenges of one host. `most_memory` are the bytes that the supplier lends to a measurement; `is_rented`
    says whether a machine is rented now."""

    host: Host
    most_memory: int
    is_rented: Callable[[], bool] = lambda: False
    standard: RunConfig = STANDARD
    clock: Callable[[], float] = time.monotonic
    pause: float = PAUSE_SECONDS
    _open: dict[str, Challenge] = field(default_factory=dict)
    _next: dict[str, float] = field(default_factory=dict)
    _seeds: set[bytes] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, one: Signed[HostChallenge]) -> str:
        """The name under which the parts are asked for. Raises HostBusy, ChallengeRefused, and as
        `require_challenge`."""
        host = self.host
        said = require_challenge(one, host.model, host.verifiers(), host.now(), host.offer().message)
        if said.profile not in PROFILES:
            raise ChallengeRefused(f"{said.profile[:20]!r} is no profile of the standard segment")
        if said.traffic > MOST_TRAFFIC or said.memory > self.most_memory:
            raise ChallengeRefused(f"at most {MOST_TRAFFIC} bytes each way, and {self.most_memory} of memory")
        with self._lock:
            self._require_free(said)
            name = token_hex(16)
            config = standard_in(said.profile, self.standard)
            self._open = {name: Challenge(said, config, self.clock())}
            self._next[said.verifier] = self.clock() + self.pause + PAUSE_SHARE * CHALLENGE_SECONDS
            self._seeds.add(said.seed)
        return name

    def _require_free(self, said: HostChallenge) -> None:
        now = self.clock()
        if self.is_rented() or any(now - one.began < CHALLENGE_SECONDS for one in self._open.values()):
            raise HostBusy("a measurement or a rented machine is under way")
        if now < self._next.get(said.verifier, now):
            raise HostBusy(f"{said.verifier} may measure again in {self._next[said.verifier] - now:.0f} seconds")
        if said.seed in self._seeds:
            raise ChallengeRefused("this seed was used before")

    @property
    def is_open(self) -> bool:
        """Whether a measurement is under way: nothing is rented beside it."""
        return any(self.clock() - one.began < CHALLENGE_SECONDS for one in self._open.values())

    def end(self, name: str) -> None:
        """Let everything of it go."""
        with self._lock:
            one = self._open.pop(name, None)
            if one is not None:
                took = min(self.clock() - one.began, CHALLENGE_SECONDS)
                self._next[one.message.verifier] = self.clock() + max(self.pause, PAUSE_SHARE * took)

    def segment(self, name: str) -> dict[str, object]:
        """Compute the standard segment; the digests of all boundaries, and the profile."""
        one = self._asked(name, "segment")
        profile = standard_segment.profile_digest(one.config)
        trajectory = standard_segment.compute(one.config, one.message.seed)
        return {"profile": to_hex(profile), "entries": [to_hex(entry) for entry in trajectory.boundary_entries]}

    def expected(self, name: str) -> int:
        """How many bytes the verifier may send now, before any of them is read."""
        return self._asked(name, "take").message.traffic

    def take(self, name: str, data: bytes) -> dict[str, object]:
        """Bytes that the verifier drew; their digest."""
        one = self._named(name)
        if len(data) > one.message.traffic:
            raise ChallengeRefused("more bytes than the challenge named")
        one.traffic = data
        return {"digest": blake3(data).hexdigest()}

    def give(self, name: str) -> bytes:
        """The same bytes."""
        return self._asked(name, "give").traffic

    def fill(self, name: str) -> dict[str, object]:
        """Fill the buffer of the challenge's size."""
        one = self._asked(name, "fill")
        try:
            one.buffer = walking.filled(one.message.seed, one.message.memory, os.cpu_count() or 1)
        except MemoryError:
            raise ChallengeRefused("there is no such memory") from None
        return {"pages": len(one.buffer) // walking.PAGE_BYTES}

    def walk(self, name: str, begin: bytes, steps: int) -> dict[str, object]:
        """Walk over the filled buffer."""
        one = self._asked(name, "walk", MOST_WALKS)
        if one.buffer is None or len(begin) != 32 or not 0 < steps <= one.steps:
            raise ChallengeRefused("a walk begins with 32 bytes, in a filled buffer, and has so many steps in all")
        one.steps -= steps
        pages = len(one.buffer) // walking.PAGE_BYTES
        return {"digest": to_hex(walking.walk(begin, pages, steps, walking.reader(one.buffer)))}

    def _asked(self, name: str, part: str, most: int = 1) -> Challenge:
        """The challenge, of which a part is asked for. One that was before is refused, also while it is under way: its
        time was measured, and many at once would take many times what the supplier lends."""
        with self._lock:
            one = self._named(name)
            if one.asked.count(part) >= most:
                raise ChallengeRefused("this part was asked for before")
            one.asked.append(part)
            return one

    def _named(self, name: str) -> Challenge:
        one = self._open.get(name)
        if one is None or self.clock() - one.began >= CHALLENGE_SECONDS:
            raise ChallengeUnknown("no such challenge is under way")
        return one
