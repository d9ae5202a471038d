"""Nodes alone, or with the server's help, are paid for work that they did not do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from contracts.audit_rate import MILLION, AuditPolicy
from contracts.draw import panel_order
from contracts.run_config import RunConfig
from ledger import audits
from tests.attacks.outsiders.hostile import (
    FOUR,
    Between,
    Reader,
    credited,
    drawn,
    false_in,
    happened,
    must_be,
    open_only,
    read_all,
    read_by,
    readers,
    serve,
    state_of,
    still_open,
    told,
    wait_for_luck,
)
from tests.world import TINY, Place, StillChain, World, key_of, octets

pytestmark = pytest.mark.integration
TEN = replace(TINY, steps=20, segment=2)
STAKE, CROWD = 10**15, 60


@pytest.fixture(scope="module")
def place() -> Place:
    """No test here settles an epoch."""
    return Place(chain=StillChain)


def alone(folder: Path, place: Place, config: RunConfig = TINY, nodes: int = 1) -> World:
    return World(folder / "world", place, nodes=nodes, config=config)


def test_three_segments_of_ten_are_paid_in_full(tmp_path: Path, place: Place) -> None:
    """F1: who opens nothing has each verdict name the lowest segment only, and those alone are asked for again."""
    with alone(tmp_path, place, TEN) as world:
        world.start(samples=8, phaseSeconds=20)
        node, everybody, cheat = world.nodes[0], readers(world), false_in(*range(3, 10))
        proof = world.commit(node, cheat)
        read_by(world, proof, everybody, lambda: world.wait(21))
        view = world.get(f"/proofs/{proof}")
        happened(view["stage"] == 2 and set(view["disputed"]) <= {0, 1, 2}, told(everybody))
        open_only(world, proof, node, cheat, [0, 1, 2, 3, 10])
        read_all(everybody, 2)
        world.own_up(proof)
        happened(state_of(world, proof)[0] != "pending", told(everybody))
        must_be(credited(world, world.wallets[0].address), 0)


def staked(world: World, **rules: Any) -> None:
    """A run in which a record and a stake have a node read less."""
    world.start(auditFloor=100_000, nodeStake=STAKE, roundsPerEpoch=60, **rules)


@still_open("F8: rule J14")
def test_one_stake_counts_in_full_in_three_runs(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """F8: in each of them the node is read at half the rate, as if a fake in each could be paid for."""
    monkeypatch.setattr(audits, "AuditPolicy", partial(AuditPolicy, streak=1))  # a record is soon made
    with alone(tmp_path, place) as world:
        world.stake_node(world.nodes[0], STAKE)
        rates = []
        for nonce in (1, 2, 3):
            staked(world, nonce=nonce)
            world.play_round()
            rates.append(int(world.round_view()["nodes"][0]["rate"]))
        happened(world.ledger.chain.nodes.stake_of(world.nodes[0].address) == STAKE)
        must_be(sum(rate < MILLION for rate in rates), 1)


def seated(world: World, proof: str, beacon: bytes) -> list[LocalAccount]:
    """All verifiers in the order that a beacon draws."""
    order = panel_order(beacon, octets(proof), [verifier.address for verifier in world.verifiers])
    return sorted(world.verifiers, key=lambda verifier: order.index(verifier.address))


def found_by_the_first(world: World, proof: str, fake: int, beacon: bytes) -> bool:
    """Whether the first seat draws the fake, and neither the second nor the substitute does."""
    found = [fake in drawn(world, verifier, proof, beacon) for verifier in seated(world, proof, beacon)]
    return found == [True, False, False]


@still_open("F14: rule J8, J9")
def test_who_drew_the_fake_gets_no_bytes(tmp_path: Path, place: Place) -> None:
    """F14: it cannot say, its seat is filled again, and the sample is drawn again without the fake."""
    with alone(tmp_path, place, FOUR) as world:
        world.start(panel=2, samples=2)
        node, cheat, everybody = world.nodes[0], false_in(2), [Reader(world, key, Between) for key in world.verifiers]
        proof = world.commit(node, cheat)
        wait_for_luck(world, proof, partial(found_by_the_first, world, proof, 2))
        for reader in everybody:
            reader.client.blob_refused = lambda _name, who=reader: "2" in "".join(who.told("drawn"))
        read_by(world, proof, everybody, lambda: serve(world, proof, node, cheat))
        read_all(everybody)
        serve(world, proof, node, cheat)
        read_all(everybody, 2)
        world.own_up(proof)
        happened([e["why"] for e in world.log("seat-vacated")] == ["undecided"], told(everybody))
        must_be(credited(world, world.wallets[0].address), 0)


@still_open("F6: rule J4, J21")
def test_a_key_without_stake_stores_what_it_likes(tmp_path: Path, place: Place) -> None:
    """F6: bytes that no message names and no round asks for are kept for ever."""
    with alone(tmp_path, place) as world:
        world.start()
        answers = [world.put(bytes([number]) * 2**16, world.nodes[0]) for number in range(20)]
        must_be({answer.status_code < 400 for answer in answers}, {False})


@still_open("F6: rule J4, J21")
def test_any_number_of_identities_joins_at_once(tmp_path: Path, place: Place) -> None:
    """F6: keys cost nothing, each has a place in the round, and the round waits for each."""
    with alone(tmp_path, place) as world:
        world.create_run()
        for verifier in world.verifiers:
            world.anchor(verifier)
        crowd = [key_of(f"one of many {number}") for number in range(CROWD)]
        for key in (world.nodes[0], *crowd):
            world.enrol(key)
        world.step()
        must_be(len(world.round_view()["nodes"]) < CROWD, True)
