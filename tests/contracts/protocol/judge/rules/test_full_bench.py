"""Words and the full bench (J8 to J12)."""

from __future__ import annotations

import pytest

from contracts.ids import NO_PROOF, Address
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import (
    BenchCalled,
    Fault,
    FaultDerived,
    Overruled,
    PanelSpoken,
    SecondLook,
    SegmentDecided,
    VerifierFault,
    Voided,
)
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated
from contracts.protocol.judge.facts import Reason, SegmentWord, What, Word
from contracts.protocol.judge.state import Stage
from tests.contracts.protocol.judge.court import N0, RUN, STRANGER, V0, V1, V2, V3, Court
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def test_what_is_not_questioned_is_cleared_by_its_drawers() -> None:
    court = Court()
    proof, _ = court.read()
    assert court.say(proof, V0) == []
    assert court.say(proof, V1) == [PanelSpoken(proof)]


@holds(
    "Every drawn segment is accepted by its verifier, or goes to the bench",
    by="contracts/protocol/judge/rules/full_bench.py:is_read",
    against=Threat.BAD_VERIFIER,
)
def test_every_drawn_segment_needs_a_word() -> None:
    """F1: a verdict that names the lowest missing segment alone cleared the others unread."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0, s0="true")
    court.say(proof, V1)
    assert court.proof().stage is Stage.READING


def test_k_false_words_void_and_cost_stake() -> None:
    court = Court()
    proof, _ = court.read()
    assert court.say(proof, V0, s0="true", s1="false")[0] == BenchCalled(proof, 1, (V0, V1, V2))
    court.say(proof, V1)
    found = court.say(proof, V2, s1="false")
    assert SegmentDecided(proof, 1, False, Reason.REPLAY) in found
    assert Voided(proof, Reason.REPLAY, 1) in found
    assert court.pledge(proof) == [FaultDerived(proof, N0, True, Reason.REPLAY, True)]
    assert court.state.slashes == {proof: (N0, 100)}


@holds(
    "One false verdict voids nothing, and is detected",
    by="contracts/protocol/judge/rules/full_bench.py:is_read",
    against=Threat.BAD_VERIFIER,
)
def test_one_liar_does_not_void_and_is_found() -> None:
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    found = court.say(proof, V2, s1="true")
    assert SegmentDecided(proof, 1, True, None) in found
    assert VerifierFault(RUN, 1, proof, V0, Fault.FALSE_WORD) in found
    assert Overruled(RUN, proof, V0, 4) in found
    assert PanelSpoken(proof) in found


def test_who_passed_a_fake_is_found() -> None:
    court = Court()
    proof, _ = court.read("1", "1")
    court.say(proof, V0)
    court.say(proof, V1, s0="true", s1="false")
    found = court.say(proof, V2, s1="false")
    assert VerifierFault(RUN, 1, proof, V0, Fault.PASSED_A_FAKE) in found


def test_one_liar_and_one_absentee_leave_the_proof_waiting() -> None:
    """F32: honest work is neither void nor at fault; it waits for k equal words until its epoch ends."""
    court = Court()
    proof, other = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    court.lapse(What.WORDS, proof, V2, by=[V0, V1])
    court.lapse(What.WORDS, proof, V2, by=[V0, V1])
    assert court.proof().stage is Stage.READING
    court.post(other)
    court.merge()
    assert court.state.proofs[proof].stage is Stage.UNDECIDED
    assert court.state.slashes == {}


def test_the_reason_is_that_of_most() -> None:
    """F7: one verifier's reason does not spare a stake."""
    court = Court(k=3, panel=3)
    proofs = court.drawn()
    for verifier in (V0, V1, V2):
        court.secret(verifier, "1")
    court.open(proofs[0])
    for verifier, reason in ((V0, Reason.NOT_FINITE), (V1, Reason.REPLAY), (V2, Reason.REPLAY)):
        words = (SegmentWord(0, Word.TRUE), SegmentWord(1, Word.FALSE, reason))
        court.enter(facts.Words(proofs[0], verifier, words, "witness"))
    assert court.proof().void == (Reason.REPLAY, 1)


def test_drift_is_no_word_in_a_bit_exact_run() -> None:
    court = Court()
    proof, _ = court.read()
    with pytest.raises(NotBound):
        court.say(proof, V0, s1="drift")


def test_unserved_and_false_count_together_after_a_second_look() -> None:
    """F14: bytes that half of the bench gets do not let a cheat go free."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    found = court.say(proof, V2, s1="unserved")
    assert found == [SecondLook(proof, 1)]
    found = court.lapse(What.SECOND_LOOK, proof, "1", by=[V0, V2])
    assert Voided(proof, Reason.UNSERVED, 1) in found


def test_unserved_is_replaced_in_the_second_look() -> None:
    """F10: who could not get bytes for a while voids nobody, and is overruled by nobody."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    court.say(proof, V2, s1="unserved")
    found = court.say(proof, V2, s1="true")
    assert SegmentDecided(proof, 1, True, None) in found
    assert not any(isinstance(entry, Overruled) and entry.verifier == V2 for entry in found)


@holds(
    "A verdict that was entered before the one that it replaces is no evidence",
    by="contracts/protocol/judge/rules/full_bench.py:take_words",
    against=Threat.BAD_VERIFIER,
)
def test_a_second_word_of_another_class_is_evidence() -> None:
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0, s0="true", s1="true")
    with pytest.raises(AlreadySaid):
        court.say(proof, V0, s1="true")
    found = court.say(proof, V0, s1="false")
    assert VerifierFault(RUN, 1, proof, V0, Fault.TWO_WORDS) in found
    assert BenchCalled(proof, 1, (V0, V1, V2)) in found


def test_a_word_on_a_segment_that_was_not_asked_is_refused() -> None:
    court = Court()
    proof, _ = court.read()
    for verifier in (V2, STRANGER):
        with pytest.raises(NotSeated):
            court.say(proof, verifier, s1="false")
    with pytest.raises(NotSeated):
        court.say(proof, V0, s2="false")


def test_a_silent_verifiers_draw_goes_to_the_whole_bench() -> None:
    """Twice lapsed it costs stake, once a round, where k others read all that it owed."""
    court = Court()
    proof, _ = court.read()
    found = court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    assert [entry.segment for entry in found if isinstance(entry, BenchCalled)] == [0, 2]
    court.say(proof, V0, s0="true", s1="true", s2="true")
    court.say(proof, V2, s0="true", s2="true")
    fault = VerifierFault(RUN, 1, proof, V1, Fault.FELL_SILENT)
    assert fault in court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    assert court.state.runs[RUN].away[V1]


def _silent_twice(*said: tuple[Address, dict[str, str]], before: bool = True) -> list[object]:
    """v1 drew 0 and 2 and says nothing; what others say, before or after its second lapse; what it is found at."""
    court = Court()
    proof, _ = court.read()
    court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    found: list[object] = []
    for verifier, words in said if before else ():
        found += court.say(proof, verifier, **words)
    found += court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    for verifier, words in () if before else said:
        found += court.say(proof, verifier, **words)
    return [entry for entry in found if isinstance(entry, VerifierFault)]


ALL, SOME = {"s0": "true", "s2": "true"}, {"s0": "true"}


@holds(
    "Silence costs stake only where k others were in time",
    by="contracts/protocol/judge/rules/seats.py:lapse_words",
    against=Threat.BAD_VERIFIER,
)
def test_silence_is_no_fault_where_k_others_did_not_read_in_time() -> None:
    """Of these k one is honest: else what was asked may be more than any machine does in time (a state whose numbers
    are so small that each step takes fifty times as long)."""
    assert _silent_twice((V0, ALL), (V2, ALL))
    assert not _silent_twice((V0, ALL), (V2, ALL), before=False), "afterwards anybody may have had more time"
    assert not _silent_twice((V0, ALL)), "one may be corrupt, and say so unread"
    assert not _silent_twice((V0, ALL), (V2, SOME)), "whoever stands before a slow segment may say nothing at all"
    unserved = {"s0": "unserved", "s2": "unserved"}
    assert not _silent_twice((V0, ALL), (V2, unserved)), "who had no bytes shows nothing"


def test_the_words_of_one_who_was_late_itself_show_nothing() -> None:
    court = Court()
    proof, _ = court.read()
    for verifier, others in ((V0, [V1, V2]), (V1, [V0, V2])):
        court.lapse(What.WORDS, proof, verifier, by=others)
    court.say(proof, V0, s0="true", s1="true", s2="true")
    court.say(proof, V2, s0="true", s1="true", s2="true")
    found = court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    assert not [entry for entry in found if isinstance(entry, VerifierFault)]


def test_a_word_that_replaces_unserved_proves_no_time() -> None:
    court = Court()
    proof, _ = court.read()
    court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    court.say(proof, V0, s0="unserved", s2="unserved")
    court.say(proof, V2, s0="true", s2="true")
    court.say(proof, V0, s0="true", s2="true")
    assert court.state.proofs[proof].segments[0].read == {V2}
    found = court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    assert not [entry for entry in found if isinstance(entry, VerifierFault)]


def test_whoever_is_called_late_by_anybody_shows_nothing() -> None:
    """A corrupt verifier signs the lapse of one honest verifier alone: the other is as late, and never lapses."""
    court = Court()
    proof, _ = court.read()
    awaited = next(a for a in court.state.open if a.what is What.WORDS and a.party == V0)
    court.enter(facts.Lapse(V1, awaited, court.state.open[awaited]))
    court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    court.say(proof, V0, s0="true", s1="true", s2="true")
    court.say(proof, V2, s0="true", s2="true")
    found = court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    assert not [entry for entry in found if isinstance(entry, VerifierFault)]


def test_who_fell_silent_before_it_drew_leaves_nothing_unread() -> None:
    """Its draw goes to the bench as soon as it can be read; nobody waits for its word."""
    court = Court(k=3, panel=3)
    proof, _ = court.drawn()
    for verifier in (V0, V1, V2):
        court.secret(verifier, "3" if verifier == V2 else "1")
    court.open(proof, 0, 1, 2)
    court.say(proof, V0, s0="false", s1="true")
    court.lapse(What.WORDS, proof, V2, by=[V0, V1, V3])
    found = court.open(proof)
    assert 3 in [entry.segment for entry in found if isinstance(entry, BenchCalled)]


def test_unserved_is_overruled_only_where_it_stands_for_a_period() -> None:
    """A node that hands its bytes out late pushes nobody behind; who never replaces it reads nothing for free."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0)
    court.say(proof, V1, s0="true", s2="unserved")
    found = court.say(proof, V0, s2="true") + court.say(proof, V2, s2="true")
    assert SegmentDecided(proof, 2, True, None) in found
    assert PanelSpoken(proof) in found
    assert not any(isinstance(entry, Overruled) for entry in found)
    assert Overruled(RUN, proof, V1, 4) in court.lapse(What.SECOND_LOOK, proof, "2", by=[V0, V2])


def test_unserved_replaced_after_the_decision_is_not_overruled() -> None:
    """Nobody is waited for any more, so that nobody has to sign that nothing came."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0)
    court.say(proof, V1, s0="true", s2="unserved")
    court.say(proof, V0, s2="true")
    court.say(proof, V2, s2="true")
    assert facts.Awaited(What.SECOND_LOOK, RUN, 1, proof, "2") in court.state.open
    found = court.say(proof, V1, s2="true")
    assert facts.Awaited(What.SECOND_LOOK, RUN, 1, proof, "2") not in court.state.open
    assert not any(isinstance(entry, Overruled) for entry in found)


def test_an_unserved_that_may_be_replaced_is_waited_for() -> None:
    """One is silent, one says true, one has no bytes yet: the proof is not given up in the same breath."""
    court = Court()
    proof, _ = court.drawn()
    court.secret(V0, "1")
    court.secret(V1, "1")
    court.open(proof)
    court.say(proof, V0)
    court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    court.say(proof, V2, s0="unserved", s1="unserved")
    found = court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    assert [entry.segment for entry in found if isinstance(entry, SecondLook)] == [0, 1]
    found = court.say(proof, V2, s0="true", s1="true")
    assert SegmentDecided(proof, 1, True, None) in found


def test_a_second_period_is_for_what_was_drawn() -> None:
    """Who was late once and says all that it drew loses no stake for what the bench asks besides."""
    court = Court()
    proof, _ = court.read()
    court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    court.say(proof, V0, s0="true", s1="unserved")
    court.say(proof, V1, s0="true", s2="true")
    assert facts.Awaited(What.WORDS, RUN, 1, proof, V1) not in court.state.open
    assert not court.proof().faults


def test_who_returns_is_awaited_once_more() -> None:
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    court.lapse(What.WORDS, proof, V2, by=[V0, V1])
    awaited = facts.Awaited(What.WORDS, RUN, 1, proof, V2)
    court.enter(facts.Returned(RUN, V2, court.state.size))
    assert awaited in court.state.open
    court.lapse(What.WORDS, proof, V2, by=[V0, V1])
    court.enter(facts.Returned(RUN, V2, court.state.size))
    assert awaited not in court.state.open


def test_words_that_come_after_the_end_owe_their_trace() -> None:
    """Who waits for the pledge and then says what it says has to show what it replayed."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0)
    court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    court.secret(V2, "1")
    court.say(proof, V2, s0="true", s1="true", s2="true")
    court.say(proof, V0, s2="true")
    court.pledge(proof)
    assert court.proof().stage is Stage.POSTED
    court.say(proof, V1, s0="true", s2="true", trace="invented")
    assert facts.Awaited(What.TRACE, RUN, 1, proof, V1) in court.state.open


@pytest.mark.parametrize("stage", ["before", "after"])
def test_what_was_said_is_not_entered_again(stage: str) -> None:
    """The log grows by nobody's repetition."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0, s0="true", s1="unserved")
    court.say(proof, V0, s1="true")
    if stage == "after":
        court.say(proof, V1)
    for words in ({"s1": "unserved"}, {"s1": "true"}, {"s0": "true"}):
        with pytest.raises(AlreadySaid):
            court.say(proof, V0, **words)


def test_who_lost_a_seat_is_waited_for_on_the_bench() -> None:
    """A secret that came late takes the seat, and not the word: else one liar more would decide nothing for ever."""
    court = Court()
    proof, _ = court.drawn()
    court.secret(V0, "1")
    court.lapse(What.SECRET, NO_PROOF, V1, by=[V0, V2])
    court.secret(V2, "2")
    court.open(proof)
    court.say(proof, V2)
    court.say(proof, V0, s0="true", s1="false")
    assert facts.Awaited(What.WORDS, RUN, 1, proof, V1) in court.state.open
    found = court.say(proof, V1, s1="true") + court.say(proof, V2, s1="true")
    assert SegmentDecided(proof, 1, True, None) in found


def test_who_lied_about_an_undecided_proof_is_found_late() -> None:
    court = Court()
    proof, other = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1, s0="true", s2="true")
    court.lapse(What.WORDS, proof, V2, by=[V0, V1])
    court.lapse(What.WORDS, proof, V2, by=[V0, V1])
    court.say(proof, V1, s1="true")
    court.post(other)
    court.merge()
    assert court.state.proofs[proof].stage is Stage.UNDECIDED
    found = court.say(proof, V2, s1="true")
    assert VerifierFault(RUN, 1, proof, V0, Fault.FALSE_WORD) in found
    assert court.state.proofs[proof].stage is Stage.UNDECIDED


def test_unserved_after_k_said_true_answers_nothing() -> None:
    """Who waits until the bench has read and then says that it got no bytes still owes its word."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0)
    court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    court.secret(V2, "1")
    court.say(proof, V2, s0="true", s1="true", s2="true")
    court.say(proof, V0, s2="true")
    court.say(proof, V1, s0="unserved", s2="unserved")
    found = court.lapse(What.WORDS, proof, V1, by=[V0, V2])
    assert VerifierFault(RUN, 1, proof, V1, Fault.FELL_SILENT) in found
