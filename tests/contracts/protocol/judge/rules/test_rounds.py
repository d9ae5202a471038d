"""From the opening of a round to its beacon (J4 to J6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.ids import NO_PROOF, Address, ProofId, as_address
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import BeaconFixed, BeaconMissed, Lapsed, PanelDrawn, RoundClosed, RoundOpened
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime, UnknownSubject
from contracts.protocol.judge.facts import What
from contracts.protocol.judge.state import Phase, Stage
from tests.contracts.protocol.judge.court import N0, N1, RUN, STRANGER, V0, V1, V2, Court, block_hash
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def test_a_round_closes_when_k_verifiers_hold_every_proof() -> None:
    court = Court()
    first, second = court.commit(N0), court.commit(N1)
    assert court.has(first, second, by=[V0]) == []
    closed = court.has(first, second, by=[V1])
    assert closed == [RoundClosed(RUN, 1, (first, second), court.time + 30)]


@holds(
    "A gradient that fewer than k verifiers hold is excluded without blame, before the beacon is known",
    by="contracts/protocol/judge/rules/rounds.py:due_closing",
    against=Threat.FALSE_WORK,
)
def test_bytes_that_fewer_than_k_hold_are_out_and_blameless() -> None:
    """F14: nothing is merged or judged that could vanish, and no coin is known yet."""
    court = Court()
    kept, gone = court.commit(N0), court.commit(N1)
    court.has(kept)
    court.has(gone, by=[V0])
    closed = court.lapse(What.COMMITMENT, NO_PROOF, N1)
    assert closed[-1] == RoundClosed(RUN, 1, (kept,), court.time + 30)
    assert court.state.proofs[gone].stage is Stage.OUT
    assert court.state.reserved == {N0: 100}


def test_one_verifier_alone_lapses_nobody() -> None:
    """F13, F29: neither a clock nor the operator's word ends a node's time."""
    court = Court()
    assert court.lapse(What.COMMITMENT, NO_PROOF, N1, by=[V2]) == []
    assert court.round.phase is Phase.OPEN


def test_a_lapsed_node_is_not_awaited_until_it_returns() -> None:
    court = Court("rounds=3")
    court.has(court.commit(N0))
    lapsed = court.lapse(What.COMMITMENT, NO_PROOF, N1)[0]
    assert isinstance(lapsed, Lapsed)
    assert lapsed.period == 1
    court.seen()
    court.block()
    court.secret(V0, "1")
    court.secret(V1, "2")
    court.open(ProofId("proof of n0 in 1"))
    court.post(ProofId("proof of n0 in 1"))
    opened = court.merge()[-1]
    assert isinstance(opened, RoundOpened)
    assert [(node.node, node.awaited) for node in opened.nodes] == [(N0, True), (N1, False)]
    with pytest.raises(OutOfTime):
        court.enter(facts.Returned(RUN, N1, 5))
    court.enter(facts.Returned(RUN, N1, court.state.size))
    assert court.state.runs[RUN].nodes[N1].away is None


def test_who_was_not_awaited_may_commit_until_the_round_closes() -> None:
    court = Court("rounds=3")
    court.has(court.commit(N0))
    court.lapse(What.COMMITMENT, NO_PROOF, N1)
    with pytest.raises(OutOfTime):
        court.commit(N1)


@holds(
    "A commitment is bound to the public inputs of its round",
    by="contracts/protocol/judge/rules/rounds.py:take_commitment",
    against=Threat.FALSE_WORK,
)
def test_a_commitment_is_bound_to_the_public_inputs() -> None:
    """F28: a proof that starts elsewhere than the round, or than the node's own moments, is none."""
    court = Court()
    for changes in (
        {"theta": "x"},
        {"inner": "x"},
        {"data_seed": "x"},
        {"config": "x"},
        {"tokens": 65},
        {"segments": 5},
    ):
        with pytest.raises(NotBound):
            court.commit(N0, **changes)
    with pytest.raises(NotSeated):
        court.enter(replace(court.commitment(N0), node=STRANGER))
    court.commit(N0)
    with pytest.raises(AlreadySaid):
        court.commit(N0, proof="another")


def test_the_beacon_draws_once_k_saw_the_closing_entry() -> None:
    court = Court()
    first, second = court.close()
    court.seen()
    assert court.block(seconds=10) == []
    fixed, *drawn = court.block(seconds=25)
    order, beacon = (V0, V1, V2), block_hash(court.time)
    assert fixed == BeaconFixed(RUN, 1, court.time, beacon)
    assert drawn == [PanelDrawn(name, beacon, True, order, order[:2]) for name in (first, second)]


@holds(
    "The order in which the server enters messages neither selects a beacon nor makes one missed",
    by="contracts/protocol/judge/rules/rounds.py:due_beacon",
    against=Threat.REWRITTEN_LOG,
)
def test_when_a_seen_is_entered_decides_nothing() -> None:
    """An operator that enters the block first neither picks another beacon nor makes one missed."""
    court = Court()
    court.close()
    assert [type(entry) for entry in court.block()] == [BeaconFixed]
    beacon = court.state.block
    court.block()
    court.seen()
    assert court.round.phase is Phase.READING
    assert beacon is not None
    assert court.proof().beacon == beacon.hash


def test_a_beacon_unseen_by_k_is_drawn_later_and_all_is_read() -> None:
    """F18: whoever knows the beacon gains no unread proof by it, nor a second one that is known as well."""
    court = Court(audit_floor=1, stakes=100)
    court.close()
    closed_at = court.round.closed_at
    court.seen(by=[V0])
    court.block()
    missed = court.lapse(What.SEEN, NO_PROOF, "")
    assert [type(entry) for entry in missed] == [Lapsed, BeaconMissed]
    with pytest.raises(AlreadySaid):
        court.enter(facts.Seen(RUN, 1, V0, closed_at, "root"))
    assert [type(entry) for entry in court.block()] == [BeaconFixed]
    court.seen(by=[V0])
    court.seen(by=[V1])
    for node in (N0, N1):
        assert court.proof(node).audited
        assert list(court.proof(node).seats) == [V0, V1, V2]


def test_a_root_of_another_log_is_refused() -> None:
    court = Court()
    court.close()
    court.state.leaves, court.state.roots = court.state.size, {court.round.closed_at: "this log's"}
    court.seen(by=[V0], root="this log's")
    with pytest.raises(NotBound, match="another log"):
        court.seen(by=[V1], root="another root")
    assert [type(entry) for entry in court.block()] == [BeaconFixed]


def test_nobody_passes_over_the_beacons_block() -> None:
    court = Court()
    court.close()
    court.seen()
    with pytest.raises(NotBound):
        court.enter(facts.Block(10**6, court.time + 400, "later", (), court.time + 390))


@pytest.mark.parametrize("by", ["stranger", N0])
def test_strangers_have_no_word_in_a_round(by: Address) -> None:
    court = Court()
    proof = court.commit(N0)
    with pytest.raises(NotSeated):
        court.has(proof, by=[by])
    with pytest.raises(NotSeated):
        court.lapse(What.COMMITMENT, NO_PROOF, N1, by=[by])
    with pytest.raises(UnknownSubject):
        court.has(ProofId("no such proof"))


def test_seen_is_refused_early_of_another_entry_and_twice() -> None:
    court = Court()
    with pytest.raises(OutOfTime):
        court.seen()
    court.close()
    with pytest.raises(NotBound):
        court.enter(facts.Seen(RUN, 1, V0, court.round.closed_at - 1, "root"))
    court.seen(by=[V0])
    with pytest.raises(AlreadySaid):
        court.seen(by=[V0])


def test_at_least_k_sit_whatever_the_manifest_says() -> None:
    court = Court(panel=1)
    court.drawn()
    assert list(court.proof().seats) == [V0, V1]


def test_an_absent_verifier_sits_last() -> None:
    court = Court()
    court.close()
    court.state.runs[RUN].away[V0] = 5
    court.seen()
    court.block()
    assert court.proof().order == (V1, V2, V0)
    assert list(court.proof().seats) == [V1, V2]


def test_a_block_may_take_several_entries() -> None:
    """Its beacon and its stakes count when all of it is there."""
    court = Court()
    court.close()
    court.seen()
    first = facts.Block(2000, 2000, "hash", (chain_events.NodeStake(as_address("x"), 1),), 1000, more=True)
    assert court.enter(first) == []
    with pytest.raises(NotBound):
        court.enter(facts.Block(2001, 2001, "other", (), 2000))
    drawn = court.enter(replace(first, events=(chain_events.NodeStake(as_address("y"), 1),), more=False))
    assert [type(entry) for entry in drawn] == [BeaconFixed, PanelDrawn, PanelDrawn]


def test_nobody_says_has_seen_or_lapse_twice() -> None:
    court = Court()
    proofs = court.close()
    court.has(*proofs, by=[V2])
    with pytest.raises(AlreadySaid):
        court.has(*proofs, by=[V2])
    court.seen()
    court.block()
    court.seen(by=[V2])
    with pytest.raises(AlreadySaid):
        court.seen(by=[V2])
