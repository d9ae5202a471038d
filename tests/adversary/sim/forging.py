"""What a dishonest operator writes instead: altered derived entries, false blocks, two logs; and how it is found."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from contracts.ids import as_address
from contracts.protocol.judge.entries import Derived, Posted
from contracts.protocol.judge.errors import Differs
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.machine import replay
from tests.adversary.history import Deviation
from tests.adversary.sim.plan import NEVER

if TYPE_CHECKING:
    from tests.adversary.sim.world import World


class Forger:
    """Writes one altered entry, or shows two logs from one tick on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.plan = world.plan.operator
        self.seen = 0
        self.done = False
        self.audited = 0

    def written(self, derived: list[Derived]) -> list[Derived]:
        """What is stored of these."""
        change = self.plan.change
        if change is None or self.done:
            return derived
        for place, entry in enumerate(derived):
            self.seen += type(entry).__name__ == change.entry
            if self.seen == change.nth:
                self.done = True
                return self._altered(derived, place)
        return derived

    def _altered(self, derived: list[Derived], place: int) -> list[Derived]:
        how, entry = self._possible(derived, place)
        index = len(self.world.history.entries) + place
        before, after = derived[:place], derived[place + 1 :]
        stored = {
            "omitted": [],
            "extra": [entry, _invented(entry)],
            "swapped": [*after[:1], entry],
            "changed": [_changed(entry, self.world.plan.roll(100, "change"))],
        }[how]
        self._note(how, index + (how == "extra"), f"{entry}", tuple(derived))
        return before + stored + (after[1:] if how == "swapped" else after)

    def _possible(self, derived: list[Derived], place: int) -> tuple[str, Derived]:
        entry = derived[place]
        how = self.plan.change.how if self.plan.change else "omitted"
        alone = place + 1 == len(derived) or derived[place + 1] == entry
        return ("omitted" if how == "swapped" and alone else how), entry

    def _note(self, how: str, index: int, detail: str, due: tuple[Derived, ...]) -> None:
        deviation = Deviation(how, index, detail, due=due)
        self.world.history.deviations.append(deviation)
        for verifier in self.world.honest:
            self.world.at(verifier.when(), self._audit, verifier, deviation)

    def _audit(self, verifier: Any, deviation: Deviation) -> None:
        """A replica that comes to an entry which does not follow goes no further."""
        if deviation.found or self.is_found(deviation):
            deviation.found = True
            verifier.halted = True
        else:
            self.world.at(verifier.there(self.world.tick + 1), self._audit, verifier, deviation)

    def is_found(self, deviation: Deviation) -> bool:
        """Whether an audit of the stored log stops at the altered entry."""
        stored = self.world.history.entries
        if len(stored) == self.audited:
            return False
        self.audited = len(stored)
        try:
            replay(stored, self.world.functions)
        except Differs as error:
            return error.index == deviation.index
        return False

    def block(self, block: Block) -> Block:
        """A block with another hash, once: verifiers compare it with their own chain."""
        if self.plan.blocks != "false" or self.done or block.number < 4:
            return block
        self.done = True
        deviation = Deviation("changed", len(self.world.history.entries), f"block {block.number} has another hash")
        self.world.history.deviations.append(deviation)
        for verifier in self.world.honest:
            # one that has stopped at a fork still reads what the operator signs
            self.world.at(verifier.when(), self._compare, verifier, deviation)
        return replace(block, hash=block.hash + "-false")

    def _compare(self, verifier: Any, deviation: Deviation) -> None:
        deviation.found = verifier.halted = True

    def fork(self) -> None:
        """Every second honest verifier sees another log from here on; the first two that look show each other. Where
        one side goes away for good before it looks, nobody sees two logs."""
        world = self.world
        there = [verifier for verifier in world.honest if verifier.up(world.tick)]
        if len(there) < 2:
            return
        meet = max(min(verifier.when() for verifier in side) for side in (there[::2], there[1::2]))
        if meet >= NEVER:
            return
        deviation = Deviation("forked", len(world.history.entries), f"{there[1].name} sees another log")
        world.history.deviations.append(deviation)
        for verifier in there[1::2]:
            verifier.halted = True
        world.at(meet, self._meet, deviation)

    def _meet(self, deviation: Deviation) -> None:
        deviation.found = True
        for verifier in self.world.honest:
            verifier.halted = True


def _invented(entry: Derived) -> Derived:
    """The entry once more, or one that pays a friend."""
    return replace(entry, account=as_address("friend")) if isinstance(entry, Posted) else entry


def _changed(entry: Any, which: int) -> Any:
    """The entry with another value in one field."""
    named = fields(entry)
    name = named[which % len(named)].name
    return replace(entry, **{name: _other(getattr(entry, name))})


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return value[:-1] if value else ("another",)
    return f"{value}-another"
