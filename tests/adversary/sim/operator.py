"""The operator: takes facts, enters blocks, writes what the machine derives; or does something else instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.errors import Refused
from contracts.protocol.judge.facts import Block, Fact
from contracts.protocol.judge.machine import apply, due
from tests.adversary.sim.forging import Forger
from tests.adversary.sim.ground import lies_beneath
from tests.adversary.sim.network import Message

if TYPE_CHECKING:
    from tests.adversary.sim.world import World

HIDDEN = 4
MOST_MISSED = 2
"""Beacons that an operator makes the verifiers miss: one that goes on stops time, and gains nothing by it."""
"""Ticks for which blocks are hidden where the operator enters them late."""
TRIES = 8
_AGAIN = frozenset({"unknown-subject", "out-of-time"})


class Effect(AssertionError):
    """A stranger's fact did something to the log."""


class Operator:
    """The server's shell around the machine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.plan = world.plan.operator
        self.missed = 0
        self.forger = Forger(world)
        self.inbox: list[Message] = []
        self.beacons: dict[tuple[str, int], int] = {}
        """Chain time from which on a block draws, by round."""
        self.unruly = self.plan != type(self.plan)()
        self.entered = 0

    def take(self, message: Message) -> bool:
        """Whether it takes a message from its sender."""
        now = self.world.tick
        if self.unruly and (self.is_stopped(now) or any(_meets(drop, message) for drop in self.plan.drops)):
            return False
        message.taken = now
        if self.plan.delay:
            message.ready = now + self.world.plan.roll(self.plan.delay + 1, "delay", message.sender, now)
        self.inbox.append(message)
        return True

    def take_from_mirror(self, message: Message) -> None:
        """It must enter what a mirror hands on; it may take its time."""
        now, hold = self.world.tick, self.plan.hold
        if self.plan.scatters:
            hold = self.world.plan.roll(hold + 1, "hold", message.sender, now, type(message.fact).__name__)
        message.ready = now + hold
        self.inbox.append(message)

    def refuses_mirrors(self, message: Message) -> bool:
        """Whether it keeps a message out for good."""
        return any(drop.hard and _meets(drop, message) for drop in self.plan.drops)

    def is_stopped(self, tick: int) -> bool:
        """Whether it enters nothing now."""
        return any(start <= tick < end for start, end, _ in self.plan.stops)

    def is_dark(self, tick: int) -> bool:
        """Whether it does not even answer."""
        return any(dark and start <= tick < end for start, end, dark in self.plan.stops)

    def flush(self) -> None:
        """One tick of work: messages and blocks."""
        now, world = self.world.tick, self.world
        waits = bool(self.inbox or world.network.floating or world.network.dropped)
        if self.plan.stops and self.is_stopped(now):
            # while it does not answer no look counts, whatever waits for it
            world.history.stopped += waits or self.is_dark(now)
            return
        before, size = self.entered, world.state.size
        if self.inbox:
            self._enter_all([message for message in self.inbox if message.ready <= now], now)
        if self.beacons or self.world.chain.waiting or now - self.world.chain.last >= world.plan.period:
            self._blocks(now)
        if waits and self.entered == before:
            world.history.stopped += 1
        if world.state.size != size:
            world.watch()

    def _enter_all(self, ready: list[Message], now: int) -> None:
        self.inbox = [message for message in self.inbox if message.ready > now] if self.unruly else []
        if self.plan.shuffles:
            ready.sort(key=lambda m: self.world.plan.roll(1_000, "shuffle", m.sender, now, type(m.fact).__name__))
        if self.plan.blocks == "fresh" and any(type(message.fact) is facts.Has for message in ready):
            self._enter_block(self.world.chain.newest_final(now))
        for message in ready:
            self.enter(message)
            if self.plan.repeats:
                self._try(message)

    def enter(self, message: Message) -> None:
        """Enter a message, or refuse it."""
        code = self._try(message)
        if code in _AGAIN and self.unruly and message.tries < TRIES and not message.harmless:
            message.tries += 1
            message.ready = self.world.tick + 2
            self.inbox.append(message)
            return
        self.world.network.landed(message)

    def _try(self, message: Message) -> str:
        world = self.world
        watched = dict(world.state.open) if message.harmless else {}
        try:
            self.apply(message.fact, message.harmless)
        except Refused as error:
            world.history.refused[error.code] = world.history.refused.get(error.code, 0) + 1
            return error.code
        if message.harmless and watched != world.state.open:
            raise Effect(f"tick {world.tick}: {message.fact} changed what is awaited")
        self.entered += 1
        if not isinstance(message.fact, Block):
            world.history.messages += 1
        return ""

    def apply(self, fact: Fact, harmless: bool = False) -> None:
        """Enter a fact and all that follows. Raises Refused."""
        world, first = self.world, self.world.state.size
        apply(world.state, fact)
        world.write(fact)
        derived = due(world.state)
        lies_beneath(world.state, first)
        if harmless and derived:
            raise Effect(f"tick {world.tick}: after {fact} follows {derived[0]}")
        if derived:
            self._write(derived)

    def _write(self, derived: list[Derived]) -> None:
        world = self.world
        first = world.state.size - len(derived)
        for entry in self.forger.written(derived):
            world.write(entry)
        for place, entry in enumerate(derived):
            world.duties.on(entry, first + place)

    def _blocks(self, now: int) -> None:
        late = self.plan.blocks in ("late", "past") and self.missed < MOST_MISSED
        hidden = HIDDEN if late else 0
        newest = self.world.chain.newest_final(now - hidden)
        if self.plan.blocks in ("past", "again"):
            self._tries(self.world.chain.newest_final(now))
        for time in sorted(self.beacons.values()):
            number = self.world.chain.tick_of(time)
            if number <= newest:
                self._enter_block(number)
        chain, patience = self.world.chain, self.world.plan.period
        said = any(at <= newest for at, _ in chain.waiting) or self._is_due(newest)
        if said or (newest - chain.last >= patience and self.plan.blocks != "rare"):
            self._enter_block(newest)

    def _is_due(self, newest: int) -> bool:
        """Whether the deadline of a root has passed: mirrors know the chain, so that it cannot be hidden for ever."""
        epochs, time = self.world.state.epochs, self.world.chain.time(newest)
        return bool(epochs) and any(time > epoch.closed.deadline for epoch in epochs.values())

    def _tries(self, newest: int) -> None:
        """Blocks that the machine must refuse: beyond a beacon, or older than the last one."""
        chain = self.world.chain
        ahead = [chain.tick_of(time) for time in self.beacons.values() if chain.tick_of(time) < newest]
        number = max(ahead, default=0) + 1 if self.plan.blocks == "past" else chain.last - 2
        if chain.exists(number) and 3 < number <= newest and (ahead or self.plan.blocks == "again"):
            kept = (list(chain.waiting), chain.last)
            code = self._try(Message(chain.block(number), "operator"))
            if code or self.plan.blocks == "again":
                chain.waiting, chain.last = kept

    def _enter_block(self, number: int) -> None:
        """Never over a beacon: the machine would refuse it."""
        chain = self.world.chain
        for time in self.beacons.values():
            number = min(number, chain.tick_of(time)) if chain.tick_of(time) > chain.last else number
        if number > chain.last:
            self.apply(self.forger.block(chain.block(number)))


def _meets(drop: object, message: Message) -> bool:
    party, kind = drop.party, drop.kind  # type: ignore[attr-defined]
    return (not party or party == message.sender or party == getattr(message.fact, "proof", "").split("/")[-1]) and (
        not kind or kind == type(message.fact).__name__
    )
