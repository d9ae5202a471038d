"""A verifier measures a host that may lie in everything: it draws, takes the time, and checks what comes back.

- bits and speed: the standard segment from a seed that it draws. The host names the digests of all boundaries; then
  segments are drawn, and each is replayed here from the state that the host shows;
- bandwidth: random bytes there, whose digest must come, and the same bytes back;
- memory: a walk over a buffer (verifier/hosts/walking.py).

Times are those from here, network included: a host has at least what is reported. A host that hands the work on to a
faster machine cannot be told from that machine: what is measured is what its address yields.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import SystemRandom
from secrets import token_bytes
from typing import Any

from blake3 import blake3

from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.hosts.signed import Model, Signed, signed
from contracts.hosts.standard import EXACT, PORTABLE, STANDARD, standard_in
from contracts.ids import Address, from_hex, to_hex
from contracts.messages.for_market import HostChallenge, MeasuredHost
from contracts.mirrors.peer import Limits, Peer
from contracts.mirrors.urls import Resolve, system_resolve
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import packed_size, unpack
from trainer.model.state import Tensors, layout
from trainer.steps import standard_segment
from verifier.hosts import walking
from verifier.hosts.asking import SHOWN_BYTES, Shown, answered, replied, shown
from verifier.hosts.errors import HostAway, HostFailed

WALK_SLACK = 0.5
"""Seconds that a walk may take besides: a busy machine's pauses."""


@dataclass(frozen=True)
class Extent:
    """How much is measured: segments that are replayed, bytes each way, bytes of memory, steps of the walk, and the
    seconds in which the segment, the traffic and the memory each must be there."""

    replays: int = 2
    traffic: int = 2**23
    memory: int = 2**30
    steps: int = walking.STEPS
    seconds: float = 300.0


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
        limits = Limits(self.extent.seconds, self.extent.seconds)
        return Peer(url, self.loopback, limits, self.resolve, keeps=True)

    async def _measured(self, url: str, supplier: Address | None) -> Signed[MeasuredHost]:
        peer = self._peer(url)
        try:
            found = await shown(peer, self.model, self.now(), self.loopback)
            if supplier is not None and found.offer.message.supplier != supplier:
                raise HostFailed(f"{found.offer.message.supplier} answers there, and not {supplier}")
            return await self._of(peer, found)
        finally:
            await peer.close()

    async def _of(self, peer: Peer, found: Shown) -> Signed[MeasuredHost]:
        offer, seed, profile = found.offer.message, token_bytes(32), self._profile(found)
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
        name = (await answered(peer.post("/market/challenges", body, SHOWN_BYTES))).get("challenge")
        if not isinstance(name, str) or not name.isalnum() or len(name) > 64:
            raise HostFailed("it names no challenge")
        part = _Parts(peer, f"/market/challenges/{name}", self.clock)
        try:
            tokens, digest = await self._segment(part, seed, profile)
            received, sent = await self._traffic(part)
            await self._memory(part, seed)
        finally:
            with suppress(HostAway, HostFailed):
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

    async def _segment(self, part: _Parts, seed: bytes, profile: str) -> tuple[int, bytes]:
        """Thousandths of tokens a second, and the profile's digest."""
        config = standard_in(profile, self.standard)
        own = standard_segment.profile_digest(config)
        body, seconds = await part.timedanswered("segment")
        entries = _entries(body, config)
        if boundary_entry(standard_segment.start_of(config, seed)) != entries[0]:
            raise HostFailed("it does not begin where the seed begins")
        for segment in SystemRandom().sample(range(config.segments), min(self.extent.replays, config.segments)):
            await self._replayed(part, config, seed, segment, entries)
        return int(config.tokens_per_round * 1_000 / seconds), own

    async def _replayed(self, part: _Parts, config: RunConfig, seed: bytes, segment: int, entries: list[bytes]) -> None:
        expected = layout(config)
        start = _state(await part.read(f"states/{segment}", packed_size(expected) + SHOWN_BYTES), expected)
        if boundary_entry(start) != entries[segment]:
            raise HostFailed(f"boundary {segment} is not the state that it named")
        try:
            end = standard_segment.replay(config, seed, start, segment)
        except CommonweightError as error:
            raise HostFailed(f"segment {segment} cannot be replayed: {error.detail}") from error
        if boundary_entry(end) != entries[segment + 1]:
            raise HostFailed(f"segment {segment} replays to other bits")

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
        _, latency = await part.timedanswered("walk", _walk(token_bytes(32), 1))
        begin = token_bytes(32)
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


def _state(packed: bytes, expected: Any) -> Tensors:
    try:
        return unpack(packed, expected)
    except InvalidTensorFile as error:
        raise HostFailed(f"what it shows is no state: {error.detail}") from error


def _walk(begin: bytes, steps: int) -> bytes:
    return json.dumps({"begin": to_hex(begin), "steps": steps}).encode()
