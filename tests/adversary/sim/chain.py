"""The chain: a block at most ticks, final some ticks later, with what holders and contracts said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.protocol.judge import chain_events
from contracts.protocol.judge.chain_events import ChainEvent
from contracts.protocol.judge.facts import Block
from tests.adversary.sim.plan import Plan, mix

if TYPE_CHECKING:
    from tests.adversary.sim.world import World

START = 1_700_000_000
LEAST_STAKE = 100


class Chain:
    """Block numbers are ticks; now and then a tick has none."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.plan: Plan = world.plan
        self.gap = self.plan.roll(7, "gap")
        self.waiting: list[tuple[int, ChainEvent]] = [(1, event) for event in _genesis(self.plan)]
        self.last = 0

    def exists(self, number: int) -> bool:
        """Whether there is a block at that tick."""
        return number < 3 or number % 9 != self.gap

    def time(self, tick: int) -> int:
        """Chain time at a tick."""
        return START + self.plan.seconds * tick

    def tick_of(self, time: int) -> int:
        """The tick of the first block at or after a time."""
        number = max(0, -(-(time - START) // self.plan.seconds))
        return number if self.exists(number) else number + 1

    def newest_final(self, tick: int) -> int:
        """Number of the newest final block."""
        for start, end in self.plan.stalls:
            tick = start if start <= tick < end else tick
        number = tick - self.plan.finality
        return number if self.exists(number) else number - 1

    def stands(self, tick: int) -> bool:
        """Whether nothing becomes final at that tick."""
        return any(start <= tick < end for start, end in self.plan.stalls)

    def stood(self, now: int) -> int:
        """Ticks so far in which nothing became final."""
        return sum(max(0, min(end, now) - start) for start, end in self.plan.stalls)

    def head_time(self, tick: int, lag: int) -> int:
        """The time of the newest block in the eyes of a chain node that lags."""
        number = tick - lag
        return self.time(number if self.exists(number) else number - 1)

    def say(self, event: ChainEvent, tick: int) -> None:
        """Something that the block of a tick says."""
        number = tick if self.exists(tick) else tick + 1
        self.waiting.append((number, event))

    def block(self, number: int) -> Block:
        """The block, with all that was said since the last entered one."""
        said = tuple(event for at, event in self.waiting if at <= number)
        self.waiting = [entry for entry in self.waiting if entry[0] > number]
        self.last = number
        parent = number - 1 if self.exists(number - 1) else number - 2
        return Block(number, self.time(number), self.hash(number), said, self.time(parent))

    def hash(self, number: int) -> str:
        """The hash of a block."""
        return f"block-{number}-{mix(f'{self.plan.seed} {number}'):08x}"


def _genesis(plan: Plan) -> list[ChainEvent]:
    events: list[ChainEvent] = [chain_events.Quorum(plan.k, LEAST_STAKE)]
    events += [chain_events.VerifierStands(verifier.name, True, verifier.stake) for verifier in plan.verifiers]
    return events + [chain_events.NodeStake(node.name, node.stake) for node in plan.nodes]
