"""Mirrors: what the server does not take goes to verifiers, which hand it on (J1); who reaches enough of them (J3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import Awaited, Fact, What
from tests.adversary.history import Deviation
from tests.adversary.sim.ground import grounded

if TYPE_CHECKING:
    from tests.adversary.sim.verifier import Verifier
    from tests.adversary.sim.world import World


@dataclass(slots=True, eq=False)
class Message:
    """A fact on its way."""

    fact: Fact
    sender: str
    ready: int = 0
    tries: int = 0
    mirrored: bool = True
    taken: int = 0
    """Tick at which the operator said that it has it."""
    harmless: bool = False
    """A stranger's: whatever it does to the log is wrong."""


class Network:
    """What floats between mirrors and is not in the log."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.floating: list[Message] = []
        self.dropped: list[Message] = []
        self.short: dict[str, list[int]] = {}
        """By verifier, for each tick: how many looks before it did not count."""
        plans = world.plan.verifiers
        self.calm = all(not (p.away or p.cut or p.vanishes) and (p.serves or not p.corrupt) for p in plans)
        n, k = len(plans), world.plan.k
        self.need = k - 1 if n == 2 * k - 1 else n - k

    def send(self, fact: Fact, sender: str, server: bool = True, mirrors: bool = True, harmless: bool = False) -> bool:
        """Say something to the server, and to mirrors where it does not take it; returns whether it does."""
        message = Message(grounded(self.world, fact), sender, mirrored=mirrors, harmless=harmless)
        taken = server and self.world.operator.take(message)
        if mirrors and not taken:
            self.world.at(self.world.tick + 1, self.float, message)
        return taken

    def float(self, message: Message) -> None:
        """It reaches an honest mirror, or waits until there is one."""
        world = self.world
        if not self.someone(world.tick):
            world.at(world.tick + 2, self.float, message)
            return
        self.floating.append(message)
        world.at(world.tick + 1, self.hand_on, message)

    def hand_on(self, message: Message) -> None:
        """An honest verifier posts to the server what the log lacks."""
        world, operator = self.world, self.world.operator
        if operator.is_stopped(world.tick) or not self.someone(world.tick):
            world.at(world.tick + 1, self.hand_on, message)
        elif operator.refuses_mirrors(message):
            self.dropped.append(message)
            found = Deviation("dropped", len(world.history.entries), f"{message.sender}: {message.fact}")
            world.history.deviations.append(found)
            world.at(world.tick + 1, self.name_it, found)
        else:
            operator.take_from_mirror(message)

    def name_it(self, deviation: Deviation) -> None:
        """An honest verifier sees that the log still lacks what it handed on."""
        if self.someone(self.world.tick):
            deviation.found = True
        else:
            self.world.at(self.world.tick + 2, self.name_it, deviation)

    def someone(self, tick: int) -> bool:
        """Whether an honest verifier is there."""
        return any(verifier.up(tick) for verifier in self.world.honest)

    def landed(self, message: Message) -> None:
        """The log has it, or refuses it for good."""
        if message in self.floating:
            self.floating.remove(message)

    def floats(self, awaited: Awaited) -> bool:
        """Whether mirrors have what is awaited, though the log has not: also what the operator took and does not enter,
        since its sender sees that the log lacks it."""
        late = (m for m in self.world.operator.inbox if m.mirrored and m.taken + 2 <= self.world.tick)
        return any(_answers(message.fact, awaited) for message in (*self.floating, *late))

    def short_looks(self, verifier: Verifier, start: int, end: int) -> int:
        """Ticks in which the verifier's look did not count."""
        if self.calm and not self.world.plan.operator.stops and not self.world.plan.stalls:
            return 0
        sums = self.short.setdefault(verifier.name, [0])
        while len(sums) <= end:
            sums.append(sums[-1] + (not self.counts(verifier, len(sums) - 1)))
        return sums[end] - sums[start]

    def counts(self, verifier: Verifier, tick: int) -> bool:
        """Whether log, chain and enough other mirrors answered."""
        if (
            self.world.operator.is_dark(tick)
            or self.world.chain.stands(tick)
            or not verifier.up(tick)
            or verifier.is_cut(tick)
        ):
            return False
        others = self.world.verifiers.values()
        return sum(v is not verifier and v.plan.serves and v.up(tick) for v in others) >= self.need


def _answers(fact: Fact, awaited: Awaited) -> bool:
    what = awaited.what
    if isinstance(fact, facts.Committed):
        named = (fact.run, fact.round, fact.node)
        return what is What.COMMITMENT and named == (awaited.run, awaited.round, awaited.party)
    if isinstance(fact, facts.Has):
        return what is What.COMMITMENT and (fact.run, fact.round) == (awaited.run, awaited.round)
    if isinstance(fact, facts.Seen):
        return what is What.SEEN and (fact.run, fact.round) == (awaited.run, awaited.round)
    if isinstance(fact, facts.Secret):
        named = (fact.run, fact.round, fact.verifier)
        return what is What.SECRET and named == (awaited.run, awaited.round, awaited.party)
    return getattr(fact, "proof", None) == awaited.proof and (
        (isinstance(fact, facts.Opened) and what is What.OPENINGS)
        or (isinstance(fact, facts.PledgeOpened) and what is What.PLEDGE)
        or (isinstance(fact, facts.Words) and what is What.WORDS and fact.verifier == awaited.party)
        or (isinstance(fact, facts.Words) and what is What.SECOND_LOOK)
        or (isinstance(fact, facts.TraceShown) and what is What.TRACE and fact.verifier == awaited.party)
    )
