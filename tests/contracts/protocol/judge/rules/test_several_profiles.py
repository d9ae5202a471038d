"""A run of several profiles: each proof is judged in its own, by enough verifiers that read it (ADR 67).

The courts have k = 2. `a` and `b` are exact profiles of two kinds of machines, `p` is the portable one.
"""

from __future__ import annotations

from typing import Any

import pytest

from contracts.ids import Address, ProofId, as_address
from contracts.protocol.audit_rate import AuditRecord
from contracts.protocol.configuration.profiles import AdmittedProfile, readers_of
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import BenchCalled, PanelDrawn, Posted, RoundMerged, RoundOpened
from contracts.protocol.judge.errors import NotBound, NotSeated
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.judge.rules.obstacles import Obstacle, obstacles
from contracts.protocol.judge.rules.presence import is_read, members
from tests.contracts.protocol.judge.court import N0, N1, RUN, WALLET, Court
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit
PROFILES = (AdmittedProfile("exact", "a"), AdmittedProfile("exact", "b"), AdmittedProfile("portable", "p"))
N2 = as_address("n2")


def court_of(anchored: str = "aaabbb", nodes: str = "ab", config: str = "rounds=3", **terms: Any) -> Court:
    """A court whose verifiers v0, v1, … are anchored under these profiles, and its nodes enrolled under those."""
    terms = {"min_nodes": len(nodes), **terms}
    return Court(
        config,
        anchored={as_address(f"v{i}"): profile for i, profile in enumerate(anchored)},
        enrolled={as_address(f"n{i}"): profile for i, profile in enumerate(nodes)},
        profiles=tuple(profile.digest for profile in PROFILES),
        pairs=readers_of(PROFILES),
        **terms,
    )


def of(court: Court, *profiles: str) -> list[Address]:
    """The verifiers of these profiles."""
    return [name for name in court.verifiers if court.state.runs[RUN].anchors[name][-1].profile in profiles]


def panels(court: Court) -> dict[str, PanelDrawn]:
    """The panels of the newest round, by the profile of their proofs."""
    drawn = [entry for entry in court.log if isinstance(entry, PanelDrawn)]
    return {court.state.proofs[entry.proof].commitment.profile: entry for entry in drawn}


def drawn(court: Court) -> dict[str, ProofId]:
    """All listed nodes commit, and the panels are drawn; the proofs, by profile."""
    proofs = {court.round.listed[node].profile: court.commit(node) for node in sorted(court.round.listed)}
    court.has(*proofs.values())
    court.seen()
    court.block()
    return proofs


def post(court: Court, proof: ProofId) -> None:
    """Its seats draw, read and say true, and it is posted."""
    for verifier in list(court.state.proofs[proof].seats):
        if verifier not in court.round.secrets:
            court.secret(verifier, "1")
    court.open(proof)
    for verifier in list(court.state.proofs[proof].seats):
        court.say(proof, verifier)
    court.pledge(proof)
    court.show(proof)


# -- who reads ------------------------------------------------------------------------------------------------------


@holds(
    "In a run of several profiles only verifiers that compute the same bits read a proof",
    by="contracts/protocol/judge/rules/presence.py:judges",
    against=Threat.UNLIKE_MACHINES,
)
def test_a_panel_has_only_verifiers_that_read_its_profile() -> None:
    court = court_of(nodes="abp", panel=3)
    drawn(court)
    found = panels(court)
    assert sorted(found["a"].order) == of(court, "a")
    assert sorted(found["b"].order) == of(court, "b")
    assert sorted(found["p"].order) == list(court.verifiers), "everybody computes the portable profile"


def test_a_verifier_of_the_portable_profile_reads_no_exact_work() -> None:
    court = court_of("aaappp", "ap")
    drawn(court)
    assert sorted(panels(court)["a"].order) == of(court, "a")
    assert len(panels(court)["p"].order) == len(court.verifiers)


def test_the_bench_is_of_those_who_read_the_profile_too() -> None:
    court = court_of()
    proof = drawn(court)["b"]
    for verifier in court.state.proofs[proof].seats:
        court.secret(verifier, "1")
    court.open(proof)
    seat = next(iter(court.state.proofs[proof].seats))
    called = [d for d in court.say(proof, seat, s1="false") if isinstance(d, BenchCalled)]
    assert sorted(called[0].members) == of(court, "b")
    with pytest.raises(NotSeated):
        court.say(proof, of(court, "a")[0], s1="true")


def test_work_of_all_profiles_is_posted_and_merged_as_one() -> None:
    court = court_of(nodes="abp")
    for proof in drawn(court).values():
        post(court, proof)
    assert len([entry for entry in court.log if isinstance(entry, Posted)]) == 3
    merged = [entry for entry in court.merge() if isinstance(entry, RoundMerged)]
    assert len(merged) == 1
    court.audit()


# -- a quorum for each profile --------------------------------------------------------------------------------------


@holds(
    "A node takes part only where 2k - 1 verifiers read its profile, and k of them are there",
    by="contracts/protocol/judge/rules/presence.py:is_read",
    against=Threat.BAD_VERIFIER,
)
def test_a_node_whose_profile_too_few_read_is_not_listed() -> None:
    """Two friends with a machine of their own decide nothing: k - 1 corrupt ones and themselves."""
    court = court_of("aaabb", "baa", min_nodes=2)
    assert sorted(court.round.listed) == [N1, N2]


def test_a_node_that_nobody_reads_does_not_count_for_min_nodes() -> None:
    court = court_of("aaabb", "ab")
    (missing,) = obstacles(court.state, court.state.runs[RUN])
    assert (missing.obstacle, missing.have, missing.needed) == (Obstacle.NODES, 1, 2)
    court.block(chain_events.VerifierStands(as_address("v5"), True, 10), seconds=5)
    found = court.enter(facts.Anchored(RUN, as_address("v5"), as_address("v5"), 10, "b", 1))
    assert isinstance(found[-1], RoundOpened)
    assert {node.profile for node in found[-1].nodes} == {"a", "b"}


def test_lapsed_readers_open_no_round_for_their_profile() -> None:
    """The round opens for the others: n counts all who are bound, and k of each profile have to be there."""
    court = court_of(nodes="ab", panel=3)
    proofs = drawn(court)
    lapsing = of(court, "b")[:2]
    for verifier in lapsing:
        awaited = Awaited(What.SECRET, RUN, 1, ProofId(""), verifier)
        for word in of(court, "a")[:2]:
            court.enter(facts.Lapse(word, awaited, court.state.open[awaited]))
    assert set(court.state.runs[RUN].away) == set(lapsing)
    post(court, proofs["a"])
    run = court.state.runs[RUN]
    counted = members(court.state, run)
    assert is_read(court.state, run, "a", counted, 2)
    assert not is_read(court.state, run, "b", counted, 2)
    assert is_read(court.state, run, "p", counted, 2)


# -- changing one's mind --------------------------------------------------------------------------------------------


def test_a_profile_is_not_changed_between_listing_and_commitment() -> None:
    court = court_of(nodes="ab")
    with pytest.raises(NotBound):
        court.commit(N0, profile="p")
    court.enter(facts.Enrolled(RUN, N0, WALLET, 1, "p", 2))
    with pytest.raises(NotBound):
        court.commit(N0, profile="p")
    assert court.commit(N0)


def test_another_profile_begins_the_record_anew() -> None:
    court = court_of(nodes="ab", audit_floor=100_000)
    court.enter(facts.Enrolled(RUN, N0, WALLET, 1, "p", 2))
    for proof in drawn(court).values():
        post(court, proof)
    opened = [entry for entry in court.merge() if isinstance(entry, RoundOpened)][-1]
    assert {node.node: node.profile for node in opened.nodes} == {N0: "p", N1: "b"}
    records = {name: node.record for name, node in court.state.runs[RUN].nodes.items()}
    assert records[N0] == AuditRecord(), "what was posted under `a` is no record of `p`"
    assert records[N1] != AuditRecord()


def test_a_verifier_anchors_one_listed_profile_for_good() -> None:
    court = court_of()
    with pytest.raises(NotBound, match="judges under profile a"):
        court.enter(facts.Anchored(RUN, as_address("v0"), "again", 10, "b", 5))
    court.block(chain_events.VerifierStands(as_address("v7"), True, 10), seconds=5)
    with pytest.raises(NotBound, match="not on the manifest's list"):
        court.enter(facts.Anchored(RUN, as_address("v7"), "v7", 10, "own invention", 5))


def test_a_node_invents_no_profile() -> None:
    court = court_of()
    with pytest.raises(NotBound, match="not on the manifest's list"):
        court.enter(facts.Enrolled(RUN, N2, WALLET, 1, "own invention", 1))
