"""A verifier measures a host that may lie in everything: it draws, takes the time, and checks what comes back.

- bits and speed: the standard segment from a seed that it draws. The host names the digests of all boundaries, and each
  is compared with the verifier's own: of a part, the rest could be made up, and the figure with it;
- bandwidth: random bytes there, whose digest must come, and the same bytes back;
- memory: a walk over a buffer (verifier/hosts/walking.py).

Times are those from here, network included, and begin before the host knows what it is asked for: it has at least what
is reported. A host that hands the work on to a faster machine cannot be told from that machine: what is measured is
what its address yields.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any

from blake3 import blake3

from contracts.hosts.signed import Model, Signed, signed
from contracts.hosts.standard import EXACT, PORTABLE, STANDARD, standard_in
from contracts.ids import Address, from_hex, to_hex
from contracts.messages.for_market import HostChallenge, MeasuredHost
from contracts.mirrors.peer import Limits, Peer
from contracts.mirrors.urls import Resolve, system_resolve
from contracts.protocol.run_config import RunConfig
from trainer.steps import standard_segment
from verifier.hosts import walking
from verifier.hosts.asking import SHOWN_BYTES, Shown, answered, replied, shown
from verifier.hosts.errors import HostAway, HostFailed

WALK_SLACK = 0.5
"""Seconds that a walk may take besides: a busy machine's pauses."""
PINGS, MOST_LATENCY = 4, 0.5
"""The way there and back is that of the quickest of so many short walks, and counts for no more than these seconds: a
host that answers late has not bought time for the long one."""
SHORT_SECONDS = 30.0
"""For answers that cost the host nothing."""


@dataclass(frozen=True)
class Extent:
    """How much is measured: bytes each way, bytes of memory, steps of the walk, the seconds in which the segment, the
    traffic and the memory each must be there, and those of all of it."""

    traffic: int = 2**23
    memory: int = 2**30
    steps: int = walking.STEPS
    seconds: float = 300.0
    whole: float = 600.0


@dataclass
class Measuring:
    """One verifier's measurements. `clock` counts seconds on, `now` Unix seconds; `resolve` as of Peer."""

    model: Model
    key: bytes
    verifier: Address
    loopback: bool = False
    extent: Extent = Extent()
    standard: RunConfig = STANDARD
    clock: Callable[[], float] = time.perf_counter
    now: Callable[[], int] = lambda: int(time.time())
    resolve: Resolve = system_resolve

    def measure(self, url: str, supplier: Address | None = None) -> Signed[MeasuredHost]:
        """Measure the host at an address; of this supplier, where one is named.

        Raises HostAway, HostFailed, and what its offer is refused for: nothing is reported then.
        """
        return asyncio.run(self._measured(url, supplier))

    def bring(self, report: Signed[MeasuredHost]) -> None:
        """Hand a report to its host, which shows it beside its offer. Raises HostAway and HostFailed."""
        asyncio.run(self._brought(report))

    async def _brought(self, report: Signed[MeasuredHost]) -> None:
        peer = self._peer(report.message.url)
        try:
            await answered(peer.post("/market/reports", json.dumps(report.to_json()).encode(), SHOWN_BYTES))
        finally:
            await peer.close()

    def _peer(self, url: str) -> Peer:
        """A slow one has so long for each call; the whole measurement has an end besides."""
        return Peer(url, self.loopback, Limits(self.extent.seconds, self.extent.seconds), self.resolve, keeps=True)

    async def _measured(self, url: str, supplier: Address | None) -> Signed[MeasuredHost]:
        peer = self._peer(url)
        try:
            async with asyncio.timeout(self.extent.whole):
                return await self._asked(peer, supplier)
        except TimeoutError:
            raise HostAway(f"the host took more than {self.extent.whole:g} seconds in all") from None
        finally:
            await peer.close()

    async def _asked(self, peer: Peer, supplier: Address | None) -> Signed[MeasuredHost]:
        async with _soon():
            found = await shown(peer, self.model, self.now(), self.loopback)
        if supplier is not None and found.offer.message.supplier != supplier:
            raise HostFailed(f"{found.offer.message.supplier} answers there, and not {supplier}")
        return await self._of(peer, found)

    async def _of(self, peer: Peer, found: Shown) -> Signed[MeasuredHost]:
        offer, seed, profile = found.offer.message, token_bytes(32), self._profile(found)
        digest = standard_segment.profile_digest(standard_in(profile, self.standard))
        challenge = HostChallenge(
            model=self.model.model,
            verifier=self.verifier,
            supplier=offer.supplier,
            url=offer.url,
            seed=seed,
            profile=profile,
            memory=self.extent.memory,
            traffic=self.extent.traffic,
            issuedAt=self.now(),
        )
        body = json.dumps(signed(challenge, self.model, self.key).to_json()).encode()
        known = self.clock()
        async with _soon():
            name = (await answered(peer.post("/market/challenges", body, SHOWN_BYTES))).get("challenge")
        if not isinstance(name, str) or not name.isalnum() or len(name) > 64:
            raise HostFailed("it names no challenge")
        part = _Parts(peer, f"/market/challenges/{name}", self.clock)
        try:
            tokens = await self._segment(part, seed, profile, known)
            received, sent = await self._traffic(part)
            await self._memory(part, seed)
        finally:
            with suppress(HostAway, HostFailed):
                async with _soon():
                    await answered(peer.post(f"{part.path}/end", b"", SHOWN_BYTES))
        report = MeasuredHost(
            model=self.model.model,
            verifier=self.verifier,
            supplier=offer.supplier,
            url=offer.url,
            standard=standard_in(profile, self.standard).digest(),
            profile=digest,
            seed=seed,
            tokens=tokens,
            memory=walking.pages_of(self.extent.memory) * walking.PAGE_BYTES,
            received=received,
            sent=sent,
            measuredAt=self.now(),
        )
        return signed(report, self.model, self.key)

    def _profile(self, found: Shown) -> str:
        """The exact profile where the host names this machine's, which its bits must show; else the portable one."""
        config = standard_in(EXACT, self.standard)
        own = to_hex(standard_segment.profile_digest(config))
        return EXACT if found.profiles.get(EXACT) == own else PORTABLE

    # -- bits and speed ------------------------------------------------------------------------------------------------

    async def _segment(self, part: _Parts, seed: bytes, profile: str, known: float) -> int:
        """Thousandths of tokens a second. Time counts from when the host may have `known` the seed: it could compute
        before it answers the challenge, and have all of it there when it is asked for it."""
        config = standard_in(profile, self.standard)
        body, _ = await part.timedanswered("segment")
        seconds = max(self.clock() - known, 1e-6)
        entries = _entries(body, config)
        expected = standard_segment.compute(config, seed).boundary_entries
        if entries[0] != expected[0]:
            raise HostFailed("it does not begin where the seed begins")
        wrong = [number for number, entry in enumerate(entries) if entry != expected[number]]
        if wrong:
            raise HostFailed(f"it comes to other bits at boundary {wrong[0]} of {len(entries) - 1}")
        return int(config.tokens_per_round * 1_000 / seconds)

    # -- bandwidth -----------------------------------------------------------------------------------------------------

    async def _traffic(self, part: _Parts) -> tuple[int, int]:
        """Bytes a second that the host took, and gave."""
        data = token_bytes(self.extent.traffic)
        body, seconds = await part.timedanswered("traffic", data)
        if body.get("digest") != blake3(data).hexdigest():
            raise HostFailed("it names another digest than that of the bytes that it was sent")
        back, back_seconds = await part.timed_read("traffic", len(data))
        if back != data:
            raise HostFailed("it sends other bytes back than it was sent")
        return int(len(data) / seconds), int(len(data) / back_seconds)

    # -- memory --------------------------------------------------------------------------------------------------------

    async def _memory(self, part: _Parts, seed: bytes) -> None:
        pages = walking.pages_of(self.extent.memory)
        filled, _ = await part.timedanswered("memory")
        if filled.get("pages") != pages:
            raise HostFailed("it filled another number of pages")
        pings = [(await part.timedanswered("walk", _walk(token_bytes(32), 1)))[1] for _ in range(PINGS)]
        latency, begin = min(MOST_LATENCY, *pings), token_bytes(32)
        walked, seconds = await part.timedanswered("walk", _walk(begin, self.extent.steps))
        began = time.thread_time()
        expected = walking.walk(begin, pages, self.extent.steps, walking.maker(seed))
        own = time.thread_time() - began
        if walked.get("digest") != to_hex(expected):
            raise HostFailed("its memory holds other bytes than it was to be filled with")
        if seconds > latency + WALK_SLACK + walking.LEEWAY * own:
            raise HostFailed(f"a walk over {pages} pages took it {seconds:.2f} s: it does not hold them")


@dataclass(frozen=True)
class _Parts:
    """The parts of a challenge at a host, each with the seconds from asking until the last byte."""

    peer: Peer
    path: str
    clock: Callable[[], float]

    async def timedanswered(self, name: str, body: bytes = b"") -> tuple[Mapping[str, Any], float]:
        began = self.clock()
        found = await answered(self.peer.post(f"{self.path}/{name}", body, SHOWN_BYTES))
        return found, max(self.clock() - began, 1e-6)

    async def timed_read(self, name: str, most: int) -> tuple[bytes, float]:
        began = self.clock()
        found = await self.read(name, most)
        return found, max(self.clock() - began, 1e-6)

    async def read(self, name: str, most: int) -> bytes:
        return (await replied(self.peer.get(f"{self.path}/{name}", most))).body


def _entries(body: Mapping[str, Any], config: RunConfig) -> list[bytes]:
    entries = body.get("entries")
    if not isinstance(entries, list) or len(entries) != config.segments + 1:
        raise HostFailed(f"it names no {config.segments + 1} boundaries")
    try:
        found = [from_hex(entry) for entry in entries]
    except (ValueError, AttributeError) as error:
        raise HostFailed("a boundary is no digest") from error
    if any(len(entry) != 64 for entry in found):
        raise HostFailed("a boundary is no digest")
    return found


@asynccontextmanager
async def _soon() -> AsyncIterator[None]:
    """Raises HostAway."""
    try:
        async with asyncio.timeout(SHORT_SECONDS):
            yield
    except TimeoutError:
        raise HostAway(f"the host did not answer within {SHORT_SECONDS:g} seconds") from None


def _walk(begin: bytes, steps: int) -> bytes:
    return json.dumps({"begin": to_hex(begin), "steps": steps}).encode()
