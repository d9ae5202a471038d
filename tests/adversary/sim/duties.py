"""What each derived entry asks of whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.ids import Address, ProofId, as_address
from contracts.protocol.judge import entries as e
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import Derived

if TYPE_CHECKING:
    from tests.adversary.sim.world import World


class Duties:
    """One handler a kind of entry; kinds without one ask for nothing."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.handlers: dict[type[Derived], Any] = {
            e.RoundOpened: self._opened,
            e.RoundClosed: self._closed,
            e.BeaconFixed: self._fixed,
            e.BeaconMissed: self._missed,
            e.PanelDrawn: self._panel,
            e.SeatsFilled: self._filled,
            e.Drawn: self._drawn,
            e.OpeningsClosed: self._openings_closed,
            e.BenchCalled: self._called,
            e.MergeSet: self._merge_set,
            e.EpochClosed: self._epoch_closed,
            e.EpochEnded: world.epochs.on_ended,
            e.FaultDerived: self._node_fault,
            e.VerifierFault: self._verifier_fault,
            e.Lapsed: self._lapsed,
            e.Posted: self._posted,
            e.RunOver: self._over,
        }

    def on(self, entry: Derived, index: int) -> None:
        """Give its duties to everybody whom an entry concerns."""
        handler = self.handlers.get(type(entry))
        if handler is not None:
            handler(entry, index)

    def _opened(self, entry: e.RoundOpened, index: int) -> None:
        world = self.world
        world.rounds[entry.run, entry.round] = entry
        world.history.tokens[entry.run, entry.round] = world.functions.tokens(entry.config)
        world.opened_at[entry.run, entry.round] = world.tick
        world.renters.on_opened(entry)
        for verifier in world.verifiers.values():
            if verifier.plan.anchors == entry.round:
                verifier.later(verifier.anchor_anew, entry.run, entry.round)
        for listed in entry.nodes:
            if listed.node in world.nodes:
                world.nodes[listed.node].begin(entry, listed)

    def _epoch_closed(self, entry: e.EpochClosed, index: int) -> None:
        self.world.epochs.on_closed(entry, index)
        self.world.renters.on_closed(entry)

    def _closed(self, entry: e.RoundClosed, index: int) -> None:
        if not entry.proofs:
            return
        self._await_beacon(entry.run, entry.round, entry.beacon_time)
        for verifier in self.world.verifiers.values():
            verifier.later(verifier.see, entry, index)

    def _fixed(self, entry: e.BeaconFixed, index: int) -> None:
        self.world.operator.beacons.pop((entry.run, entry.round), None)

    def _missed(self, entry: e.BeaconMissed, index: int) -> None:
        """Where blocks are kept back nobody may be able to see anything in time: the operator stops the round."""
        self.world.history.stopped += self.world.plan.operator.blocks != "fresh"
        self.world.operator.missed += 1
        self._await_beacon(entry.run, entry.round, entry.beacon_time)
        for verifier in self.world.verifiers.values():
            verifier.later(verifier.see, entry, index)

    def _await_beacon(self, run: str, number: int, time: int) -> None:
        world = self.world
        world.operator.beacons[run, number] = time
        world.history.beacons[time] = world.chain.hash(world.chain.tick_of(time))

    def _panel(self, entry: e.PanelDrawn, index: int) -> None:
        world, work = self.world, self.world.history.work[entry.proof]
        world.operator.beacons.pop((work.run, work.round), None)
        world.panels[entry.proof], world.panel_at[entry.proof] = entry, index
        if entry.audited:
            segments = world.plan.segments
            world.common[entry.proof] = world.functions.common_segment(entry.beacon, entry.proof, segments)
            self._seat(entry.proof, entry.seats)
            for verifier in world.verifiers.values():
                if verifier.plan.secret == "unasked":
                    verifier.later(verifier.show_secret, work.run, work.round)

    def _filled(self, entry: e.SeatsFilled, index: int) -> None:
        self._seat(entry.proof, entry.verifiers)

    def _seat(self, proof: ProofId, names: tuple[Address, ...]) -> None:
        world, work = self.world, self.world.history.work[proof]
        plan, beacon = world.plan, world.panels[proof].beacon
        for name in names:
            verifier = world.verifiers[name]
            verifier.later(verifier.show_secret, work.run, work.round)
            secret = verifier.secret(work.run, work.round)
            drawn = world.functions.draw(beacon, secret, proof, plan.segments, plan.samples)
            world.history.draws[proof, name] = drawn

    def _drawn(self, entry: e.Drawn, index: int) -> None:
        self.world.drawn[entry.proof, entry.verifier] = entry.segments
        self.world.node_of(entry.proof).open(entry.proof, entry.verifier, entry.segments)

    def _openings_closed(self, entry: e.OpeningsClosed, index: int) -> None:
        segments = self.world.drawn[entry.proof, entry.verifier]
        verifier = self.world.verifiers[entry.verifier]
        verifier.must_read(entry.proof, segments)

    def _called(self, entry: e.BenchCalled, index: int) -> None:
        for name in entry.members:
            verifier = self.world.verifiers[name]
            if entry.segment not in verifier.said.get(entry.proof, ()):
                verifier.must_read(entry.proof, (entry.segment,))

    def _merge_set(self, entry: e.MergeSet, index: int) -> None:
        self.world.merge_at[entry.run, entry.round] = index
        if entry.proofs:
            for verifier in self.world.verifiers.values():
                verifier.later(verifier.merge, entry)

    def _posted(self, entry: e.Posted, index: int) -> None:
        self.world.paid.add(entry.proof)
        self.world.note_shown(self.world.history.work[entry.proof])

    def _node_fault(self, entry: e.FaultDerived, index: int) -> None:
        if entry.costs_stake:
            self.world.epochs.faults.append((index, entry))

    def _verifier_fault(self, entry: e.VerifierFault, index: int) -> None:
        self.world.epochs.faults.append((index, entry))

    def _lapsed(self, entry: e.Lapsed, index: int) -> None:
        world, awaited = self.world, entry.awaited
        verifier = world.verifiers.get(as_address(awaited.party))
        if verifier is not None:
            verifier.later(verifier.come_back, awaited.run, index)
        elif awaited.what is facts.What.COMMITMENT:
            node = world.nodes.get(as_address(awaited.party))
            says = len(world.nodes) == 1 or world.plan.roll(2, "says so", awaited.party)
            if node is not None and node.plan.commit != "never" and says:
                back = facts.Returned(awaited.run, node.name, index + 1)
                world.at(world.tick + world.plan.period, world.network.send, back, node.name)

    def _over(self, entry: e.RunOver, index: int) -> None:
        self.world.over.add(entry.run)
