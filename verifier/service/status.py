"""A verifier's status in its run, by the log that it has read: reported in a sentence whenever the status changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.ids import Address
from contracts.protocol.judge.rules.presence import anchor_of
from contracts.protocol.judge.state import Phase, RoundState, RunState, State


class VerifierPhase(StrEnum):
    """Each has a sentence, in which {round} is the round's number."""

    ABSENT = "the log has no such run yet: check --run, or wait until it is created"
    OVER = "the run is over"
    NOT_ADMITTED = "is not admitted: the holders admit verifiers by a vote (docs/verify.md)"
    UNSTAKED = "has too little staked to count: commonweight model stake"
    SLASHED = "has lost stake by a fault, and counts no more until it stakes again"
    UNBOUND = "is not bound to the run yet: its anchor is on the way to the log"
    EARLY = "is bound to the run from round {round} on"
    SPENT = "has no secret for round {round}: its new anchor is on the way to the log"
    LAPSED = "fell silent by the word of the others; its return is on the way to the log"
    WAITING = "waits for round {round} to open"
    HOLDING = "holds what the nodes of round {round} commit to"
    DRAWING = "waits for the beacon of round {round}, and shows its secret then"
    READING = "reads what it drew of round {round}"
    MERGING = "merges round {round}"


@dataclass(frozen=True)
class VerifierStatus:
    """A state, and the number of the round that it is about."""

    status: VerifierPhase
    round: int = 0

    def __str__(self) -> str:
        return self.status.value.format(round=self.round)


_BY_PHASE = {
    Phase.OPEN: VerifierPhase.HOLDING,
    Phase.CLOSED: VerifierPhase.DRAWING,
    Phase.READING: VerifierPhase.READING,
    Phase.MERGING: VerifierPhase.MERGING,
}


def status_of(state: State, run: RunState | None, verifier: Address) -> VerifierStatus:
    """Status of a verifier in the run that it anchors in. Rounds of a run that is over are still read to their end."""
    if run is None:
        return VerifierStatus(VerifierPhase.ABSENT)
    current = run.rounds.get(run.round)
    if run.over and (current is None or current.phase is Phase.MERGED):
        return VerifierStatus(VerifierPhase.OVER)
    return _of_chain(state, verifier) or _of_run(run, current, verifier)


def _of_chain(state: State, verifier: Address) -> VerifierStatus | None:
    """The status that keeps a verifier's words from counting in any run; None where they count."""
    current = state.verifiers.get(verifier)
    if current is None or not current.admitted:
        return VerifierStatus(VerifierPhase.NOT_ADMITTED)
    if current.stake < state.least_stake:
        return VerifierStatus(VerifierPhase.SLASHED if current.slashed else VerifierPhase.UNSTAKED)
    return None


def _of_run(run: RunState, current: RoundState | None, verifier: Address) -> VerifierStatus:
    if not run.anchors.get(verifier):
        return VerifierStatus(VerifierPhase.UNBOUND)
    if verifier in run.away:
        return VerifierStatus(VerifierPhase.LAPSED)
    if current is not None and current.phase in _BY_PHASE and verifier in current.verifiers:
        return VerifierStatus(_BY_PHASE[current.phase], current.number)
    following = run.round + 1
    first = run.anchors[verifier][0].first
    if first > following:
        return VerifierStatus(VerifierPhase.EARLY, first)
    spent = anchor_of(run, verifier, following) is None
    return VerifierStatus(VerifierPhase.SPENT if spent else VerifierPhase.WAITING, following)
