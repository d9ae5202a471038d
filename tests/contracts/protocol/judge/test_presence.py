"""Who is there, and what of a stake is free (J4, J6, J12, J14)."""

from __future__ import annotations

import pytest

from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import RoundOpened
from contracts.protocol.judge.errors import NotBound
from tests.contracts.protocol.judge.court import NODES, TERMS, Court

pytestmark = pytest.mark.unit


def second_run(court: Court, **nodes: int) -> RoundOpened:
    """A second run of the same nodes, and its opening."""
    court.enter(facts.RunCreated("s", "creator", 2, TERMS, "rounds=1", "t", "m", "zero"))
    for verifier in court.verifiers:
        court.enter(facts.Anchored("s", verifier, verifier, 10, "exact", 1))
    found = [d for node in NODES for d in court.enter(facts.Enrolled("s", node, f"wallet of {node}", 1, "exact", 1))]
    opened = found[-1]
    assert isinstance(opened, RoundOpened)
    return opened


def test_a_stake_counts_in_one_run_at_a_time() -> None:
    """F8: what is in flight in one run backs nothing in another."""
    court = Court(audit_floor=1)
    assert court.state.reserved == {"n0": 100, "n1": 100}
    opened = second_run(court)
    assert [(node.rate, node.staked) for node in opened.nodes] == [(1_000_000, False), (1_000_000, False)]


def test_what_is_at_fault_stays_reserved_until_slashed() -> None:
    court = Court("rounds=2", canaries=0)
    proof, other = court.read(n0=3)
    court.post(proof)
    court.post(other)
    assert court.state.reserved == {"n0": 100}
    court.block(facts.NodeStake("n0", 50), facts.NodeSlashed(proof), seconds=5)
    assert court.state.reserved == {}


def test_a_round_opens_only_with_enough_verifiers() -> None:
    """F32: n counts who is there; with fewer than 2k - 1 the run waits."""
    court = Court("rounds=2")
    court.block(facts.VerifierStands("v2", False, 0), seconds=5)
    for proof in court.read():
        court.post(proof)
    assert not any(isinstance(entry, RoundOpened) for entry in court.merge())
    found = court.block(facts.VerifierStands("v2", True, 10), seconds=5)
    assert isinstance(found[-1], RoundOpened)


def test_who_was_slashed_counts_but_takes_no_seat() -> None:
    court = Court("rounds=2")
    court.block(facts.VerifierStands("v2", True, 5, slashed=True), seconds=5)
    for proof in court.read():
        court.post(proof)
    opened = court.merge()[-1]
    assert isinstance(opened, RoundOpened)
    assert opened.verifiers == ("v0", "v1")


def test_the_manifest_bounds_who_takes_part_and_stake_decides() -> None:
    """F6: a crowd of identities without stake takes nobody's place."""
    court = Court("rounds=2", max_nodes=2)
    for number in range(20):
        court.enter(facts.Enrolled("r", f"a{number}", "wallet", 1, "exact", 1))
    for proof in court.read():
        court.post(proof)
    opened = court.merge()[-1]
    assert isinstance(opened, RoundOpened)
    assert [node.node for node in opened.nodes] == ["n0", "n1"]


def test_a_profile_that_the_manifest_does_not_name_is_refused() -> None:
    court = Court()
    with pytest.raises(NotBound):
        court.enter(facts.Enrolled("r", "n5", "wallet", 1, "other", 1))


def test_a_new_anchor_counts_from_the_next_round_but_one() -> None:
    """Nobody chooses secrets for a round whose panels are near."""
    court = Court("rounds=3")
    court.enter(facts.Anchored("r", "v0", "other", 10, "exact", 3))
    for proof in court.read():
        court.post(proof)
    court.merge()
    assert court.round.number == 2
    court.drawn()
    court.secret("v0", "1")


def test_who_left_is_not_listed_again() -> None:
    court = Court("rounds=2")
    court.enter(facts.Left("r", "n1", 2))
    for proof in court.read():
        court.post(proof)
    opened = court.merge()[-1]
    assert isinstance(opened, RoundOpened)
    assert [node.node for node in opened.nodes] == ["n0"]
