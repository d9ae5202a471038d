"""Breaks of I2 (nodes), I3 (verifiers), I4 (operator), I5 (ends) and I9 (everybody honest)."""

from __future__ import annotations

from contracts.ids import NO_PROOF, Address, ProofId
from contracts.protocol.judge.chain_events import ChainEvent, NodeSlashed, VerifierStands
from contracts.protocol.judge.entries import (
    EpochClosed,
    Fault,
    FaultDerived,
    Lapsed,
    Overruled,
    Posted,
    RoundClosed,
    RoundMerged,
    SeatsFilled,
    Undecided,
    VerifierFault,
    Voided,
)
from contracts.protocol.judge.facts import Awaited, Block, Lapse, Reason, Seen, What
from tests.adversary.history import Deviation, History
from tests.adversary.invariants import departures, ends, nodes, quiet, verifiers
from tests.adversary.invariants.examples.edit import Case, append, at, change, drop, insert, listed
from tests.adversary.invariants.examples.play import RUN, V1, V2, V3, A, B
from tests.adversary.invariants.examples.stories import away, cheat, honest, undecided, unserved
from tests.adversary.invariants.reading import Reading

A1, B1, B2 = ProofId("run/1/0xa"), ProofId("run/1/0xB"), ProofId("run/2/0xB")
NODE_LATE = Awaited(What.COMMITMENT, RUN, 1, NO_PROOF, A)


def _event(event: ChainEvent) -> Block:
    return Block(99, 9999, "hash99", (event,), 9998)


def _lapsed(what: What, proof: ProofId, party: str) -> Lapsed:
    return Lapsed(Awaited(what, RUN, 1, proof, party), 0, 1)


def _slashed(verifier: Address) -> Block:
    return _event(VerifierStands(verifier, True, 9, slashed=True))


def _fault(verifier: Address, fault: Fault) -> VerifierFault:
    return VerifierFault(RUN, 1, A1, verifier, fault)


def _departs(history: History, kind: str, index: int, found: bool) -> None:
    history.deviations.append(Deviation(kind, index, "on purpose", found))


def _delay(history: History, start: int, ticks: int) -> None:
    history.ticks = [tick + ticks * (index >= start) for index, tick in enumerate(history.ticks)]


def _stops_in_the_middle(history: History) -> None:
    """The log ends in round 2, and the simulation goes on for long."""
    start = at(history, RoundClosed, 1)
    drop(history, *range(start, len(history.entries)))
    history.ended, history.stopped, history.complete = 1_000_000, 1, False


def _stop(history: History, complete: bool) -> None:
    history.complete = complete


def _chatter(history: History) -> None:
    """One message more than a round may take."""
    limit = quiet.messages_of_a_round(3, 2, 1, 2)
    more = limit - Reading(history).rounds[RUN, 1].messages + 1
    insert(history, at(history, RoundMerged), *(Seen(RUN, 1, V1, 0, "root") for _ in range(more)))


def _uncounted(history: History) -> None:
    history.messages = 1000


def _silent_log(history: History) -> None:
    """Messages that belong to no round of the run."""
    append(history, *(Seen(RUN, 9, V1, 0, "root") for _ in range(100)))


NODES = (
    Case(nodes.in_the_closing_entry, honest, lambda h: change(h, at(h, RoundClosed), proofs=(A1,))),
    Case(nodes.never_void, honest, lambda h: append(h, Voided(B1, Reason.REPLAY, 1))),
    Case(nodes.never_void, honest, lambda h: append(h, Voided(B1, Reason.DRIFT, 1))),
    Case(nodes.never_void, honest, lambda h: append(h, Undecided(B1))),
    Case(nodes.never_at_fault, honest, lambda h: append(h, FaultDerived(B1, B, True, Reason.REPLAY, True))),
    Case(nodes.never_at_fault, honest, lambda h: append(h, FaultDerived(B1, B, False, Reason.CANARY, False))),
    Case(nodes.never_late, honest, lambda h: append(h, Lapsed(NODE_LATE, 0, 1))),
    Case(nodes.never_late, honest, lambda h: append(h, _lapsed(What.OPENINGS, A1, "v1"))),
    Case(nodes.never_late, honest, lambda h: append(h, _lapsed(What.PLEDGE, A1, A))),
    Case(nodes.never_slashed, honest, lambda h: append(h, _event(NodeSlashed(A1)))),
    Case(nodes.never_slashed, cheat, lambda h: append(h, _event(NodeSlashed(A1)))),
    Case(nodes.posted_at_the_end, honest, lambda h: drop(h, at(h, Posted, proof=B2))),
    Case(nodes.posted_at_the_end, cheat, lambda h: drop(h, at(h, Posted, proof=A1))),
)
STAKES = (Case(nodes.stake_is_free_again, honest, lambda h: listed(h, 2, A, staked=False)),)
VERIFIERS = (
    Case(verifiers.present_without_fault, cheat, lambda h: change(h, at(h, VerifierFault), verifier="v1")),
    Case(
        verifiers.present_without_fault,
        honest,
        lambda h: append(h, _fault(V1, Fault.FELL_SILENT)),
    ),
    Case(
        verifiers.honest_without_false_words,
        away,
        lambda h: append(h, _fault(V3, Fault.FALSE_WORD)),
    ),
    Case(
        verifiers.honest_without_false_words,
        away,
        lambda h: append(h, _fault(V3, Fault.TWO_WORDS)),
    ),
    Case(verifiers.honest_is_not_overruled, cheat, lambda h: change(h, at(h, Overruled), verifier="v1")),
    Case(
        verifiers.honest_is_not_overruled,
        unserved,
        lambda h: append(h, Overruled(RUN, B1, V1, 4)),
    ),
    Case(
        verifiers.present_keeps_its_stake,
        honest,
        lambda h: append(h, _slashed(V1)),
    ),
    Case(
        verifiers.present_keeps_its_stake,
        cheat,
        lambda h: append(h, _slashed(V2)),
    ),
)


def _all_present(h: History) -> None:
    h.present = h.honest


OPERATOR = (
    Case(departures.derived_entries_found, honest, lambda h: _departs(h, "omitted", len(h.entries), False)),
    Case(departures.derived_entries_found, honest, lambda h: _departs(h, "swapped", len(h.entries) - 1, False)),
    Case(departures.messages_found, honest, lambda h: _departs(h, "dropped", 5, False)),
    Case(departures.messages_found, honest, lambda h: _departs(h, "forked", 5, False)),
    Case(departures.nothing_final_after_it, honest, lambda h: _departs(h, "extra", 20, True)),
    Case(departures.nothing_final_after_it, cheat, lambda h: _departs(h, "changed", at(h, EpochClosed, 1), True)),
)
ENDS = (
    Case(ends.ran_to_its_end, honest, lambda h: _stop(h, False)),
    Case(ends.ran_to_its_end, away, lambda h: _stop(h, False)),
    Case(ends.proofs_end, honest, lambda h: drop(h, at(h, Posted, proof=B2))),
    Case(ends.proofs_end, away, lambda h: drop(h, at(h, Posted, -1))),
    Case(ends.nothing_is_undecided, undecided, _all_present),
    Case(ends.voids_end, cheat, lambda h: drop(h, at(h, FaultDerived))),
    Case(ends.voids_end, unserved, lambda h: drop(h, at(h, FaultDerived))),
    Case(ends.rounds_end, honest, lambda h: drop(h, at(h, RoundMerged, 1))),
    Case(ends.rounds_end, cheat, lambda h: drop(h, at(h, RoundMerged, 1))),
    Case(ends.epochs_end, honest, lambda h: drop(h, at(h, EpochClosed, 1))),
    Case(ends.epochs_end, cheat, lambda h: drop(h, at(h, EpochClosed, 1))),
    Case(ends.rounds_are_bounded, honest, lambda h: _delay(h, at(h, Posted), 1_000_000)),
    Case(ends.rounds_are_bounded, cheat, lambda h: _delay(h, at(h, RoundMerged), 1_000_000)),
    Case(ends.rounds_are_bounded, honest, _stops_in_the_middle),
    Case(ends.faults_are_bounded, cheat, lambda h: _delay(h, at(h, FaultDerived), 500)),
    Case(ends.faults_are_bounded, unserved, lambda h: _delay(h, at(h, FaultDerived), 500)),
)
QUIET = (
    Case(quiet.nobody_is_late, honest, lambda h: append(h, Lapsed(NODE_LATE, 0, 1))),
    Case(quiet.nobody_is_late, honest, lambda h: append(h, Lapse(V1, NODE_LATE, 0))),
    Case(quiet.nobody_is_late, honest, lambda h: append(h, SeatsFilled(A1, (V3,)))),
    Case(quiet.everything_is_posted, honest, lambda h: drop(h, at(h, Posted))),
    Case(quiet.everything_is_posted, honest, lambda h: drop(h, at(h, Posted, proof=B2))),
    Case(quiet.rounds_are_short, honest, _chatter),
    Case(quiet.history_is_short, honest, _uncounted),
    Case(quiet.history_is_short, honest, _silent_log),
)
CASES = (*NODES, *STAKES, *VERIFIERS, *OPERATOR, *ENDS, *QUIET)
