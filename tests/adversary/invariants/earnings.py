"""I7: over many seeds no strategy earns more than honest work at the planned stake.

Money is counted in units of what one segment costs to compute, so an honest round costs C = its segments. Planned are a
reward R = 5 C / 4 and a stake S = C / q - R + C with q the manifest's audit floor: one round's cost more than the least
at which an honest round pays as well as a faked one. A history gives one number for those who cheat together, its
*excess*: what their proofs earn, less what computing them cost, less the stakes that they lose, plus what verifiers
that lie save by not replaying, less what honest work in the same node-rounds would have left (R - C each). A strategy
whose mean excess is above 0 by more than three standard errors breaks the invariant.

A node loses no more stakes than it has. What others lose to a cheat (their pay) is I2's; here every post earns R.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.ids import Address
from contracts.protocol.judge.chain_events import NodeStake
from contracts.protocol.judge.entries import Posted, Undecided
from contracts.protocol.judge.facts import Word
from tests.adversary.history import History, Work
from tests.adversary.invariants.core import Broken
from tests.adversary.invariants.reading import Reading

LEAST_HISTORIES = 30
ERRORS = 3.0


@dataclass(frozen=True)
class Plan:
    """Planned reward and stake, in costs of one segment."""

    segments: int
    audit_floor: int

    @property
    def reward(self) -> float:
        """R: what a posted proof earns."""
        return 1.25 * self.segments

    @property
    def stake(self) -> float:
        """S: what a node, or a verifier, loses."""
        return self.segments * 1_000_000 / max(self.audit_floor, 1) - self.reward + self.segments


@dataclass
class Account:
    """A strategy's histories so far."""

    histories: int = 0
    total: float = 0.0
    squares: float = 0.0
    best_seed: int = -1
    best: float = -math.inf

    def add(self, seed: int, excess: float) -> None:
        """Take one history in."""
        self.histories += 1
        self.total += excess
        self.squares += excess * excess
        if excess > self.best:
            self.best, self.best_seed = excess, seed

    def merge(self, other: Account) -> None:
        """Take another part of the same strategy's histories in."""
        self.histories += other.histories
        self.total += other.total
        self.squares += other.squares
        if other.best > self.best:
            self.best, self.best_seed = other.best, other.best_seed

    @property
    def mean(self) -> float:
        """Mean excess of a history."""
        return self.total / self.histories if self.histories else 0.0

    @property
    def error(self) -> float:
        """Its standard error."""
        if self.histories < 2:
            return math.inf
        variance = max(0.0, self.squares / self.histories - self.mean**2)
        return math.sqrt(variance / (self.histories - 1))


def cheating_nodes(reading: Reading) -> set[str]:
    """Nodes that computed something falsely, named a segment in a pledge, or did not serve."""
    works = reading.history.work.values()
    return {work.node for work in works if work.false or work.fake is not None or not work.serves}


def lying_verifiers(reading: Reading) -> set[Address]:
    """Verifiers that do not keep to the protocol."""
    return set(reading.history.verifiers) - reading.history.honest


def nodes_gain(reading: Reading) -> float:
    """What the proofs of cheating nodes leave beyond honest work, less the stakes that they lose."""
    cheats = cheating_nodes(reading)
    excess, faults, stakes = 0.0, Counter[str](), dict[str, float]()
    for work in reading.history.work.values():
        terms = reading.terms(work.run)
        if terms is None or work.node not in cheats or not _over(reading, work):
            continue
        plan = Plan(reading.history.segments, terms.audit_floor)
        proof = reading.proof(work.proof)
        earned = plan.reward if proof.posted is not None else 0.0
        spent = plan.segments - len(work.false)
        excess += earned - spent - (plan.reward - plan.segments)
        faults[work.node] += sum(fault.costs_stake for _, fault in proof.faults)
        stakes[work.node] = max(stakes.get(work.node, 0.0), plan.stake)
    lost = (min(count, _stakes(reading, node)) * stakes[node] for node, count in faults.items())
    return excess - sum(lost)


def _over(reading: Reading, work: Work) -> bool:
    """Its proof came to an end, or its round closed without it."""
    proof = reading.proof(work.proof)
    if any(isinstance(end, Posted | Undecided) for _, end in proof.ends) or proof.faults:
        return True
    return bool(reading.round((work.run, work.round)).closed) and not proof.closed


def _stakes(reading: Reading, node: str) -> int:
    """How many stakes a node ever had."""
    terms = [run.created[0][1].terms for run in reading.runs.values() if run.created]
    least = min((term.node_stake for term in terms if term.node_stake), default=0)
    most = max((event.stake for _, event in reading.events[NodeStake] if event.node == node), default=0)
    return most // least if least else 0


def verifiers_gain(reading: Reading) -> float:
    """What lies save in bit-exact runs, less the stakes that they cost: one a verifier and history at most.

    In bounded runs a false word costs its author no stake but its place (J12), so nothing is counted there.
    """
    liars = lying_verifiers(reading)
    exact = {name: run for name, run in reading.runs.items() if run.created and run.created[0][1].terms.exact}
    saved = 0.0
    for work in reading.history.work.values():
        for (verifier, segment), words in reading.proof(work.proof).words.items():
            lie = Word.TRUE if segment in work.false else Word.FALSE
            saved += work.run in exact and verifier in liars and words[0][1].word is lie
    guilty = {fault.verifier for run in exact.values() for _, fault in run.verifier_faults if fault.verifier in liars}
    floors = (run.created[0][1].terms.audit_floor for run in exact.values())
    return saved - len(guilty) * Plan(reading.history.segments, min(floors, default=1_000_000)).stake


@dataclass
class Earnings:
    """I7: the excess of every strategy."""

    strategies: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    parts: tuple[Callable[[Reading], float], ...] = (nodes_gain, verifiers_gain)

    def add(self, history: History) -> None:
        """Count a history in."""
        self.add_reading(Reading(history))

    def add_reading(self, reading: Reading) -> None:
        """As `add`, for who reads a history once. One in which nobody cheats, or the premise fails, counts nothing."""
        if reading.premise and (cheating_nodes(reading) or lying_verifiers(reading)):
            excess = sum(part(reading) for part in self.parts)
            self.strategies[reading.history.strategy].add(reading.history.seed, excess)

    def merge(self, other: Earnings) -> None:
        """Take what was counted elsewhere in."""
        for strategy, account in other.strategies.items():
            self.strategies[strategy].merge(account)

    def suspects(self) -> list[str]:
        """Strategies that seem to pay. Of some thousands of pairs a few do so by chance, above all where a rare stake
        that is lost has not been seen yet: who wants to know plays them again."""
        return [name for name, account in self.strategies.items() if _pays(account)]

    def check(self) -> None:
        """Raises Broken, with the seed that earned most."""
        for strategy in self.suspects():
            account = self.strategies[strategy]
            what = f"{strategy} earns {account.mean:.3f} segments a history more than honest work"
            raise Broken("I7", account.best_seed, f"{what} (standard error {account.error:.3f})")


def _pays(account: Account) -> bool:
    return account.histories >= LEAST_HISTORIES and account.mean > ERRORS * account.error
