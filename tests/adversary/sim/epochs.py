"""Epochs and slashes: who signs a root, what the chain makes of it, and what a fault costs then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.ids import Address
from contracts.protocol.judge import chain_events
from contracts.protocol.judge.entries import EpochClosed, EpochEnded, FaultDerived, VerifierFault

if TYPE_CHECKING:
    from tests.adversary.sim.world import World

SLASH = 150


class Epochs:
    """The contracts' side of an epoch."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.signed: dict[tuple[int, int, str], set[str]] = {}
        self.proposed: set[tuple[int, int]] = set()
        self.struck: set[int] = set()
        self.closings: dict[tuple[int, int], int] = {}
        self.ended: set[int] = set()
        self.faults: list[tuple[int, FaultDerived | VerifierFault]] = []
        self.limit: int | None = None
        self.stakes = {node.name: node.stake for node in world.plan.nodes}
        self.stakes |= {verifier.name: verifier.stake for verifier in world.plan.verifiers}

    def on_closed(self, entry: EpochClosed, index: int) -> None:
        """Verifiers sign it when their replicas derive it and nothing that they hold is missing."""
        self.closings[entry.epoch, entry.attempt] = index
        for verifier in self.world.verifiers.values():
            verifier.later(verifier.sign_epoch, entry)

    def sign(self, verifier: str, entry: EpochClosed) -> None:
        """With k signatures, before its deadline and below the limit, the root goes to the chain."""
        key = (entry.epoch, entry.attempt, entry.root)
        signers = self.signed.setdefault(key, set())
        signers.add(verifier)
        world, now = self.world, self.world.tick
        fits = self.limit is None or entry.total <= self.limit
        timely = world.chain.time(now) <= entry.deadline
        known = (entry.epoch, entry.attempt) in self.proposed
        if len(signers) < world.plan.k or known or not fits or not timely:
            return
        self.proposed.add((entry.epoch, entry.attempt))
        self._decide(entry, now, world.plan.window)

    def _decide(self, entry: EpochClosed, now: int, window: int) -> None:
        """What holders and the chain make of a proposed root; a dispute lapses after two windows."""
        chain, plan = self.world.chain, self.world.plan
        if (entry.epoch, entry.attempt) in plan.lapses:
            chain.say(chain_events.EpochLapsed(entry.epoch, entry.attempt), now + 2 * window)
        elif entry.epoch in plan.strikes and entry.epoch not in self.struck:
            self.struck.add(entry.epoch)
            chain.say(chain_events.EpochStruck(entry.epoch, entry.attempt), now + window // 2)
        else:
            root = "another root" if entry.epoch in plan.foreign else entry.root
            chain.say(chain_events.EpochFinal(entry.epoch, entry.attempt, root), now + window)

    def on_ended(self, entry: EpochEnded, index: int) -> None:
        """Faults that stand before a final epoch's closing entry are signed, and cost stake."""
        self.ended.add(entry.epoch)
        covered = max(at for (epoch, _), at in self.closings.items() if epoch == entry.epoch)
        for at, fault in [found for found in self.faults if found[0] < covered]:
            self.faults.remove((at, fault))
            self._slash(fault)

    def _slash(self, fault: FaultDerived | VerifierFault) -> None:
        world, tick = self.world, self.world.tick + 2
        if isinstance(fault, FaultDerived):
            self.stakes[fault.node] = max(0, self.stakes[fault.node] - world.plan.node_stake)
            world.chain.say(chain_events.NodeStake(fault.node, self.stakes[fault.node]), tick)
            world.chain.say(chain_events.NodeSlashed(fault.proof), tick)
        else:
            name = fault.verifier
            self.stakes[name] = max(0, self.stakes[name] - SLASH)
            admitted = all(name != gone for _, gone in world.plan.exits)
            world.chain.say(chain_events.VerifierStands(name, admitted, self.stakes[name], slashed=True), tick)

    def leave(self, verifier: Address) -> None:
        """Governance, or itself, takes a verifier off the list."""
        self.world.chain.say(chain_events.VerifierStands(verifier, False, self.stakes[verifier]), self.world.tick)

    def set_limit(self, total: int) -> None:
        """Holders change what an epoch may pay at most."""
        self.limit = total
        self.world.chain.say(chain_events.EpochLimit(total), self.world.tick)
