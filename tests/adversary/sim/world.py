"""The world of one history: time, everybody in it, and the log that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.ids import Address, ProofId, RunId, as_address
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import BeaconMissed, EpochClosed, PanelDrawn, RoundOpened
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.judge.machine import VERSION
from contracts.protocol.judge.state import State
from tests.adversary.history import Entry, History, Work
from tests.adversary.sim.chain import Chain
from tests.adversary.sim.corrupt import Corrupt
from tests.adversary.sim.duties import Duties
from tests.adversary.sim.epochs import Epochs
from tests.adversary.sim.functions import MAINTAINER, UNIT, Cheap, anchor_text, configuration
from tests.adversary.sim.network import Network
from tests.adversary.sim.node import Node
from tests.adversary.sim.noise import Noise
from tests.adversary.sim.operator import Operator
from tests.adversary.sim.plan import NEVER, Plan
from tests.adversary.sim.renters import Renters
from tests.adversary.sim.strategies import make
from tests.adversary.sim.verifier import Verifier

LONGEST = 3_000
"""Ticks: honest verifiers that the operator keeps from every beacon wait for ever."""
QUIET = 24
"""Periods without a new entry but blocks, and roots closed anew, after which nothing more is expected."""
EMISSION = 1_000


def simulate(seed: int, strategy: str | None = None) -> History:
    """The history of a seed."""
    return play(make(seed, strategy))


def play(plan: Plan) -> History:
    """The history of a plan."""
    return World(plan).run()


class World:
    """A simulated world: all parties, the chain and the network, with an agenda of their actions."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tick = 0
        self.agenda: dict[int, list[tuple[Callable[..., object], tuple[Any, ...]]]] = {}
        self.functions = Cheap()
        self.state = State(self.functions)
        self.history = _history(plan)
        self.rounds: dict[tuple[RunId, int], RoundOpened] = {}
        self.opened_at: dict[tuple[RunId, int], int] = {}
        self.commitments: dict[tuple[RunId, int], dict[ProofId, Address]] = {}
        self.panels: dict[ProofId, PanelDrawn] = {}
        self.panel_at: dict[str, int] = {}
        self.merge_at: dict[tuple[RunId, int], int] = {}
        self.common: dict[str, int] = {}
        self.drawn: dict[tuple[str, str], tuple[int, ...]] = {}
        self.known: dict[Awaited, int] = {}
        self.gone: dict[tuple[Awaited, int], int] = {}
        self.holders: dict[str, int] = {}
        self.holding: dict[tuple[int, str, str, int], list[Work]] = {}
        self.paid: set[str] = set()
        self.over: set[str] = set()
        self.busy = 0
        self.noisy = max((noise.tick for noise in plan.noise), default=0)
        self.chain = Chain(self)
        self.operator = Operator(self)
        self.verifiers = {p.name: (Corrupt if p.corrupt else Verifier)(self, p) for p in plan.verifiers}
        self.honest = [verifier for verifier in self.verifiers.values() if not verifier.plan.corrupt]
        self.network = Network(self)
        self.nodes = {node.name: Node(self, node) for node in plan.nodes}
        self.epochs = Epochs(self)
        self.renters = Renters(self)
        self.duties = Duties(self)

    def at(self, tick: int, action: Callable[..., object], *args: Any) -> None:
        """Do something at a later tick."""
        if tick < NEVER:
            self.agenda.setdefault(max(tick, self.tick + 1), []).append((action, args))

    def run(self) -> History:
        """Play until everything has ended, or nothing more happens."""
        self.tick = 1 + self.plan.finality
        self._begin()
        self.watch()
        quiet = QUIET * self.plan.period
        while not self._is_over() and self.tick < min(self.busy + quiet, LONGEST):
            self.tick += 1
            for action, args in self.agenda.pop(self.tick, ()):
                action(*args)
            self.operator.flush()
        return self._finished()

    def _is_over(self) -> bool:
        if not self._has_ended():
            return False
        waits = self.tick < self.noisy or self.chain.waiting or self.network.floating or self.operator.inbox
        return not waits and all(deviation.found for deviation in self.history.deviations)

    def _has_ended(self) -> bool:
        return len(self.over) == self.plan.runs and len(self.epochs.ended) == self.state.epoch

    def _finished(self) -> History:
        history = self.history
        for work in history.work.values():
            if work.proof not in self.paid:
                self.note_shown(work)
        history.ended = self.tick
        history.chain_stood = self.chain.stood(self.tick)
        history.complete = self._has_ended()
        history.deserted = not self._is_someone_there()
        return history

    def _is_someone_there(self) -> bool:
        """Whether every run that goes on has a node to wait for, and enough verifiers on the chain's list."""
        able = {p.name for p in self.plan.verifiers if p.profile == "exact" or not self.plan.pairs}
        if sum(v.admitted and name in able for name, v in self.state.verifiers.items()) < 2 * self.plan.k - 1:
            return False
        runs = [run for name, run in self.state.runs.items() if name not in self.over]
        return all(any(not node.left and node.away is None for node in run.nodes.values()) for run in runs)

    def _begin(self) -> None:
        plan = self.plan
        self.operator.apply(facts.Rules(VERSION))
        self.operator.apply(self.chain.block(1))
        for number in range(plan.runs):
            self._begin_run(RunId("AB"[number]), number + 1)
        for noise in plan.noise:
            self.at(noise.tick, Noise(self).say, noise.kind)
        for sequence, (tick, key, value) in enumerate(plan.decisions, 1):
            self.chain.say(chain_events.Decided(sequence, key, value), tick)
        for tick, name in plan.exits:
            self.at(tick, self.epochs.leave, name)
        for tick, total in plan.limits:
            self.at(tick, self.epochs.set_limit, total)
        if plan.operator.fork:
            self.at(plan.operator.fork, self.operator.forger.fork)

    def _begin_run(self, run: RunId, nonce: int) -> None:
        plan, capital = self.plan, self.plan.capital
        config = configuration(plan.rounds, plan.segments, 100, 1, (UNIT, *capital) if capital else ())
        created = facts.RunCreated(
            run, as_address("creator"), nonce, _terms(plan), config, f"theta-{run}", "momentum-0", "zero"
        )
        self.operator.apply(created)
        for verifier in plan.verifiers:
            anchor = facts.Anchored(run, verifier.name, anchor_text(run, verifier.name), 40, verifier.profile, 1)
            self.operator.apply(anchor)
        for node in plan.nodes:
            if node.joins == 1:
                self.operator.apply(facts.Enrolled(run, node.name, as_address(f"pay-{node.name}"), 1, "exact", 1))
            else:
                fact = facts.Enrolled(run, node.name, as_address(f"pay-{node.name}"), node.joins, "exact", 1)
                self.at(self.tick + 6 * node.joins, self.network.send, fact, node.name)

    def write(self, entry: Entry) -> None:
        """Store an entry."""
        self.history.entries.append(entry)
        self.history.ticks.append(self.tick)
        if type(entry) is facts.Committed:
            self.commitments.setdefault((entry.run, entry.round), {})[entry.proof] = entry.node
        elif type(entry) is facts.Anchored and entry.verifier in self.verifiers:
            self.verifiers[entry.verifier].bind(entry)
        again = type(entry) is EpochClosed and (entry.epoch, entry.attempt) in self.epochs.closings
        if type(entry) not in (facts.Block, BeaconMissed) and not again:
            self.busy = self.tick

    def watch(self) -> None:
        """What is awaited since this tick, and what is not awaited any more."""
        current, known = self.state.open, self.known
        if current == known:
            return
        fresh = [(awaited, since) for awaited, since in current.items() if known.get(awaited) != since]
        for awaited, since in known.items():
            if current.get(awaited) != since:
                self.gone[awaited, since] = self.tick
        self.known = dict(current)
        if fresh:
            self._ask(fresh)

    def _ask(self, fresh: list[tuple[Awaited, int]]) -> None:
        for verifier in self.verifiers.values():
            verifier.watch(fresh)
        for awaited, _ in fresh:
            if awaited.what is What.PLEDGE:
                self.nodes[as_address(awaited.party)].pledge(awaited)
            elif awaited.what is What.TRACE:
                verifier = self.verifiers[as_address(awaited.party)]
                verifier.later(verifier.show_trace, awaited.proof)

    def logged(self, run: RunId, number: int) -> dict[ProofId, Address]:
        """The proofs of a round that the log names, with their nodes."""
        return self.commitments.get((run, number), {})

    def node_of(self, proof: ProofId) -> Node:
        """The node whose proof it is."""
        return self.nodes[self.history.work[proof].node]

    def spread(self, work: Work, holders: frozenset[str] | None) -> None:
        """A gradient goes to some mirrors, and one look later to all that reach one of these."""
        direct = {v.name: v.when() for v in self.honest if holders is None or v.name in holders}
        first = min(direct.values(), default=NEVER)
        for verifier in self.verifiers.values():
            if isinstance(verifier, Corrupt):
                given = holders is None or verifier.name in holders
                tick = verifier.when() if given else NEVER
                self.at(self.tick, verifier.committed, work)
            else:
                tick = direct.get(verifier.name) or verifier.there(first + 1 + verifier.lag)
            self._hold(tick, verifier, work)

    def _hold(self, tick: int, verifier: Verifier, work: Work) -> None:
        key = (tick, verifier.name, work.run, work.round)
        if key not in self.holding:
            self.holding[key] = []
            self.at(tick, verifier.hold, self.holding[key])
        self.holding[key].append(work)

    def note_held(self, verifier: Verifier, work: Work) -> None:
        """A verifier holds a gradient: with k steady ones in time, its node was in time."""
        if verifier.plan.steady:
            count = self.holders[work.proof] = self.holders.get(work.proof, 0) + 1
            in_time = self.tick <= self.opened_at[work.run, work.round] + self.plan.period
            work.in_time = work.in_time or (count >= self.plan.k and in_time)

    def bytes_there(self, proof: ProofId, segment: int, verifier: Verifier) -> bool:
        """Whether a verifier can have the bytes: from the node, or a look later from an honest mirror."""
        node, now = self.node_of(proof), self.tick
        own = node.gives(proof, segment, verifier.name)
        if own is not None and own <= now:
            return True
        if verifier.is_cut(now):
            return False
        others = (other for other in self.honest if other is not verifier and not other.is_cut(now))
        given = ((other, node.gives(proof, segment, other.name)) for other in others)
        return any(tick is not None and other.there(tick) < now for other, tick in given)

    def note_shown(self, work: Work) -> None:
        """Segments whose bytes an honest verifier could have by now."""
        node = self.nodes[work.node]
        for segment in range(self.plan.segments):
            given = ((verifier, node.gives(work.proof, segment, verifier.name)) for verifier in self.honest)
            if any(tick is not None and verifier.there(tick) <= self.tick for verifier, tick in given):
                work.shown.add(segment)


def _history(plan: Plan) -> History:
    honest = frozenset(verifier.name for verifier in plan.verifiers if not verifier.corrupt)
    present = frozenset(verifier.name for verifier in plan.verifiers if verifier.steady)
    names = tuple(verifier.name for verifier in plan.verifiers)
    history = History(plan.seed, plan.strategy, plan.k, names, honest, present, plan.period, plan.segments)
    history.maintainers = frozenset({MAINTAINER})
    history.capital = plan.capital
    return history


def _terms(plan: Plan) -> facts.Terms:
    first = sum(node.joins == 1 for node in plan.nodes)
    return facts.Terms(
        emission=EMISSION,
        rounds_per_epoch=plan.rounds_per_epoch,
        min_nodes=min(first, plan.places or first),
        max_nodes=plan.places or len(plan.nodes),
        panel=plan.panel,
        samples=plan.samples,
        audit_floor=plan.floor,
        node_stake=plan.node_stake,
        span=plan.seconds * (plan.finality + 9),
        root_seconds=plan.seconds * (plan.root_periods * plan.period + 10),
        behind_rounds=2,
        canaries=1,
        canary_window=4,
        exact=plan.exact,
        profiles=("exact",),
        pairs=frozenset({("exact", "exact")}) if plan.pairs else None,
    )
