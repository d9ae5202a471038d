"""Pledges, posts and voids (J10, J13), and the verifiers' traces (J12)."""

from __future__ import annotations

import pytest

from contracts.ids import as_address
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import BenchCalled, Fault, FaultDerived, Lapsed, Posted, VerifierFault, Voided
from contracts.protocol.judge.errors import NotBound, NotSeated, OutOfTime
from contracts.protocol.judge.facts import Reason, What
from contracts.protocol.judge.state import Stage
from tests.contracts.protocol.judge.court import N0, N1, RUN, V0, V1, V2, V3, Court
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def test_an_honest_pledge_posts_what_was_read() -> None:
    court = Court()
    proof, _ = court.read()
    assert court.post(proof)[0] == Posted(proof, as_address("wallet of n0"), 64)


def test_a_pledge_is_sealed_until_the_reading_ended() -> None:
    """F22: nobody has a canary named before the words are said."""
    court = Court()
    proof, _ = court.read()
    with pytest.raises(OutOfTime):
        court.pledge(proof)
    court.say(proof, V0)
    court.say(proof, V1)
    with pytest.raises(NotBound):
        court.enter(facts.PledgeOpened(proof, "another salt", None))


def test_a_pledge_that_does_not_come_costs_after_two_periods() -> None:
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0)
    court.say(proof, V1)
    lapsed = court.lapse(What.PLEDGE, proof, N0)[-1]
    assert isinstance(lapsed, Lapsed)
    assert lapsed.period == 1
    found = court.lapse(What.PLEDGE, proof, N0)
    assert Voided(proof, Reason.PLEDGE_WITHHELD, None) in found
    assert FaultDerived(proof, N0, True, Reason.PLEDGE_WITHHELD, True) in found


def test_a_canary_that_nobody_drew_is_unpaid_and_blameless() -> None:
    court = Court()
    proof, _ = court.read(n0=3)
    found = court.post(proof)
    assert Voided(proof, Reason.CANARY, 3) in found
    assert FaultDerived(proof, N0, False, Reason.CANARY, False) in found
    assert court.state.reserved == {N1: 100}


@holds(
    "A canary is not paid, and a verifier that accepted it is named",
    by="contracts/protocol/judge/rules/verdicts.py:due_end",
    against=Threat.BAD_VERIFIER,
)
def test_a_canary_that_was_passed_goes_to_the_bench() -> None:
    court = Court()
    proof, _ = court.read(n0=1)
    found = court.post(proof)
    assert BenchCalled(proof, 1, (V0, V1, V2)) in found
    court.say(proof, V1, s1="false")
    found = court.say(proof, V2, s1="false")
    assert VerifierFault(RUN, 1, proof, V0, Fault.PASSED_A_FAKE) in found
    assert FaultDerived(proof, N0, False, Reason.CANARY, False) in found


def test_a_pledge_excuses_its_own_segment_only() -> None:
    court = Court()
    proof, _ = court.read(n0=3)
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    court.say(proof, V2, s1="false")
    assert court.pledge(proof) == [FaultDerived(proof, N0, True, Reason.REPLAY, True)]


def test_canaries_beyond_the_manifests_rate_are_at_fault() -> None:
    court = Court(canaries=0)
    proof, _ = court.read(n0=3)
    assert FaultDerived(proof, N0, True, Reason.REPLAY, True) in court.post(proof)


def test_a_void_sets_the_record_back() -> None:
    court = Court(audit_floor=200_000)
    proof, other = court.read(n0=3)
    court.post(proof)
    court.post(other)
    nodes = court.state.runs[RUN].nodes
    assert (nodes[N0].record.accepted, nodes[N0].record.owed) == (0, 32)
    assert nodes[N1].record.accepted == 1


def test_a_trace_against_k_equal_ones_is_a_fault() -> None:
    court = Court(k=3, panel=3)
    proof, _ = court.drawn()
    for verifier in (V0, V1, V2):
        court.secret(verifier, "1")
    court.open(proof)
    court.say(proof, V0)
    court.say(proof, V1, s0="false", s1="true")
    court.say(proof, V2, trace="copied")
    court.say(proof, V3, s0="true")
    court.say(proof, as_address("v4"), s0="true")
    court.pledge(proof)
    assert court.proof().stage is Stage.POSTED
    for verifier, trace in ((V0, "trace"), (V1, "trace"), (V2, "copied")):
        assert court.enter(facts.TraceShown(proof, verifier, trace)) == []
    assert not any(fault is Fault.WRONG_TRACE for _, fault in court.proof().faults)


def test_a_trace_is_what_was_sealed_and_twice_withheld_costs() -> None:
    """F17: only k verifiers, twice, can say that a trace was not shown."""
    court = Court()
    proof, _ = court.read()
    court.say(proof, V0)
    with pytest.raises(OutOfTime):
        court.enter(facts.TraceShown(proof, V0, "trace"))
    court.say(proof, V1, trace="other")
    court.pledge(proof)
    with pytest.raises(NotBound):
        court.enter(facts.TraceShown(proof, V1, "trace"))
    with pytest.raises(NotSeated):
        court.enter(facts.TraceShown(proof, V2, "trace"))
    court.enter(facts.TraceShown(proof, V0, "trace"))
    court.lapse(What.TRACE, proof, V1, by=[V0, V2])
    found = court.lapse(What.TRACE, proof, V1, by=[V0, V2])
    assert VerifierFault(RUN, 1, proof, V1, Fault.TRACE_WITHHELD) in found
