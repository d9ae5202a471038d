"""What is merged, and from where the next round goes on (J15)."""

from __future__ import annotations

import pytest

from contracts.ids import NO_PROOF
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import MergeSet, RoundMerged, RoundOpened
from contracts.protocol.judge.errors import AlreadySaid, OutOfTime
from contracts.protocol.judge.facts import What
from tests.contracts.protocol.judge.court import N0, N1, RUN, V0, V1, V2, Court

pytestmark = pytest.mark.unit


def test_the_merge_is_of_exactly_the_posted_gradients() -> None:
    """F16: their digests are the log's, whatever a server names."""
    court = Court("rounds=2")
    proof, cheat = court.read()
    court.say(cheat, V0, s0="true", s1="false")
    court.say(cheat, V1)
    court.say(cheat, V2, s1="false")
    found = court.post(proof)
    assert found[-1] == MergeSet(RUN, 1, (proof,), ("gradient of n0 in 1",))
    opened = court.merge()
    assert RoundMerged(RUN, 1, "theta1", "momentum1") in opened
    last = opened[-1]
    assert isinstance(last, RoundOpened)
    assert {node.node: node.inner for node in last.nodes} == {N0: "inner of n0 after 1", N1: "zero"}


def test_k_equal_merges_and_no_fewer() -> None:
    court = Court()
    for proof in court.read():
        court.post(proof)
    court.enter(facts.MergeSigned(RUN, 1, V0, "other", "momentum"))
    assert court.merge(by=[V1]) == []
    with pytest.raises(AlreadySaid):
        court.merge(by=[V1])
    assert court.merge(by=[V2])[0] == RoundMerged(RUN, 1, "theta1", "momentum1")


def test_nothing_is_signed_before_the_set_stands() -> None:
    court = Court()
    court.read()
    with pytest.raises(OutOfTime):
        court.merge()


def test_a_round_of_nobody_leaves_the_weights() -> None:
    court = Court("rounds=2")
    court.lapse(What.COMMITMENT, NO_PROOF, N0)
    found = court.lapse(What.COMMITMENT, NO_PROOF, N1)
    assert RoundMerged(RUN, 1, "theta0", "momentum0") in found
    assert court.state.runs[RUN].round == 1
    opened = court.enter(facts.Returned(RUN, N0, court.state.size))
    assert [type(entry) for entry in opened] == [RoundOpened]


def test_what_waits_is_left_out_of_the_weights() -> None:
    court = Court("rounds=2")
    proof, other = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    court.lapse(What.WORDS, proof, V2, by=[V0, V1])
    court.lapse(What.WORDS, proof, V2, by=[V0, V1])
    found = court.post(other)
    assert found[-1] == MergeSet(RUN, 1, (other,), ("gradient of n1 in 1",))
