"""Duties that the machine awaits of one verifier or one node: nobody acts on a server's view, but on this (J2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from contracts.ids import Address, ProofId, RunId
from contracts.protocol.judge.facts import What, Word
from contracts.protocol.judge.rules.seats import owed
from contracts.protocol.judge.state import Phase, ProofState, RoundState, RunState, SegmentState, Stage, State


@dataclass(frozen=True, slots=True)
class Hold:
    """Fetch a commitment's gradient by its digest, check it and the end that follows from it, and say `Has`."""

    proof: ProofId


@dataclass(frozen=True, slots=True)
class See:
    """Say `Seen` of the entry since which a beacon is awaited, while one's own chain stands before `beacon_time`."""

    run: RunId
    round: int
    index: int
    beacon_time: int


@dataclass(frozen=True, slots=True)
class Reveal:
    """Show the round's secret, once one's own chain has the beacon as final."""

    run: RunId
    round: int


@dataclass(frozen=True, slots=True)
class Read:
    """Replay these segments and say a word on each."""

    proof: ProofId
    segments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Try once more to get a segment's bytes, and replace one's `unserved`."""

    proof: ProofId
    segment: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Show what was sealed with the words."""

    proof: ProofId


@dataclass(frozen=True, slots=True)
class Combine:
    """Compute the outer step over these gradients, by their digests, from the round's start."""

    run: RunId
    round: int
    gradients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignEpoch:
    """Sign the root of an epoch that closed, if all messages that one holds stand in the log."""

    epoch: int


@dataclass(frozen=True, slots=True)
class SignFault:
    """Sign what costs a party stake, now that an epoch's root over it is final; `fault` is empty for a node."""

    proof: ProofId
    party: Address
    fault: str


@dataclass(frozen=True, slots=True)
class ComeBack:
    """Sign a head that holds one's own lapse, and return to a run."""

    run: RunId
    since: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Train the round from these weights and moments, and commit."""

    run: RunId
    round: int
    theta: str
    inner: str


@dataclass(frozen=True, slots=True)
class Open:
    """Open these boundaries of a proof, and serve their bytes until k verifiers have them."""

    proof: ProofId
    boundaries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpenPledge:
    """Open what was sealed at the commitment."""

    proof: ProofId


VerifierDuty: TypeAlias = Hold | See | Reveal | Read | LookAgain | Trace | Combine | SignEpoch | SignFault | ComeBack
NodeDuty: TypeAlias = Commit | Open | OpenPledge | ComeBack


def of_verifier(state: State, verifier: Address) -> Iterator[VerifierDuty]:
    """Everything that is due of a verifier, run by run, round by round, proof by proof."""
    for name, run in state.runs.items():
        if verifier in run.away and not run.over:
            yield ComeBack(name, run.away[verifier])
        for current in run.rounds.values():
            if verifier in current.verifiers:
                yield from _of_round(state, current, verifier)
    for proof in state.proofs.values():
        if verifier in state.round_of(proof).verifiers:
            yield from _of_proof(proof, verifier)
    yield from (SignEpoch(number) for number, epoch in state.epochs.items() if epoch.final is None)
    yield from (SignFault(*fault) for fault in sorted(state.signable))


def of_node(state: State, node: Address) -> Iterator[NodeDuty]:
    """Everything that is due of a node."""
    for run in state.runs.values():
        yield from _of_member(run, node)
    for proof in state.proofs.values():
        if proof.commitment.node != node:
            continue
        unopened = {side for number in proof.segments for side in (number, number + 1)} - proof.opened
        if proof.stage is Stage.READING and unopened:
            yield Open(proof.commitment.proof, tuple(sorted(unopened)))
        if proof.stage in (Stage.SPOKEN, Stage.VOID) and proof.pledge is None:
            yield OpenPledge(proof.commitment.proof)


def _of_member(run: RunState, node: Address) -> Iterator[NodeDuty]:
    member = run.nodes.get(node)
    current = run.rounds.get(run.round)
    if member is None or run.over:
        return
    if member.away is not None and not member.left:
        yield ComeBack(run.created.run, member.away)
    if current is None or current.phase is not Phase.OPEN or node in current.proofs:
        return
    listed = current.listed.get(node)
    if listed is not None:
        yield Commit(current.run, current.number, current.theta, listed.inner)


def _of_round(state: State, current: RoundState, verifier: Address) -> Iterator[VerifierDuty]:
    if current.phase is Phase.OPEN:
        waiting = (state.proofs[name] for name in current.proofs.values())
        yield from (Hold(proof.commitment.proof) for proof in waiting if verifier not in proof.has)
    if current.phase is Phase.CLOSED and verifier not in current.seen:
        yield See(current.run, current.number, current.closed_at, current.beacon_time)
    if any(awaited.what is What.SECRET and awaited.party == verifier for awaited in current.awaits):
        yield Reveal(current.run, current.number)
    ready = current.phase is Phase.MERGING and current.merge_set is not None and current.merge_set.proofs
    if ready and current.merge_set is not None and not current.merges.get(verifier):
        yield Combine(current.run, current.number, current.merge_set.gradients)


def _of_proof(proof: ProofState, verifier: Address) -> Iterator[VerifierDuty]:
    silent = any(a.what is What.WORDS and a.party == verifier for a in proof.awaits)
    segments = owed(proof, verifier) if proof.stage is Stage.READING or silent else []
    if segments:
        yield Read(proof.commitment.proof, tuple(segments))
    for awaited in proof.awaits:
        if awaited.what is What.TRACE and awaited.party == verifier:
            yield Trace(proof.commitment.proof)
        if awaited.what is What.SECOND_LOOK and _may_replace(proof.segments[int(awaited.party)], verifier):
            yield LookAgain(proof.commitment.proof, int(awaited.party))


def _may_replace(segment: SegmentState, verifier: Address) -> bool:
    word = segment.words.get(verifier)
    return word is not None and word.word is Word.UNSERVED and verifier not in segment.replaced
