"""What is due of a verifier and of a node follows from the log alone (J2)."""

from __future__ import annotations

import pytest

from contracts.ids import NO_PROOF, Address
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import EpochClosed
from contracts.protocol.judge.rules import duties
from contracts.protocol.judge.rules.duties import (
    Combine,
    ComeBack,
    Commit,
    Hold,
    Open,
    OpenPledge,
    Read,
    Reveal,
    See,
    SignEpoch,
    SignFault,
    Trace,
)
from tests.contracts.protocol.judge.court import N0, N1, RUN, STRANGER, V0, V1, V2, Court

pytestmark = pytest.mark.unit


def of_verifier(court: Court, name: Address = V0) -> list[object]:
    return list(duties.of_verifier(court.state, name))


def of_node(court: Court, name: Address = N0) -> list[object]:
    return list(duties.of_node(court.state, name))


def test_an_honest_round_asks_for_one_thing_after_the_other() -> None:
    """Whoever does what is due brings the run to its end."""
    court = Court()
    assert of_node(court) == [Commit(RUN, 1, "theta0", "zero")]
    first, second = court.commit(N0), court.commit(N1)
    assert of_verifier(court) == [Hold(first), Hold(second)]
    court.has(first, second)
    assert of_verifier(court) == [See(RUN, 1, court.round.closed_at, court.round.beacon_time)]
    court.seen()
    court.block()
    assert of_verifier(court) == [Reveal(RUN, 1)]
    court.secret(V0, "1")
    court.secret(V1, "2")
    assert of_node(court) == [Open(first, (0, 1, 2, 3))]
    for proof in (first, second):
        court.open(proof)
    assert of_verifier(court) == [Read(first, (0, 1)), Read(second, (0, 1))]
    court.say(first, V0)
    court.say(first, V1)
    assert of_node(court) == [OpenPledge(first)]
    court.pledge(first)
    assert of_verifier(court) == [Trace(first), Read(second, (0, 1))]
    court.show(first)
    court.post(second)
    assert of_verifier(court) == [Combine(RUN, 1, ("gradient of n0 in 1", "gradient of n1 in 1"))]
    court.merge()
    assert of_verifier(court) == [SignEpoch(1)]
    assert of_node(court) == []


def test_an_unseated_verifier_reads_only_what_the_bench_must() -> None:
    court = Court()
    proof, _ = court.read()
    assert of_verifier(court, V2) == []
    court.say(proof, V0, s0="true", s1="false")
    assert of_verifier(court, V2) == [Read(proof, (1,))]


def test_who_lapsed_has_to_come_back() -> None:
    court = Court()
    court.drawn()
    court.lapse(facts.What.SECRET, NO_PROOF, V1, by=[V0, V2])
    assert of_verifier(court, V1)[0] == ComeBack(RUN, court.state.runs[RUN].away[V1])
    court = Court()
    court.lapse(facts.What.COMMITMENT, NO_PROOF, N1)
    assert ComeBack(RUN, court.state.runs[RUN].nodes[N1].away or 0) in of_node(court, N1)


def test_a_fault_is_signed_under_a_final_root_and_until_a_slash() -> None:
    """Whoever was shown another log has spoken by then."""
    court = Court("rounds=2")
    proof, other = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1, s0="true", s2="true")
    court.say(proof, V2, s1="false")
    court.pledge(proof)
    court.post(other)
    court.show(proof)
    court.merge()
    assert not any(isinstance(duty, SignFault) for duty in of_verifier(court))
    closed = next(entry for entry in court.log if isinstance(entry, EpochClosed))
    court.block(chain_events.EpochFinal(1, 0, closed.root), seconds=5)
    assert SignFault(proof, N0, "") in of_verifier(court)
    court.block(chain_events.NodeSlashed(proof), seconds=5)
    assert not any(isinstance(duty, SignFault) for duty in of_verifier(court))
    assert court.state.faults == {}


def test_nothing_is_due_of_strangers() -> None:
    court = Court()
    court.read()
    assert of_verifier(court, STRANGER) == []
    assert of_node(court, STRANGER) == []
