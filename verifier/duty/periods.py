"""How long each thing may be missing before a verifier says so (J3), from the run's manifest.

A commitment has no period of its own, since training takes as long as it takes. It lapses after one lease without a
sign of life; once it stands in the log, after the time that its gradient takes; and, however many signs of life come,
after a multiple of the time that the others take: in this round, and in the last one with work that was posted. An
empty commitment is made in no time, so before anything was posted the others' haste says nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.judge.state import ProofState, RunState, State
from contracts.protocol.messages import RunTerms
from verifier.duty.envelopes import Collected
from verifier.duty.sizes import state_size
from verifier.mirror.presence import Allowed, opening_seconds

TIMES_NEW, TIMES_KNOWN = 2, 4
"""Times the others' time: for a node that did not deliver in the round before, and for one that did."""

FIRST_PERIODS = 24
"""Periods for a commitment while nobody knows how long one takes."""

Keep = Callable[[float], float]
"""Keeps the first bound that was found for an absence, and returns it."""


def allowed(state: State, log: Collected, awaited: Awaited, passed: float, keep: Keep) -> Allowed:
    """Bounds of an absence that has been one for `passed` seconds."""
    run, terms = state.runs[awaited.run], log.terms[awaited.run]
    if awaited.what is What.COMMITMENT:
        return _commitment(run, terms, log, awaited, passed, keep)
    if awaited.what is What.OPENINGS:
        proof = state.proofs[awaited.proof]
        asked = _boundaries(proof) * state_size(state.round_of(proof).config)
        return Allowed(opening_seconds(terms.periodSeconds, asked, max(1, terms.leastRate)))
    return Allowed(float(terms.periodSeconds))


def _boundaries(proof: ProofState) -> int:
    """Boundaries that all draws so far ask for, and that are not open: they share the node's way to the net."""
    asked = {side for segment in proof.segments for side in (segment, segment + 1)}
    return len(asked - proof.opened)


def _commitment(run: RunState, terms: RunTerms, log: Collected, awaited: Awaited, passed: float, keep: Keep) -> Allowed:
    current, lease = run.rounds[awaited.round], float(terms.leaseSeconds)
    name = current.proofs.get(awaited.party)
    if name is not None:
        size = log.commitments[name].gradientSize
        return Allowed(None, max(lease, opening_seconds(terms.periodSeconds, size, max(1, terms.leastRate))))
    open_for = {known.party for known in current.awaits if known.what is What.COMMITMENT}
    if not _others_are_in(run, awaited, open_for):
        return Allowed(None, lease)
    member = run.nodes.get(awaited.party)
    times = TIMES_KNOWN if member is not None and member.delivered else TIMES_NEW
    least = times * run.pace if run.pace else FIRST_PERIODS * terms.periodSeconds
    return Allowed(keep(max(float(terms.periodSeconds), least, times * passed)), lease)


def _others_are_in(run: RunState, awaited: Awaited, open_for: set[str]) -> bool:
    """Whether nobody else is awaited: of those who delivered before, where there are any, or they could be held up."""
    listed = run.rounds[awaited.round].listed.values()
    others = {node.node for node in listed if node.awaited and node.node != awaited.party}
    proven = {name for name in others if name in run.nodes and run.nodes[name].delivered}
    return bool(others) and not (proven or others) & open_for
