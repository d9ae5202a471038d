"""How long each message may be missing before a verifier signs its lapse (J3), from the run's manifest.

A commitment has no period of its own, since training takes as long as it takes. A commitment lapses after one lease
without a sign of life; once it is in the log, after the time that its gradient takes, by the run's layout. However many
signs of life come, it lapses once another commitment is in and a multiple of the usual time is over. The usual time is
the time that this verifier measured of the node itself, whether it delivered since or not; for a node without a
measurement, the slowest time ever measured. Times in the log are those of blocks, which the operator enters when it
likes; and a node that is quick, or had a head start, makes no other node late. A measured time is an upper estimate, so
no outage makes a slow node look quick. No bound is longer than MOST_PERIODS, however slow the nodes are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contracts.ids import Address, as_address
from contracts.messages.for_log import RunTerms
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.judge.state import ProofState, RunState, State
from verifier.mirror.store.stopwatch import Allowed, opening_seconds
from verifier.replay.sizes import state_size, weights_size
from verifier.replica.envelopes import Collected

TIMES_NEW, TIMES_KNOWN = 2, 4
"""Multiples of the usual time: for a node without a measurement, and for a measured one."""

FIRST_PERIODS, MOST_PERIODS = 24, 240
"""Periods for a commitment: the least while its node was not measured, and the most for any node."""

Keep = Callable[[float], float]
"""Stores an absence's first bound, and returns it."""


def allowed(
    state: State, log: Collected, awaited: Awaited, passed: float, keep: Keep, took: Mapping[str, float]
) -> Allowed:
    """Bounds of an absence that has lasted `passed` seconds; `took` has the seconds that this verifier measured of the
    run's nodes, each at most for its newest commitment."""
    run = state.runs[awaited.run]
    terms = log.terms[awaited.run]
    if awaited.what is What.COMMITMENT:
        return _commitment(run, terms, awaited, passed, keep, took)
    if awaited.what is What.OPENINGS:
        proof = state.proofs[awaited.proof]
        asked_bytes = _boundaries(proof) * state_size(state.round_of(proof).config)
        return Allowed(opening_seconds(terms.periodSeconds, asked_bytes, max(1, terms.leastRate)))
    return Allowed(float(terms.periodSeconds))


def _boundaries(proof: ProofState) -> int:
    """Boundaries that all draws so far ask for, and that are not open: they share the node's bandwidth."""
    boundaries = {side for segment in proof.segments for side in (segment, segment + 1)}
    return len(boundaries - proof.opened)


def _commitment(
    run: RunState, terms: RunTerms, awaited: Awaited, passed: float, keep: Keep, took: Mapping[str, float]
) -> Allowed:
    current = run.rounds[awaited.round]
    period = float(terms.periodSeconds)
    lease = float(terms.leaseSeconds)
    if awaited.party in current.proofs:
        size = weights_size(current.config)
        return Allowed(None, max(lease, opening_seconds(period, size, max(1, terms.leastRate))))
    most = MOST_PERIODS * period
    if not _is_one_in(run, awaited):
        return Allowed(most if passed >= most else None, lease)
    times, least = _usual(run, as_address(awaited.party), period, took)
    return Allowed(min(most, max(least, keep(times * passed))), lease)


def _usual(run: RunState, node: Address, period: float, took: Mapping[str, float]) -> tuple[int, float]:
    """How many times the usual time a node has, and how many seconds at least."""
    measured = {name: seconds for name, seconds in took.items() if name in run.nodes}
    if node in measured:
        return TIMES_KNOWN, max(period, TIMES_KNOWN * measured[node])
    return TIMES_NEW, max(FIRST_PERIODS * period, TIMES_NEW * max(measured.values(), default=0.0))


def _is_one_in(run: RunState, awaited: Awaited) -> bool:
    """Whether the commitment of another node of the round is in the log, and k verifiers hold its gradient."""
    current = run.rounds[awaited.round]
    others = {node.node for node in current.listed.values() if node.awaited and node.node != awaited.party}
    return bool(others - {pending.party for pending in current.awaits if pending.what is What.COMMITMENT})
