"""A round's merge: exactly the gradients that were posted when every proof had its end or waited (J15)."""

from __future__ import annotations

from contracts.ids import NO_PROOF
from contracts.protocol.judge.entries import MergeSet, RoundMerged
from contracts.protocol.judge.errors import AlreadySaid, OutOfTime
from contracts.protocol.judge.facts import Awaited, MergeSigned, What
from contracts.protocol.judge.held import require_speaker, round_of
from contracts.protocol.judge.rules import roots
from contracts.protocol.judge.state import Phase, ProofState, RoundState, Stage, State

MOST_STEPS = 3
"""Outer steps of one verifier and round: a slip can be mended, since k equal ones are needed all the same."""

_ENDS = frozenset({Stage.OUT, Stage.VOID, Stage.POSTED, Stage.ENDED, Stage.UNDECIDED})


def is_progressing(proof: ProofState, current: RoundState) -> bool:
    """Whether something is awaited that may still end the reading."""
    secrets = (Awaited(What.SECRET, current.run, current.number, NO_PROOF, name) for name in proof.seats)
    if any(awaited in current.awaits for awaited in secrets):
        return True
    return any(awaited.what is not What.TRACE and not _is_decided(proof, awaited) for awaited in proof.awaits)


def _is_decided(proof: ProofState, awaited: Awaited) -> bool:
    """Whether it is a second look at a segment that k have called true: nothing of the proof depends on it."""
    return awaited.what is What.SECOND_LOOK and proof.segments[int(awaited.party)].true is not None


def _waits(proof: ProofState, current: RoundState) -> bool:
    """Whether the bench has had a period without k equal words, or nothing more can come (J15)."""
    if proof.stage is not Stage.READING:
        return False
    tried = any(segment.wide and segment.true is None for segment in proof.segments.values())
    return tried or not is_progressing(proof, current)


def due_merge_set(state: State, current: RoundState) -> MergeSet | None:
    """Every proof of the round is posted, void or waits: what is decided later never changes weights."""
    empty = current.phase is Phase.MERGING and current.merge_set is None
    if not empty and current.phase is not Phase.READING:
        return None
    proofs = [state.proofs[name] for name in current.closed]
    if not all(proof.stage in _ENDS or _waits(proof, current) for proof in proofs):
        return None
    posted = [proof.commitment for proof in proofs if proof.stage is Stage.POSTED]
    return MergeSet(current.run, current.number, tuple(c.proof for c in posted), tuple(c.gradient for c in posted))


def on_merge_set(state: State, entry: MergeSet) -> None:
    """The nodes whose work is merged go on from their own last moments."""
    current = state.runs[entry.run].rounds[entry.round]
    current.phase = Phase.MERGING
    current.merge_set = entry
    current.merge_at = state.size - 1
    for name in entry.proofs:
        commitment = state.proofs[name].commitment
        state.runs[entry.run].nodes[commitment.node].inner = commitment.inner_end
    state.touched_rounds[entry.run, entry.round] = None


def take_merge(state: State, fact: MergeSigned) -> None:
    """A verifier's outer step. Raises Refused."""
    current = round_of(state, fact.run, fact.round)
    require_speaker(current, fact.verifier)
    if current.merge_set is None or not current.merge_set.proofs:
        raise OutOfTime(f"round {fact.round} has nothing to merge")
    roots.check(state, current.merge_at, fact.root)
    steps = current.merges.setdefault(fact.verifier, set())
    if (fact.theta, fact.momentum) in steps or len(steps) >= MOST_STEPS:
        raise AlreadySaid(f"{fact.verifier} has signed this outer step, or {MOST_STEPS} others")
    steps.add((fact.theta, fact.momentum))
    state.touched_rounds[fact.run, fact.round] = None


def due_merged(current: RoundState) -> RoundMerged | None:
    """k verifiers signed the same outer state; an empty set leaves the old one."""
    if current.phase is not Phase.MERGING or current.merge_set is None:
        return None
    if not current.merge_set.proofs:
        return RoundMerged(current.run, current.number, current.theta, current.momentum)
    steps = [step for name in sorted(current.merges) for step in sorted(current.merges[name])]
    for theta, momentum in steps:
        if steps.count((theta, momentum)) >= current.k:
            return RoundMerged(current.run, current.number, theta, momentum)
    return None


def on_merged(state: State, entry: RoundMerged) -> None:
    """The next round begins from here."""
    run = state.runs[entry.run]
    run.rounds[entry.round].phase = Phase.MERGED
    run.merged = entry.round
    run.theta = entry.theta
    run.momentum = entry.momentum
    state.touched_runs[entry.run] = None
