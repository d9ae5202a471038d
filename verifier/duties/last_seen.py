"""A look's view of each absence: whether mirrors have a message that the log lacks, and the newest heartbeat (J3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from contracts.ids import Address, as_address, to_hex
from contracts.messages.for_log import LeaseRenewal
from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import Awaited, What, Word
from contracts.protocol.judge.rules.seats import owed
from contracts.protocol.judge.state import ProofState, RoundState, State
from verifier.mirror.store.parsing import Claim
from verifier.mirror.store.stopwatch import Absence

T = TypeVar("T")


def absence_of(state: State, awaited: Awaited, since: int) -> Absence:
    """Something that is awaited since an entry of this log."""
    return Absence(awaited, since, state.roots.get(since, ""))


def is_shown(state: State, awaited: Awaited, claims: Sequence[Claim], verifier: Address) -> bool:
    """Whether the held messages (`claims`, all of which the machine would enter) have the awaited one.

    Of a commitment in the log the gradient is awaited: a verifier that itself signed `Has` of it does not miss it.
    """
    current = state.runs[awaited.run].rounds[awaited.round]
    if awaited.what is What.COMMITMENT:
        return _commitment(state, current, as_address(awaited.party), claims, verifier)
    if awaited.what is What.SEEN:
        return _seen(current, claims)
    if awaited.what is What.SECRET:
        secrets = _of(facts.Secret, claims)
        return any((s.run, s.round, s.verifier) == (awaited.run, awaited.round, awaited.party) for s in secrets)
    return _of_a_proof(state.proofs[awaited.proof], awaited, claims)


def renewal(awaited: Awaited, claims: Iterable[Claim]) -> int | None:
    """The newest step of a node's heartbeats in a round."""
    key = (awaited.run, awaited.round, awaited.party.lower())
    beats = (claim for claim in claims if isinstance(claim, LeaseRenewal))
    steps = [beat.step for beat in beats if (to_hex(beat.run), beat.round, beat.node.lower()) == key]
    return max(steps, default=None)


def _commitment(state: State, current: RoundState, node: Address, claims: Sequence[Claim], verifier: Address) -> bool:
    name = current.proofs.get(node)
    if name is None:
        commitments = _of(facts.Committed, claims)
        return any((c.run, c.round, c.node) == (current.run, current.number, node) for c in commitments)
    has = set(state.proofs[name].has) | {claim.verifier for claim in _of(facts.Has, claims) if name in claim.proofs}
    return verifier in has or len(has) >= current.k


def _seen(current: RoundState, claims: Sequence[Claim]) -> bool:
    root_of = dict(current.seen)
    for claim in _of(facts.Seen, claims):
        if (claim.run, claim.round, claim.index) == (current.run, current.number, current.closed_at):
            root_of.setdefault(claim.verifier, claim.root)
    roots = list(root_of.values())
    return any(roots.count(root) >= current.k for root in set(roots))


def _of_a_proof(proof: ProofState, awaited: Awaited, claims: Sequence[Claim]) -> bool:
    name = awaited.proof
    party = as_address(awaited.party)
    if awaited.what is What.OPENINGS:
        segments = proof.seats[party].segments or ()
        boundaries = {side for segment in segments for side in (segment, segment + 1)} - proof.opened
        return boundaries <= {opened.boundary for opened in _of(facts.Opened, claims) if opened.proof == name}
    if awaited.what is What.PLEDGE:
        return any(opened.proof == name for opened in _of(facts.PledgeOpened, claims))
    if awaited.what is What.TRACE:
        return any((trace.proof, trace.verifier) == (name, party) for trace in _of(facts.TraceShown, claims))
    words = [claim for claim in _of(facts.Words, claims) if claim.proof == name]
    if awaited.what is What.WORDS:
        due = proof.awaits[awaited].items & set(owed(proof, party))
        return due <= {word.segment for claim in words if claim.verifier == party for word in claim.words}
    return _is_replaced(proof, int(party), words)


def _is_replaced(proof: ProofState, segment: int, words: Sequence[facts.Words]) -> bool:
    unserved = proof.segments[segment].sayers(Word.UNSERVED)
    return any(
        word.segment == segment and word.word is not Word.UNSERVED
        for claim in words
        if claim.verifier in unserved
        for word in claim.words
    )


def _of(kind: type[T], claims: Iterable[Claim]) -> list[T]:
    return [claim for claim in claims if isinstance(claim, kind)]
