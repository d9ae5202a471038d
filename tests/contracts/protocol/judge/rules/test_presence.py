"""Who is there, and what of a stake is free (J4, J6, J12, J14)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.ids import RunId, as_address
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import RoundOpened
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime
from contracts.protocol.judge.rules import presence
from contracts.protocol.judge.terms import RANGES
from tests.contracts.protocol.judge.court import CREATOR, N0, N1, NODES, RUN, STRANGER, TERMS, V0, V1, V2, WALLET, Court
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def second_run(court: Court, **nodes: int) -> RoundOpened:
    """A second run of the same nodes, and its opening."""
    court.enter(facts.RunCreated(RunId("s"), CREATOR, 2, TERMS, "rounds=1", "t", "m", "zero"))
    for verifier in court.verifiers:
        court.enter(facts.Anchored(RunId("s"), verifier, verifier, 10, "exact", 1))
    found = [
        d
        for node in NODES
        for d in court.enter(facts.Enrolled(RunId("s"), node, as_address(f"wallet of {node}"), 1, "exact", 1))
    ]
    opened = found[-1]
    assert isinstance(opened, RoundOpened)
    return opened


@holds(
    "A stake backs one run at a time",
    by="contracts/protocol/judge/rules/presence.py:reserve",
    against=Threat.FALSE_WORK,
)
def test_a_stake_counts_in_one_run_at_a_time() -> None:
    """F8: what is in flight in one run backs nothing in another."""
    court = Court(audit_floor=1)
    assert court.state.reserved == {N0: 100, N1: 100}
    opened = second_run(court)
    assert [(node.rate, node.staked) for node in opened.nodes] == [(1_000_000, False), (1_000_000, False)]


def test_what_is_at_fault_stays_reserved_until_slashed() -> None:
    court = Court("rounds=2", canaries=0)
    proof, other = court.read(n0=3)
    court.post(proof)
    court.post(other)
    assert court.state.reserved == {N0: 100}
    court.block(chain_events.NodeStake(N0, 50), chain_events.NodeSlashed(proof), seconds=5)
    assert court.state.reserved == {}


def test_a_round_opens_only_with_enough_verifiers() -> None:
    """F32: n counts who is there; with fewer than 2k - 1 the run waits."""
    court = Court("rounds=2")
    court.block(chain_events.VerifierStands(V2, False, 0), seconds=5)
    for proof in court.read():
        court.post(proof)
    assert not any(isinstance(entry, RoundOpened) for entry in court.merge())
    found = court.block(chain_events.VerifierStands(V2, True, 10), seconds=5)
    assert isinstance(found[-1], RoundOpened)


def test_who_was_slashed_counts_but_takes_no_seat() -> None:
    court = Court("rounds=2")
    court.block(chain_events.VerifierStands(V2, True, 5, slashed=True), seconds=5)
    for proof in court.read():
        court.post(proof)
    opened = court.merge()[-1]
    assert isinstance(opened, RoundOpened)
    assert opened.verifiers == (V0, V1)


def test_the_manifest_bounds_who_takes_part_and_stake_decides() -> None:
    """F6: a crowd of identities without stake takes nobody's place."""
    court = Court("rounds=2", max_nodes=2)
    for number in range(20):
        court.enter(facts.Enrolled(RUN, as_address(f"a{number}"), WALLET, 1, "exact", 1))
    for proof in court.read():
        court.post(proof)
    opened = court.merge()[-1]
    assert isinstance(opened, RoundOpened)
    assert [node.node for node in opened.nodes] == [N0, N1]


def test_a_profile_that_the_manifest_does_not_name_is_refused() -> None:
    court = Court()
    with pytest.raises(NotBound):
        court.enter(facts.Enrolled(RUN, as_address("n5"), WALLET, 1, "other", 1))


def test_a_new_anchor_counts_from_the_next_round_but_one() -> None:
    """Nobody chooses secrets for a round whose panels are near."""
    court = Court("rounds=3")
    court.enter(facts.Anchored(RUN, V0, "other", 10, "exact", 3))
    for proof in court.read():
        court.post(proof)
    court.merge()
    assert court.round.number == 2
    court.drawn()
    court.secret(V0, "1")


def test_who_left_is_not_listed_again() -> None:
    court = Court("rounds=2")
    court.enter(facts.Left(RUN, N1, 2))
    for proof in court.read():
        court.post(proof)
    opened = court.merge()[-1]
    assert isinstance(opened, RoundOpened)
    assert [node.node for node in opened.nodes] == [N0]


def test_an_old_enrolment_or_leave_says_nothing() -> None:
    """The operator, or a stranger, enters a node's former payout address or leave again."""
    court = Court("rounds=3")
    court.enter(facts.Enrolled(RUN, N0, as_address("new wallet"), 1, "exact", 5))
    for old in (facts.Enrolled(RUN, N0, as_address("wallet of n0"), 1, "exact", 1), facts.Left(RUN, N0, 4)):
        with pytest.raises(AlreadySaid):
            court.enter(old)
    assert court.state.runs[RUN].nodes[N0].enrolled.payout == "new wallet"
    assert not court.state.runs[RUN].nodes[N0].left


@holds(
    "An old anchor, enrolment or leave cannot be entered again",
    by="contracts/protocol/judge/rules/presence.py:take_anchor",
    against=Threat.FORGED_MESSAGE,
)
def test_an_old_anchor_cannot_be_entered_again() -> None:
    """Its secrets are known by then: every draw would be."""
    court = Court("rounds=3")
    with pytest.raises(OutOfTime):
        court.enter(facts.Anchored(RUN, V0, V0, 10, "exact", 1))
    court.enter(facts.Anchored(RUN, V0, "other", 10, "exact", 4))
    with pytest.raises(OutOfTime):
        court.enter(facts.Anchored(RUN, V0, "other", 10, "exact", 4))


def test_what_counts_in_a_round_is_fixed_when_it_opens() -> None:
    """Anchors of two rounds that follow each other take no secret away."""
    court = Court("rounds=5")
    court.enter(facts.Anchored(RUN, V0, "other", 10, "exact", 3))
    court.enter(facts.Anchored(RUN, V0, "third", 10, "exact", 4))
    court.drawn()
    court.secret(V0, "1")


def test_between_rounds_an_anchor_counts_from_the_next() -> None:
    """Else a run that lacks verifiers once would never open again."""
    court = Court("rounds=2")
    court.block(chain_events.VerifierStands(V2, False, 0), seconds=5)
    for proof in court.read():
        court.post(proof)
    court.merge()
    assert court.round.number == 1
    court.block(chain_events.VerifierStands(as_address("v9"), True, 10), seconds=5)
    opened = court.enter(facts.Anchored(RUN, as_address("v9"), "v9", 10, "exact", 2))
    assert isinstance(opened[-1], RoundOpened)


def test_who_lets_its_secrets_run_out_stops_no_run() -> None:
    court = Court("rounds=3")
    court.enter(facts.Anchored(RUN, V2, "short", 1, "exact", 3))
    for _ in range(2):
        for proof in court.read():
            court.post(proof)
        court.merge()
    assert court.round.number == 3
    assert V2 in court.round.verifiers
    court.state.runs[RUN].anchors[V2] = [facts.Anchored(RUN, V2, "short", 1, "exact", 1)]
    assert court.state.runs[RUN].round == 3


def test_a_strangers_anchor_is_not_remembered() -> None:
    court = Court()
    with pytest.raises(NotSeated):
        court.enter(facts.Anchored(RUN, STRANGER, "anchor", 10, "exact", 9))


def test_a_verifier_judges_under_one_profile() -> None:
    """One that changes it would keep every node of the other profile out of the run."""
    court = Court()
    with pytest.raises(NotBound):
        court.enter(facts.Anchored(RUN, V0, "other", 10, "bounded", 9))


def test_garbage_keeps_no_place() -> None:
    """Identities without a stake deliver bytes that lead nowhere; who has a stake comes before them next round."""
    court = Court("rounds=2", max_nodes=2, stakes=0, canaries=0)
    court.enter(facts.Enrolled(RUN, as_address("a0"), WALLET, 1, "exact", 1))
    court.block(chain_events.NodeStake(as_address("a0"), 100), seconds=5)
    proofs = court.read(n0=3, n1=3)
    for proof in proofs:
        court.post(proof)
    assert court.round.number == 2
    assert "a0" in court.round.listed


def test_a_new_profile_keeps_the_probation() -> None:
    court = Court("rounds=2", audit_floor=200_000, profiles=("exact", "other"))
    proof, other = court.read(n0=3)
    court.post(proof)
    court.post(other)
    court.enter(facts.Enrolled(RUN, N0, WALLET, 1, "other", 2))
    court.enter(facts.Enrolled(RUN, N0, WALLET, 1, "exact", 3))
    assert court.state.runs[RUN].nodes[N0].record.owed == 32


def test_free_identities_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "MOST_STAKELESS", 3)
    court = Court(stakes=0)
    court.enter(facts.Enrolled(RUN, as_address("a0"), WALLET, 1, "exact", 1))
    with pytest.raises(NotSeated):
        court.enter(facts.Enrolled(RUN, as_address("a1"), WALLET, 1, "exact", 1))
    court.block(chain_events.NodeStake(as_address("a1"), TERMS.node_stake - 1), seconds=5)
    with pytest.raises(NotSeated):
        court.enter(facts.Enrolled(RUN, as_address("a1"), WALLET, 1, "exact", 1))
    court.block(chain_events.NodeStake(as_address("a1"), TERMS.node_stake), seconds=5)
    court.enter(facts.Enrolled(RUN, as_address("a1"), WALLET, 1, "exact", 1))


def test_a_node_changes_its_place_a_few_times_a_round() -> None:
    """Each change is an entry of the log for ever, and numbers cost nothing."""
    court = Court("rounds=2")
    for sequence in range(2, 2 + presence.MOST_CHANGES):
        court.enter(facts.Enrolled(RUN, N0, WALLET, 1, "exact", sequence))
    for fact in (facts.Enrolled(RUN, N0, WALLET, 1, "exact", 50), facts.Left(RUN, N0, 50)):
        with pytest.raises(OutOfTime):
            court.enter(fact)
    for proof in court.read():
        court.post(proof)
    court.merge()
    court.enter(facts.Left(RUN, N0, 50))


def test_nodes_without_a_stake_join_in_stated_numbers_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "MOST_NEWCOMERS", 2)
    court = Court("rounds=2")
    for name in (as_address("a0"), as_address("a1")):
        court.enter(facts.Enrolled(RUN, name, WALLET, 1, "exact", 1))
    with pytest.raises(OutOfTime):
        court.enter(facts.Enrolled(RUN, as_address("a2"), WALLET, 1, "exact", 1))
    court.block(chain_events.NodeStake(as_address("a3"), TERMS.node_stake), seconds=5)
    court.enter(facts.Enrolled(RUN, as_address("a3"), WALLET, 1, "exact", 1))
    for proof in court.read():
        court.post(proof)
    court.merge()
    court.enter(facts.Enrolled(RUN, as_address("a2"), WALLET, 1, "exact", 1))


def test_a_stake_of_nothing_is_not_remembered() -> None:
    court = Court()
    court.block(chain_events.NodeStake(STRANGER, 5), chain_events.NodeStake(STRANGER, 0), seconds=5)
    assert "stranger" not in court.state.stakes


@pytest.mark.parametrize(("name", "range_"), list(RANGES.items()))
def test_terms_outside_their_ranges_are_refused(name: str, range_: tuple[int, int]) -> None:
    court = Court()
    for value in (range_[0] - 1, range_[1] + 1):
        changes: dict[str, Any] = {name: value}
        terms = replace(TERMS, **changes)
        created = facts.RunCreated(RunId("s"), CREATOR, 2, terms, "rounds=1", "t", "m", "z")
        with pytest.raises(NotBound, match=name):
            court.enter(created)


def test_only_the_models_creator_opens_runs() -> None:
    court = Court()
    with pytest.raises(NotSeated):
        court.enter(facts.RunCreated(RunId("s"), STRANGER, 1, TERMS, "rounds=1", "t", "m", "z"))
