"""Words and the full bench (J8 to J12)."""

from __future__ import annotations

import pytest

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
from tests.contracts.protocol.judge.court import Court

pytestmark = pytest.mark.unit


def test_what_is_not_questioned_is_cleared_by_its_drawers() -> None:
    court = Court()
    proof, _ = court.read()
    assert court.say(proof, "v0") == []
    assert court.say(proof, "v1") == [PanelSpoken(proof)]


def test_every_drawn_segment_needs_a_word() -> None:
    """F1: a verdict that names the lowest missing segment alone cleared the others unread."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, "v0", s0="true")
    court.say(proof, "v1")
    assert court.proof().stage is Stage.READING


def test_k_false_words_void_and_cost_stake() -> None:
    court = Court()
    proof, _ = court.read()
    assert court.say(proof, "v0", s0="true", s1="false")[0] == BenchCalled(proof, 1, ("v0", "v1", "v2"))
    court.say(proof, "v1")
    found = court.say(proof, "v2", s1="false")
    assert SegmentDecided(proof, 1, False, Reason.REPLAY) in found
    assert Voided(proof, Reason.REPLAY, 1) in found
    assert court.pledge(proof) == [FaultDerived(proof, "n0", True, Reason.REPLAY, True)]
    assert court.state.slashes == {proof: ("n0", 100)}


def test_one_liar_does_not_void_and_is_found() -> None:
    court = Court()
    proof, _ = court.read()
    court.say(proof, "v0", s0="true", s1="false")
    court.say(proof, "v1")
    found = court.say(proof, "v2", s1="true")
    assert SegmentDecided(proof, 1, True, None) in found
    assert VerifierFault("r", 1, proof, "v0", Fault.FALSE_WORD) in found
    assert Overruled("r", proof, "v0", 4) in found
    assert PanelSpoken(proof) in found


def test_who_passed_a_fake_is_found() -> None:
    court = Court()
    proof, _ = court.read("1", "1")
    court.say(proof, "v0")
    court.say(proof, "v1", s0="true", s1="false")
    found = court.say(proof, "v2", s1="false")
    assert VerifierFault("r", 1, proof, "v0", Fault.PASSED_A_FAKE) in found


def test_one_liar_and_one_absentee_leave_the_proof_waiting() -> None:
    """F32: honest work is neither void nor at fault; it waits for k equal words until its epoch ends."""
    court = Court()
    proof, other = court.read()
    court.say(proof, "v0", s0="true", s1="false")
    court.say(proof, "v1")
    court.lapse(What.WORDS, proof, "v2", by=["v0", "v1"])
    assert court.proof().stage is Stage.READING
    court.post(other)
    court.merge()
    assert court.state.proofs[proof].stage is Stage.UNDECIDED
    assert court.state.slashes == {}


def test_the_reason_is_that_of_most() -> None:
    """F7: one verifier's reason does not spare a stake."""
    court = Court(k=3, panel=3)
    proofs = court.drawn()
    for verifier in ("v0", "v1", "v2"):
        court.secret(verifier, "1")
    court.open(proofs[0])
    for verifier, reason in (("v0", Reason.START), ("v1", Reason.REPLAY), ("v2", Reason.REPLAY)):
        words = (SegmentWord(0, Word.TRUE), SegmentWord(1, Word.FALSE, reason))
        court.enter(facts.Words(proofs[0], verifier, words, "witness"))
    assert court.proof().void == (Reason.REPLAY, 1)


def test_drift_is_no_word_in_a_bit_exact_run() -> None:
    court = Court()
    proof, _ = court.read()
    with pytest.raises(NotBound):
        court.say(proof, "v0", s1="drift")


def test_unserved_and_false_count_together_after_a_second_look() -> None:
    """F14: bytes that half of the bench gets do not let a cheat go free."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, "v0", s0="true", s1="false")
    court.say(proof, "v1")
    found = court.say(proof, "v2", s1="unserved")
    assert found == [SecondLook(proof, 1)]
    found = court.lapse(What.SECOND_LOOK, proof, "1", by=["v0", "v2"])
    assert Voided(proof, Reason.UNSERVED, 1) in found


def test_unserved_is_replaced_in_the_second_look() -> None:
    """F10: who could not get bytes for a while voids nobody, and is overruled by nobody."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, "v0", s0="true", s1="false")
    court.say(proof, "v1")
    court.say(proof, "v2", s1="unserved")
    found = court.say(proof, "v2", s1="true")
    assert SegmentDecided(proof, 1, True, None) in found
    assert not any(isinstance(entry, Overruled) and entry.verifier == "v2" for entry in found)


def test_a_second_word_of_another_class_is_evidence() -> None:
    court = Court()
    proof, _ = court.read()
    court.say(proof, "v0", s0="true", s1="true")
    with pytest.raises(AlreadySaid):
        court.say(proof, "v0", s1="true")
    found = court.say(proof, "v0", s1="false")
    assert VerifierFault("r", 1, proof, "v0", Fault.TWO_WORDS) in found
    assert BenchCalled(proof, 1, ("v0", "v1", "v2")) in found


def test_a_word_on_a_segment_that_was_not_asked_is_refused() -> None:
    court = Court()
    proof, _ = court.read()
    for verifier in ("v2", "stranger"):
        with pytest.raises(NotSeated):
            court.say(proof, verifier, s1="false")
    with pytest.raises(NotSeated):
        court.say(proof, "v0", s2="false")


def test_who_drew_and_falls_silent_puts_its_draw_before_the_bench() -> None:
    """Twice lapsed it costs stake, once a round."""
    court = Court()
    proof, _ = court.read()
    found = court.lapse(What.WORDS, proof, "v1", by=["v0", "v2"])
    assert [entry.segment for entry in found if isinstance(entry, BenchCalled)] == [0, 2]
    found = court.lapse(What.WORDS, proof, "v1", by=["v0", "v2"])
    assert VerifierFault("r", 1, proof, "v1", Fault.FELL_SILENT) in found
    assert court.state.runs["r"].away["v1"]
