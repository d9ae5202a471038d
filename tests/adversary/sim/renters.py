"""Renters: after an epoch has paid their nodes they hand in what the hours cost, or what they did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from contracts.ids import Address, RunId, as_address
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import EpochClosed, RoundOpened
from contracts.protocol.judge.facts import Invoiced
from tests.adversary.sim.functions import MAINTAINER
from tests.adversary.sim.plan import RenterPlan

if TYPE_CHECKING:
    from tests.adversary.sim.world import World

HOUR = 3600


class Renters:
    """All renters of one history."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hours: dict[tuple[RunId, int], int] = {}
        self.billed: dict[Address, int] = {}
        self.closed: set[int] = set()
        self.held: dict[Address, list[Invoiced]] = {}

    def on_opened(self, entry: RoundOpened) -> None:
        """The hour of a round is that of the block before its opening."""
        block = self.world.state.block
        if not self.world.plan.renters or block is None:
            return
        self.hours[entry.run, entry.round] = block.time // HOUR
        for renter in self.world.plan.renters:
            if renter.does == "early":
                self._send(renter, entry.run, entry.round, self.world.tick + 2 * self.world.plan.period)

    def on_closed(self, entry: EpochClosed) -> None:
        """When its hours are over, as the log sees it, each renter bills each round of the epoch in which it worked."""
        if not self.world.plan.renters or entry.epoch in self.closed:
            return
        self.closed.add(entry.epoch)
        for number in range(entry.first_round, entry.last_round + 1):
            over = (self.hours[entry.run, number] + 1) * HOUR
            tick = self.world.chain.tick_of(over) + self.world.plan.finality + self.world.plan.period + 1
            for renter in self.world.plan.renters:
                if self._worked(renter.node, entry.run, number) or renter.does == "foreign":
                    self._send(renter, entry.run, number, max(tick, self.world.tick + 1))

    def _worked(self, node: Address, run: RunId, number: int) -> bool:
        logged = self.world.logged(run, number)
        return any(name == node and proof in self.world.paid for proof, name in logged.items())

    def _send(self, renter: RenterPlan, run: RunId, number: int, tick: int) -> None:
        place = self.billed[renter.node] = self.billed.get(renter.node, -1) + 1
        fact = self._bill(renter, run, number, renter.amounts[place % len(renter.amounts)])
        told_now = BILLS[renter.does](renter, fact)
        if renter.does == "late":
            self.held.setdefault(renter.node, []).append(fact)
            told_now = self.held.pop(renter.node) if len(self.held[renter.node]) == 2 else []
        for told in told_now:
            named = replace(told, key=f"{told.key} {len(self.world.agenda)} {tick}")
            self.world.at(tick, self.world.network.send, named, renter.name, True, False)

    def _bill(self, renter: RenterPlan, run: RunId, number: int, amount: int) -> Invoiced:
        hour, account = self.hours[run, number], as_address(f"pay-{renter.node}")
        key = f"bill {renter.node} {run} {number}"
        machine = ("vast", f"box of {renter.node}", "bill", (renter.node,), hour, hour + 1, amount, renter.payback)
        return facts.Invoiced(run, key, renter.name, account, *machine, (MAINTAINER, renter.name, account))


def _honest(_: RenterPlan, bill: Invoiced) -> list[Invoiced]:
    return [bill]


def _named(bill: Invoiced, label: str, **changes: object) -> Invoiced:
    changed: Invoiced = replace(bill, **{"key": f"{bill.key} {label}", **changes})  # type: ignore[arg-type]
    return changed


def _twice(renter: RenterPlan, bill: Invoiced) -> list[Invoiced]:
    """A friend's hour at one's own machine, spelled otherwise, before one's own or after it; one's own at another."""
    friend = as_address(f"pay-{renter.friend}")
    signers = (MAINTAINER, renter.name, friend)
    other = _named(
        bill, "friend", machine=bill.machine.upper(), nodes=(renter.friend,), account=friend, signers=signers
    )
    again = [_named(bill, "again", machine="another"), _named(bill, "wider", machine="a third", first=bill.first - 1)]
    return [other, bill, *again] if len(bill.key) % 2 else [bill, *again, other]


def _foreign(renter: RenterPlan, bill: Invoiced) -> list[Invoiced]:
    """What is another's, or what somebody did not sign; one's own at last."""
    friend = as_address(f"pay-{renter.friend}")
    both = tuple(sorted({renter.node, renter.friend}))
    strange = tuple(sorted((renter.node, as_address("n9"))))
    return [
        _named(bill, "key", machine="x", nodes=(renter.friend,)),
        _named(bill, "keys", machine="y", nodes=both),
        _named(bill, "stranger", machine="z", nodes=strange),
        _named(bill, "account", machine="w", nodes=(renter.friend,), account=friend, signers=(MAINTAINER, renter.name)),
        _named(bill, "unseen", signers=(renter.name, bill.account)),
        _named(bill, "mine", renter=as_address("nobody"), signers=(MAINTAINER, bill.account)),
        _named(bill, "self", renter=MAINTAINER, signers=(MAINTAINER, bill.account)),
        bill,
    ]


def _early(_: RenterPlan, bill: Invoiced) -> list[Invoiced]:
    """Also for the hour that is not over."""
    return [_named(bill, "longer", machine="x", end=bill.end + 1), bill]


BILLS: dict[str, Callable[[RenterPlan, Invoiced], list[Invoiced]]] = {
    "honest": _honest,
    "twice": _twice,
    "foreign": _foreign,
    "early": _early,
    "late": _honest,
}
