"""Breaks of I8 in words, decisions, voids and faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
from contracts.protocol.judge.facts import PledgeOpened, Reason, RunCreated, SegmentWord, Word, Words
from tests.adversary.history import History
from tests.adversary.invariants import causes_ends, causes_words
from tests.adversary.invariants.examples.edit import Case, append, at, change, drop, entry, insert, move
from tests.adversary.invariants.examples.play import A
from tests.adversary.invariants.examples.stories import canary, cheat, honest, undecided, unserved, withheld

A1, A2, B1 = "run/1/0xa", "run/2/0xa", "run/1/0xB"
BENCH = ("v1", "v2", "v3")


def _terms(h: History, **fields: object) -> None:
    created = entry(h, RunCreated)
    change(h, at(h, RunCreated), terms=replace(created.terms, **fields))


def _word(h: History, verifier: str, *words: SegmentWord) -> None:
    """Other words of one verifier on node B's first proof."""
    change(h, at(h, Words, proof=B1, verifier=verifier), words=words)


def _other_reason(h: History) -> None:
    change(h, at(h, SegmentDecided), reason=Reason.END)
    change(h, at(h, Voided), reason=Reason.END)
    change(h, at(h, FaultDerived), reason=Reason.END)


def _spared_from_fault(h: History) -> None:
    change(h, at(h, FaultDerived), at_fault=False, costs_stake=False)


def _ends_undecided(h: History) -> None:
    h.entries[at(h, Posted, proof=A2)] = Undecided(A2)


def _fault(fault: Fault) -> Callable[[History], None]:
    """v1, who spoke as the bench did, has this fault."""
    return lambda h: append(h, VerifierFault("run", 1, B1, "v1", fault))


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
    Case(causes_words.overruled_by_the_bench, canary, lambda h: append(h, Overruled("run", B1, "v1", 4))),
    Case(causes_words.overruled_by_the_bench, cheat, lambda h: change(h, at(h, Overruled), until=0)),
    Case(causes_words.overruled_by_the_bench, cheat, lambda h: move(h, at(h, Overruled), at(h, SegmentDecided))),
    Case(
        causes_words.verifier_faults_have_a_ground,
        cheat,
        lambda h: change(h, at(h, VerifierFault), fault=Fault.FALSE_WORD),
    ),
    Case(causes_words.verifier_faults_have_a_ground, cheat, lambda h: _terms(h, exact=False)),
    *(Case(causes_words.verifier_faults_have_a_ground, canary, _fault(fault)) for fault in Fault),
)
ENDS = (
    Case(causes_ends.one_end, undecided, lambda h: append(h, Undecided(B1))),
    Case(causes_ends.one_end, cheat, lambda h: append(h, entry(h, Voided))),
    Case(causes_ends.voids_have_a_ground, withheld, lambda h: drop(h, at(h, Lapsed, 1))),
    Case(causes_ends.voids_have_a_ground, cheat, lambda h: change(h, at(h, Voided), segment=2)),
    Case(causes_ends.voids_have_a_ground, canary, lambda h: drop(h, at(h, SegmentDecided))),
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
    Case(causes_ends.canaries_are_few, canary, lambda h: _terms(h, canaries=0)),
    Case(causes_ends.undecided_waited, honest, _ends_undecided),
    Case(causes_ends.merges_wait, honest, lambda h: move(h, at(h, MergeSet, 1), at(h, Posted, -1))),
    Case(causes_ends.merges_wait, honest, lambda h: move(h, at(h, MergeSet), at(h, Posted))),
)
CASES = (*WORDS, *ENDS)
