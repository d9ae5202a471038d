"""Nodes, alone or with a friend, that did not do their work, and identities that cost nothing: none of them is paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from contracts.ids import RunId, as_address, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages import for_log as messages
from contracts.messages.signatures import digest
from contracts.protocol.judge.facts import Reason, What, Word
from contracts.protocol.judge.state import ProofState, Stage
from tests.attacks.outsiders.script import Refused, Script, another, script
from tests.attacks.outsiders.served import key
from tests.contracts.protocol.log.signed_run import PROFILE, hashed

pytestmark = pytest.mark.integration
STAKE = 10**16
TEN = {"steps": 40}
"""Ten segments of four steps."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Script]:
    with script(tmp_path, nodes=2) as made:
        yield made


def ended(run: Script, proof: ProofState) -> tuple[str, bool]:
    """The reason that counts, and whether the node is at fault, as people read it."""
    view = run.view_of(proof)
    return view["reason"], view["at_fault"]


def test_three_segments_of_ten_are_not_paid(tmp_path: Path) -> None:
    """F1: it opens nothing at first, and later only what it did: what was drawn and stays shut is withheld."""
    with script(tmp_path, TEN, nodes=1, samples=8) as run:
        (proof,) = run.begin()
        run.false[run.nodes[0].address] = set(range(3, 10))
        run.draw()
        seats = [name for name, seat in proof.seats.items() if seat.segments is not None]
        for seat in seats:
            run.lapse(run.awaited(proof, What.OPENINGS, seat))
        run.open_only(proof, range(4))
        assert proof.stage is Stage.READING
        run.lapse(run.awaited(proof, What.OPENINGS, seats[0]))
        assert run.state.proofs[proof.commitment.proof].void == (Reason.WITHHELD, None)
        entries = run.entries(run.nodes[0], 1)
        late = run.opening(proof.commitment.proof, 10, entries)
        assert run.refusal(late, run.nodes[0], path=run.path(entries, 10)) == "out-of-time"
        run.finish(proof)
        assert ended(run, proof) == ("opening-withheld", True)
        run.make_final()
        assert run.paid(run.nodes[0]) == 0


def test_every_drawn_segment_gets_a_word(tmp_path: Path) -> None:
    """F1: it opens all in its second period; each verifier names every segment that it drew, not the lowest."""
    with script(tmp_path, TEN, nodes=1, samples=8) as run:
        (proof,) = run.begin()
        run.false[run.nodes[0].address] = set(range(3, 10))
        run.draw()
        for seat in list(proof.seats):
            run.lapse(run.awaited(proof, What.OPENINGS, seat))
        run.open_all(proof)
        reader = run.key_of(next(iter(proof.seats)))
        drawn = proof.seats[reader.address].segments or ()
        lowest = min(set(drawn) & run.false[run.nodes[0].address])
        run.send(run.verdict(proof, reader, {lowest: Word.FALSE}), reader)
        assert proof.stage is Stage.READING
        assert run.awaited(proof, What.WORDS, reader.address) in proof.awaits, "the others are owed all the same"
        run.read_through(proof)
        run.finish(proof)
        assert ended(run, proof) == ("replay-mismatch", True)
        run.make_final()
        assert run.paid(run.nodes[0]) == 0


def test_a_stranger_stores_nothing(run: Script) -> None:
    """F6: bytes that no message announces are refused before they are read; what is announced has its size."""
    data = b"whatever" * 1_000
    name = blake3(data).hexdigest()
    answer = run.client.put(f"/v1/blobs/{name}", content=data)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-announced")
    assert run.client.get(f"/v1/blobs/{name}").status_code == 404
    run.commit_all()
    announced = run.commitment(run.nodes[0])
    other = run.client.put(f"/v1/blobs/{announced.gradientBlob.hex()}", content=data)
    assert other.json()["code"] in ("blob-mismatch", "blob-too-large")
    assert list((run.service.folder / "blobs").glob("*")) == []


def test_forty_junk_megabytes_cost_no_byte_of_the_disk(run: Script) -> None:
    """F6: of a key without stake, in forty uploads: each is refused before it is read, and nothing is left of any."""
    for number in range(40):
        data = number.to_bytes(4) * 2**18
        answer = run.client.put(f"/v1/blobs/{blake3(data).hexdigest()}", content=data)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-announced")
    assert list((run.service.folder / "blobs").rglob("*")) == []


def test_a_crowd_takes_no_more_places_than_there_are(tmp_path: Path) -> None:
    """F6: keys cost nothing. The round has its places; who delivered keeps its own, and stake comes before none."""
    with script(tmp_path, nodes=2, rounds=2, maxNodes=3) as run:
        staked, crowd = key("rich"), [key(f"one of many {number}") for number in range(200)]
        run.service.stake(staked, STAKE)
        run.block()
        for node in (*crowd, staked):
            wallet = key(f"wallet of {node.address}").address
            run.send(messages.Enrolment(run.run, node.address, wallet, 1, PROFILE, 1), node)
        run.play()
        first = {node.address for node in run.nodes}
        assert set(run.round.listed) == first | {staked.address}
        assert run.round.number == 2


def test_a_crowds_commitment_is_refused(tmp_path: Path) -> None:
    """F6: who has no place cannot have the round wait, nor anything kept."""
    with script(tmp_path, nodes=1, maxNodes=1) as run:
        stranger = key("one of many 1")
        mine = replace(run.commitment(run.nodes[0]), node=stranger.address)
        entries = run.entries(run.nodes[0], 1)
        paths = {
            name: [to_hex(node) for node in KECCAK_TREE.inclusion_proof(entries, place)]
            for name, place in (("first_path", 0), ("last_path", len(entries) - 1))
        }
        assert run.refusal(mine, stranger, **paths) == "not-asked"


def test_one_stake_counts_in_one_run(tmp_path: Path) -> None:
    """F8: what is reserved in one run is not free in another, so no second rate and no second risk rests on it."""
    rules: dict[str, Any] = {"nodes": 1, "nodeStake": STAKE, "auditFloor": 100_000}
    with script(tmp_path, **rules, minNodes=2) as first:
        first.service.stake(first.nodes[0], STAKE)
        first.block()
        assert not first.state.runs[RunId(to_hex(first.run))].round, (
            "the run waits for a second node until the stake is known"
        )
        runs = [first, *(another(first, nonce=nonce, **rules) for nonce in (2, 3))]
        second = key("node 1")
        first.send(messages.Enrolment(first.run, second.address, second.address, 1, PROFILE, 1), second)
        for run in runs:
            run.read()
        staked = [run.round.listed[first.nodes[0].address].staked for run in runs]
        assert sorted(staked) == [False, False, True]
        assert first.state.reserved == {first.nodes[0].address: STAKE}


def test_who_drew_the_fake_gets_no_bytes(tmp_path: Path) -> None:
    """F14: it says unserved and is not replaced: what it drew goes to the bench, and is not drawn again without it."""
    with script(tmp_path, nodes=1, panel=2) as run:
        (proof,) = run.begin()
        run.draw()
        run.open_all(proof)
        reader = run.key_of(next(iter(proof.seats)))
        (fake,) = set(proof.seats[reader.address].segments or ()) - {proof.common} or {proof.common}
        run.false[run.nodes[0].address] = {fake}
        run.speak(proof, reader, {fake: Word.UNSERVED})
        assert proof.segments[fake].questioned
        run.read_through(proof)
        assert proof.void == (Reason.REPLAY, fake)
        run.finish(proof)
        run.make_final()
        assert run.paid(run.nodes[0]) == 0


def test_bytes_for_nobody_are_void_and_cost(tmp_path: Path) -> None:
    """F14: where k verifiers get no bytes, it ends after a second look as if they were false."""
    with script(tmp_path, nodes=1) as run:
        (proof,) = run.begin()
        run.draw()
        run.open_all(proof)
        for _ in range(2):
            for verifier in run.verifiers:
                run.speak(proof, verifier, dict.fromkeys(run.owed(proof, verifier), Word.UNSERVED))
        looks = [awaited for awaited in proof.awaits if awaited.what is What.SECOND_LOOK]
        assert looks
        assert proof.void is None, "one more period, in which bytes may come"
        run.lapse(looks[0])
        run.finish(proof)
        assert ended(run, proof) == ("unserved", True)


def test_a_pledge_cannot_be_told_early(run: Script) -> None:
    """F22: nothing asks for it before the reading has ended, and who sends it all the same is refused."""
    proof = run.begin()[0]
    node, name = run.node_of(proof), proof.commitment.proof
    early = messages.PledgeReveal(bytes.fromhex(name[2:]), run.pledge(node, 1).salt, 2**32 - 1)
    assert run.refusal(early, node) == "out-of-time"
    run.draw()
    run.open_all(proof)
    assert run.refusal(early, node) == "out-of-time"
    run.read_through(proof)
    run.finish(proof)
    assert run.view_of(proof)["state"] == "posted"


def test_a_commitment_begins_at_the_rounds_start(run: Script) -> None:
    """F28: another first entry than the one that it names, and another start than the round's: neither is taken."""
    node = run.nodes[0]
    honest, entries = run.commitment(node), run.entries(node, 1)
    moved = [hashed("elsewhere") + entries[0][32:], *entries[1:]]
    root = KECCAK_TREE.root(moved)

    def paths(of: list[bytes]) -> dict[str, list[str]]:
        places = (("first_path", 0), ("last_path", len(of) - 1))
        return {name: [to_hex(n) for n in KECCAK_TREE.inclusion_proof(of, place)] for name, place in places}

    assert run.refusal(replace(honest, root=root), node, **paths(moved)) == "invalid-merkle-proof"
    named = replace(honest, root=root, startState=moved[0][:32])
    assert run.refusal(named, node, **paths(moved)) == "not-bound"
    warmed = [entries[0][:32] + hashed("moments"), *entries[1:]]
    other = replace(honest, root=KECCAK_TREE.root(warmed), innerState=warmed[0][32:])
    assert run.refusal(other, node, **paths(warmed)) == "not-bound"
    assert run.refusal(honest, node, first_path=[], last_path=[]) == "invalid-merkle-proof"


def test_what_no_verifier_holds_is_out_before_the_beacon(run: Script) -> None:
    """F28: verifiers say `Has` of what leads to the committed end; without k of them nothing is read or paid."""
    honest, other = run.nodes
    proofs = [run.commit(node) for node in run.nodes]
    for verifier in run.verifiers:
        said = proofs[:1] if verifier is not run.verifiers[0] else proofs
        run.send(messages.Has(run.run, 1, verifier.address, tuple(said)), verifier)
    lapsed = next(awaited for awaited in run.round.awaits if awaited.party == other.address)
    run.lapse(lapsed)
    run.see()
    assert [run.state.proofs[name].commitment.node for name in run.round.closed] == [honest.address]
    run.honest_end(run.state.proofs[run.round.closed[0]])
    run.merge()
    run.make_final()
    assert run.paid(other) == 0
    assert run.paid(honest) > 0


def test_no_salt_is_tried_when_the_beacon_is_known(run: Script) -> None:
    """F18: the round closes before its beacon, and takes no commitment after it; nor a second one of a node."""
    node = run.nodes[0]
    run.begin()
    other = replace(run.commitment(node), pledge=hashed("another salt"))
    entries = run.entries(node, 1)
    paths = {
        name: [to_hex(n) for n in KECCAK_TREE.inclusion_proof(entries, place)]
        for name, place in (("first_path", 0), ("last_path", len(entries) - 1))
    }
    assert run.refusal(other, node, **paths) == "out-of-time"
    stranger = replace(other, node=run.nodes[1].address)
    assert to_hex(digest(stranger, run.service.domain)) not in run.state.proofs
    assert run.refusal(stranger, run.nodes[1], **paths) == "out-of-time"


def test_a_node_is_not_paid_at_the_zero_address(run: Script) -> None:
    """X2: no mint could pay it, and its line would stand in an epoch for ever."""
    node = key("newcomer")
    zero = messages.Enrolment(run.run, node.address, as_address("0x" + "00" * 20), 1, PROFILE, 1)
    with pytest.raises(Refused) as refused:
        run.send(zero, node)
    assert (refused.value.status, refused.value.code) == (422, "bad-field")
