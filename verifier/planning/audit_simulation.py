"""Rational cheats against the real draw and the real rate rule: does any way of cheating pay at the plan's stake?

Three independent answers, which must agree with the formulas of `verifier/planning/audit_plan.py`:

- `play` runs nodes with a strategy, round by round, over random beacons, proof ids and links, through `is_audited`,
  `draw_segments` and `AuditRecord`, and measures what a faked round earned;
- `best_gain` finds the best plan of all by dynamic programming over every record and every number of faked segments;
- `measure_detection` counts how often an audit sees a fake.

Amounts are in the plan's unit. Randomness comes from a numpy Generator with a given seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import numpy as np

from contracts.protocol.audit_rate import MILLION, AuditRecord, ProofOutcome, is_audited
from contracts.protocol.draw import draw_segments
from verifier.planning.audit_plan import AuditPlan, InvalidAuditPlan


@dataclass(frozen=True)
class Strategy:
    """Fake `faked` segments in a share `frequency` of the rounds, until caught.

    `record`: work honestly until the audit rate is at its floor, then begin. `leaves`: go for good after one cheat.
    """

    faked: int
    frequency: float = 1.0
    record: bool = True
    leaves: bool = False


@dataclass(frozen=True)
class Estimate:
    """A measured mean and the half-width of its 95 % confidence interval."""

    mean: float
    half_width: float


@dataclass(frozen=True)
class Plays:
    """Plays of nodes with one strategy, one entry a node: faked rounds, their earnings before slashing, caught or not.

    A node is caught at most once, so the same plays can be scored at any stake.
    """

    plan: AuditPlan
    faked_rounds: np.ndarray
    earned: np.ndarray
    caught: np.ndarray

    def profit(self, stake: Fraction) -> Estimate:
        """Mean profit of a faked round by itself (demand 2 of the plan: below 0)."""
        return self._per_faked_round(self.earned - float(stake) * self.caught)

    def gain(self, stake: Fraction) -> Estimate:
        """Mean profit of a faked round less that of an honest one (demand 1 of the plan: below 0)."""
        honest = float(self.plan.reward - self.plan.cost)
        return self._per_faked_round(self.earned - honest * self.faked_rounds - float(stake) * self.caught)

    def _per_faked_round(self, totals: np.ndarray) -> Estimate:
        """A ratio of sums over independent nodes; its error by the delta method."""
        mean = float(totals.sum() / self.faked_rounds.sum())
        rest = totals - mean * self.faked_rounds
        return Estimate(mean, 1.96 * float(np.sqrt((rest**2).sum()) / self.faked_rounds.sum()))


@dataclass(frozen=True)
class Detection:
    """How many of `audits` saw one of `faked` faked segments, and the exact probability of that."""

    faked: int
    audits: int
    hits: int
    exact: float

    def interval(self, z: float) -> tuple[float, float]:
        """Wilson's binomial interval for the measured share, `z` standard deviations to each side."""
        n = self.audits
        share = self.hits / self.audits
        middle = share + z * z / (2 * n)
        scale = 1 + z * z / n
        half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)

    def agrees(self, z: float) -> bool:
        """Whether the exact probability lies in the measured interval."""
        low, high = self.interval(z)
        return low - 1e-12 <= self.exact <= high + 1e-12


def play(plan: AuditPlan, strategy: Strategy, faked_rounds: int, horizon: int, rng: np.random.Generator) -> Plays:
    """Nodes with `strategy`, each for at most `horizon` rounds, until together they have faked `faked_rounds`."""
    _require_real_draw(plan)
    start = build_record(plan, rng)[0] if strategy.record else AuditRecord()
    faked: list[int] = []
    caught: list[bool] = []
    played = 0
    while played < faked_rounds:
        rounds, seen = _one_node(plan, strategy, start, horizon, rng)
        faked.append(rounds)
        caught.append(seen)
        played += rounds
    each = np.array(faked, dtype=np.float64)
    lost = np.array(caught, dtype=np.float64)
    spent = float(plan.cost) * (1 - strategy.faked / plan.segments)
    return Plays(plan, each, float(plan.reward) * (each - lost) - spent * each, lost)


def build_record(plan: AuditPlan, rng: np.random.Generator) -> tuple[AuditRecord, int]:
    """A new node works honestly until its rate is at the floor: its record then, and the rounds that it took."""
    record = AuditRecord()
    rounds = 0
    while record.rate_ppm(plan.policy) > plan.policy.floor_ppm:
        record = record.after(outcome_of(plan, record, 0, rng), plan.policy)
        rounds += 1
    return record, rounds


def outcome_of(plan: AuditPlan, record: AuditRecord, faked: int, rng: np.random.Generator) -> ProofOutcome:
    """One round of a node with that record: the log's outcome of its proof once beacon and draws are known."""
    beacon = rng.bytes(32)
    proof = rng.bytes(32)
    if not is_audited(beacon, proof, record.rate_ppm(plan.policy)):
        return ProofOutcome.UNAUDITED
    return (
        ProofOutcome.VOIDED
        if faked and audit_sees(plan, beacon, proof, faked, plan.quorum, rng)
        else ProofOutcome.POSTED
    )


def audit_sees(
    plan: AuditPlan, beacon: bytes, proof: bytes, faked: int, readers: int, rng: np.random.Generator
) -> bool:
    """Whether one of `readers` verifiers, each with a link of its own, draws one of `faked` segments."""
    fakes = set(rng.permutation(plan.segments)[:faked].tolist())
    draws = (draw_segments(beacon, rng.bytes(32), proof, plan.segments, plan.samples) for _ in range(readers))
    return any(not fakes.isdisjoint(drawn) for drawn in draws)


def measure_detection(plan: AuditPlan, faked: int, readers: int, audits: int, rng: np.random.Generator) -> Detection:
    """Audits of proofs with `faked` faked segments: how many saw one."""
    _require_real_draw(plan)
    hits = sum(audit_sees(plan, rng.bytes(32), rng.bytes(32), faked, readers, rng) for _ in range(audits))
    return Detection(faked, audits, hits, float(plan.seen(faked, readers)))


def best_gain(plan: AuditPlan, stake: Fraction, rounds: int) -> float:
    """The most that any plan of `rounds` rounds gains on average over honest work: 0 when no cheat pays.

    Dynamic programming from the last round back: at every record the node fakes the best number of segments, from none
    to all. A node that is caught pays the stake, finds another one and goes on with the record that it then has.
    """
    records = list(_records(plan))
    index = {record: i for i, record in enumerate(records)}
    rate = np.array([record.rate_ppm(plan.policy) / MILLION for record in records])
    posted = np.array([index[record.after(ProofOutcome.POSTED, plan.policy)] for record in records])
    voided = np.array([index[record.after(ProofOutcome.VOIDED, plan.policy)] for record in records])
    counts = range(plan.segments + 1)
    seen = np.array([float(plan.seen(c)) for c in counts])
    saved = np.array([float(plan.cost) * c / plan.segments for c in counts])
    caught = np.outer(rate, seen)
    now = saved - caught * float(plan.reward + stake)
    value = np.zeros(len(records))
    for _ in range(rounds):
        passed = (rate[:, None] - caught) * value[posted][:, None] + (1 - rate[:, None]) * value[:, None]
        value = (now + passed + caught * value[voided][:, None]).max(axis=1)
    return float(value[index[AuditRecord()]])


def _one_node(
    plan: AuditPlan, strategy: Strategy, record: AuditRecord, horizon: int, rng: np.random.Generator
) -> tuple[int, bool]:
    """Rounds that one node faked, and whether the last of them was seen."""
    faked = 0
    for cheat in rng.random(horizon) < strategy.frequency:
        if not cheat and record.after(ProofOutcome.POSTED, plan.policy) == record:
            continue  # an honest round at the floor: the record stays, audited or not
        outcome = outcome_of(plan, record, strategy.faked if cheat else 0, rng)
        faked += bool(cheat)
        if outcome is ProofOutcome.VOIDED or (cheat and strategy.leaves):
            return faked, outcome is ProofOutcome.VOIDED
        record = record.after(outcome, plan.policy)
    return faked, False


def _records(plan: AuditPlan) -> Iterator[AuditRecord]:
    """Every record that a node can have."""
    yield from (AuditRecord(accepted) for accepted in range(plan.policy.accepts_to_floor + 1))
    yield from (AuditRecord(0, owed) for owed in range(1, plan.policy.probation + 1))


def _require_real_draw(plan: AuditPlan) -> None:
    if plan.common != 1:
        raise InvalidAuditPlan("draw_segments has exactly one common segment, so only that can be played")
