"""Breaks of I8 in words, decisions, voids and faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from contracts.ids import ProofId
from contracts.protocol.judge.entries import (
    BenchCalled,
    Fault,
    FaultDerived,
    Lapsed,
    MergeSet,
    Overruled,
    PanelDrawn,
    PanelSpoken,
    Posted,
    SecondLook,
    SegmentDecided,
    Undecided,
    VerifierFault,
    Voided,
)
from contracts.protocol.judge.facts import PledgeOpened, Reason, SegmentWord, TraceShown, Word, Words
from tests.adversary.history import History
from tests.adversary.invariants import causes_due, causes_ends, causes_words
from tests.adversary.invariants.examples.edit import Case, append, at, change, drop, entry, insert, move, terms
from tests.adversary.invariants.examples.play import RUN, V1, V2, V3, A
from tests.adversary.invariants.examples.stories import (
    canary,
    cheat,
    honest,
    silent,
    traces,
    undecided,
    unserved,
    withheld,
)

A1, A2, B1 = ProofId("run/1/0xa"), ProofId("run/2/0xa"), ProofId("run/1/0xB")
BENCH = (V1, V2, V3)


def _word(h: History, verifier: str, *words: SegmentWord) -> None:
    """Other words of one verifier on node B's first proof."""
    change(h, at(h, Words, proof=B1, verifier=verifier), words=words)


def _other_reason(h: History) -> None:
    change(h, at(h, SegmentDecided), reason=Reason.NOT_FINITE)
    change(h, at(h, Voided), reason=Reason.NOT_FINITE)
    change(h, at(h, FaultDerived), reason=Reason.NOT_FINITE)


def _spared_from_fault(h: History) -> None:
    change(h, at(h, FaultDerived), at_fault=False, costs_stake=False)


def _ends_undecided(h: History) -> None:
    h.entries[at(h, Posted, proof=A2)] = Undecided(A2)


def _fault(fault: Fault) -> Callable[[History], None]:
    """v1, who spoke as the bench did, has this fault."""
    return lambda h: append(h, VerifierFault(RUN, 1, B1, V1, fault))


def _named_and_drawn(h: History) -> None:
    """The pledge of node A names a segment that v1 cleared; nobody reads it again."""
    change(h, at(h, PledgeOpened, proof=A1), fake=1)
    place = at(h, Posted, proof=A1)
    h.entries[place] = Voided(A1, Reason.CANARY, 1)
    insert(h, place + 1, FaultDerived(A1, A, False, Reason.CANARY, False))


def _drifts(h: History) -> None:
    words = entry(h, Words, proof=A1, verifier="v2").words
    change(h, at(h, Words, proof=A1, verifier="v2"), words=(words[0], SegmentWord(2, Word.DRIFT)))


def _copied(h: History) -> None:
    h.sealed[A1, "v1"] = "its own"
    append(h, TraceShown(A1, V1, "of another"))


WORDS = (
    Case(
        causes_words.benches_are_called_for_cause,
        honest,
        lambda h: insert(h, at(h, PanelSpoken), BenchCalled(A1, 1, BENCH)),
    ),
    Case(
        causes_words.benches_are_called_for_cause,
        cheat,
        lambda h: insert(h, at(h, Voided), BenchCalled(B1, 3, BENCH)),
    ),
    Case(causes_words.benches_are_the_first, cheat, lambda h: change(h, at(h, BenchCalled), members=("v1", "v2"))),
    Case(
        causes_words.benches_are_the_first, canary, lambda h: change(h, at(h, BenchCalled), members=("v1", "v2", "v9"))
    ),
    Case(causes_words.the_rest_come_last, cheat, lambda h: insert(h, at(h, BenchCalled) + 1, BenchCalled(B1, 1, ()))),
    Case(causes_words.words_are_sealed, honest, lambda h: change(h, at(h, Words, proof=A1, verifier="v2"), witness="")),
    Case(causes_words.drift_only_within_limits, honest, _drifts),
    Case(
        causes_words.second_looks_have_a_cause,
        unserved,
        lambda h: _word(h, "v3", SegmentWord(1, Word.FALSE, Reason.REPLAY)),
    ),
    Case(causes_words.second_looks_have_a_cause, cheat, lambda h: insert(h, at(h, BenchCalled) + 1, SecondLook(B1, 1))),
    Case(
        causes_words.k_words_decide,
        cheat,
        lambda h: _word(h, "v2", *(SegmentWord(segment, Word.TRUE) for segment in (0, 1, 2))),
    ),
    Case(causes_words.k_words_decide, unserved, lambda h: drop(h, at(h, Lapsed))),
    Case(causes_words.reasons_were_given, cheat, _other_reason),
    Case(causes_words.panels_spoke, honest, lambda h: drop(h, at(h, Words, proof=A1, verifier="v2"))),
    Case(causes_words.panels_spoke, honest, lambda h: change(h, at(h, PanelDrawn), seats=BENCH)),
    Case(causes_words.panels_spoke, honest, lambda h: move(h, at(h, PanelSpoken), at(h, PanelDrawn))),
    Case(
        causes_words.overruled_by_the_bench,
        canary,
        lambda h: append(h, Overruled(RUN, B1, V1, 4)),
    ),
    Case(causes_words.overruled_by_the_bench, cheat, lambda h: change(h, at(h, Overruled), until=0)),
    Case(causes_words.overruled_by_the_bench, cheat, lambda h: move(h, at(h, Overruled), at(h, SegmentDecided))),
    Case(
        causes_words.verifier_faults_have_a_ground,
        cheat,
        lambda h: append(h, replace(entry(h, VerifierFault), fault=Fault.FALSE_WORD)),
    ),
    Case(causes_words.verifier_faults_have_a_ground, cheat, lambda h: terms(h, exact=False)),
    *(Case(causes_words.verifier_faults_have_a_ground, canary, _fault(fault)) for fault in Fault),
)
ENDS = (
    Case(causes_ends.one_end, undecided, lambda h: append(h, Undecided(B1))),
    Case(causes_ends.one_end, cheat, lambda h: append(h, entry(h, Voided))),
    Case(causes_ends.voids_have_a_ground, withheld, lambda h: drop(h, at(h, Lapsed, 1))),
    Case(causes_ends.voids_have_a_ground, cheat, lambda h: change(h, at(h, Voided), segment=2)),
    Case(causes_ends.voids_have_a_ground, canary, lambda h: drop(h, at(h, SegmentDecided))),
    Case(causes_ends.named_segments_are_decided, honest, _named_and_drawn),
    Case(
        causes_ends.pledges_come_after_the_words,
        honest,
        lambda h: move(h, at(h, PledgeOpened, proof=A1), at(h, PanelSpoken)),
    ),
    Case(
        causes_ends.traces_come_after_the_end,
        honest,
        lambda h: insert(h, at(h, Posted, proof=A1), TraceShown(A1, V1, "trace")),
    ),
    Case(causes_ends.traces_come_after_the_end, honest, _copied),
    Case(causes_ends.faults_end_a_void, cheat, lambda h: change(h, at(h, FaultDerived), node=A)),
    Case(causes_ends.faults_end_a_void, cheat, lambda h: drop(h, at(h, PledgeOpened, proof=B1))),
    Case(causes_ends.fault_follows_the_table, cheat, lambda h: change(h, at(h, FaultDerived), costs_stake=False)),
    Case(causes_ends.fault_follows_the_table, cheat, _spared_from_fault),
    Case(causes_ends.fault_follows_the_table, canary, lambda h: change(h, at(h, FaultDerived), at_fault=True)),
    Case(
        causes_ends.pledge_excuses_its_own_segment, canary, lambda h: change(h, at(h, PledgeOpened, proof=B1), fake=2)
    ),
    Case(
        causes_ends.pledge_excuses_its_own_segment,
        withheld,
        lambda h: change(h, at(h, FaultDerived), reason=Reason.PLEDGE_WITHHELD),
    ),
    Case(causes_ends.canaries_are_few, canary, lambda h: terms(h, canaries=0)),
    Case(causes_ends.undecided_waited, honest, _ends_undecided),
    Case(causes_ends.merges_wait, honest, lambda h: move(h, at(h, MergeSet, 1), at(h, Posted, -1))),
    Case(causes_ends.merges_wait, honest, lambda h: move(h, at(h, MergeSet), at(h, Posted))),
)
DUE = (
    Case(causes_due.the_bench_overrules, cheat, lambda h: drop(h, at(h, Overruled))),
    Case(causes_due.lies_are_faults, cheat, lambda h: drop(h, at(h, VerifierFault))),
    Case(
        causes_due.two_words_are_a_fault,
        honest,
        lambda h: append(h, Words(A1, V1, (SegmentWord(0, Word.FALSE, Reason.REPLAY),))),
    ),
    Case(causes_due.silence_is_a_fault, silent, lambda h: drop(h, at(h, VerifierFault))),
    Case(causes_due.silence_is_a_fault, traces, lambda h: drop(h, at(h, VerifierFault, fault=Fault.TRACE_WITHHELD))),
    Case(causes_due.silence_is_pursued, silent, lambda h: drop(h, at(h, Lapsed, period=2), at(h, VerifierFault))),
    Case(
        causes_due.silence_is_pursued,
        traces,
        lambda h: drop(h, at(h, Lapsed, period=2), at(h, VerifierFault, fault=Fault.TRACE_WITHHELD)),
    ),
    Case(
        causes_due.wrong_traces_are_a_fault,
        traces,
        lambda h: drop(h, at(h, VerifierFault, fault=Fault.WRONG_TRACE)),
    ),
)
CASES = (*WORDS, *ENDS, *DUE)
