"""What is merged, and from where the next round goes on (J15)."""

from __future__ import annotations

import pytest

from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import MergeSet, RoundMerged, RoundOpened
from contracts.protocol.judge.errors import AlreadySaid, OutOfTime
from contracts.protocol.judge.facts import What
from tests.contracts.protocol.judge.court import Court

pytestmark = pytest.mark.unit


def test_the_merge_is_of_exactly_the_posted_gradients() -> None:
    """F16: their digests are the log's, whatever a server names."""
    court = Court("rounds=2")
    proof, cheat = court.read()
    court.say(cheat, "v0", s0="true", s1="false")
    court.say(cheat, "v1")
    court.say(cheat, "v2", s1="false")
    found = court.post(proof)
    assert found[-1] == MergeSet("r", 1, (proof,), ("gradient of n0 in 1",))
    opened = court.merge()
    assert RoundMerged("r", 1, "theta1", "momentum1") in opened
    last = opened[-1]
    assert isinstance(last, RoundOpened)
    assert {node.node: node.inner for node in last.nodes} == {"n0": "inner of n0 after 1", "n1": "zero"}


def test_k_equal_merges_and_no_fewer() -> None:
    court = Court()
    for proof in court.read():
        court.post(proof)
    court.enter(facts.MergeSigned("r", 1, "v0", "other", "momentum"))
    assert court.merge(by=["v1"]) == []
    with pytest.raises(AlreadySaid):
        court.merge(by=["v1"])
    assert court.merge(by=["v2"])[0] == RoundMerged("r", 1, "theta1", "momentum1")


def test_nothing_is_signed_before_the_set_stands() -> None:
    court = Court()
    court.read()
    with pytest.raises(OutOfTime):
        court.merge()


def test_a_round_of_nobody_leaves_the_weights() -> None:
    court = Court("rounds=2")
    court.lapse(What.COMMITMENT, "", "n0")
    found = court.lapse(What.COMMITMENT, "", "n1")
    assert RoundMerged("r", 1, "theta0", "momentum0") in found
    assert court.state.runs["r"].round == 1
    opened = court.enter(facts.Returned("r", "n0", court.state.size))
    assert [type(entry) for entry in opened] == [RoundOpened]


def test_what_waits_is_left_out_of_the_weights() -> None:
    court = Court("rounds=2")
    proof, other = court.read()
    court.say(proof, "v0", s0="true", s1="false")
    court.say(proof, "v1")
    court.lapse(What.WORDS, proof, "v2", by=["v0", "v1"])
    court.lapse(What.WORDS, proof, "v2", by=["v0", "v1"])
    found = court.post(other)
    assert found[-1] == MergeSet("r", 1, (other,), ("gradient of n1 in 1",))
