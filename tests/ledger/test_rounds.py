"""The clock of a run: when rounds open, whom they lose, how they end."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlmodel import select

from contracts.draw import accepted_digest, data_seed, seed_origin
from contracts.messages import RunManifest, from_json
from ledger import rounds
from ledger.tables import Node
from tests.world import REJECT, World, octets

pytestmark = pytest.mark.integration


def phase(world: World) -> tuple[str, int]:
    view = world.run_view()
    return view["phase"], view["round"]


def test_a_round_waits_for_nodes_and_anchored_verifiers(world: World) -> None:
    """Two nodes and k = 2 verifiers: neither alone opens it."""
    world.create_run()
    world.step()
    assert phase(world) == ("enrolling", 0)
    world.enrol(world.nodes[0])
    world.anchor(world.verifiers[0])
    world.step()
    assert phase(world) == ("enrolling", 0)
    world.enrol(world.nodes[1])
    world.step()
    assert phase(world) == ("enrolling", 0)
    world.anchor(world.verifiers[1])
    world.step()
    assert phase(world) == ("training", 1)
    view = world.round_view(1)
    manifest = from_json(RunManifest, world.run_view()["manifest"])
    assert octets(view["theta"]["digest"]) == manifest.genesis
    assert octets(view["data_seed"]) == data_seed(seed_origin(manifest), 1, manifest.genesis)
    assert [n["node"] for n in view["nodes"]] == [n.address for n in world.nodes]


def test_verifiers_alone_open_nothing(world: World) -> None:
    world.create_run()
    for verifier in world.verifiers:
        world.anchor(verifier)
    world.enrol(world.nodes[0])
    world.step()
    assert phase(world) == ("enrolling", 0)


def test_who_enrols_late_takes_part_from_the_next_round(world: World) -> None:
    """The list of a round is frozen; `from_round` may lie further ahead still."""
    world.create_run(minNodes=1)
    first, second = world.nodes
    world.enrol(first)
    for verifier in world.verifiers:
        world.anchor(verifier)
    world.step()
    world.enrol(second, from_round=3)
    world.nodes = [first]
    world.play_round()
    assert [n["node"] for n in world.round_view(2)["nodes"]] == [first.address]
    world.play_round()
    assert [n["node"] for n in world.round_view(3)["nodes"]] == sorted((first.address, second.address), key=str.lower)


def test_a_round_goes_through_its_phases_once(world: World) -> None:
    world.start()
    proofs = [world.commit(node) for node in world.nodes]
    assert phase(world) == ("training", 1)
    world.step()
    assert phase(world) == ("verifying", 1)
    world.decide(proofs[0])
    world.step()
    assert phase(world) == ("verifying", 1)
    world.decide(proofs[1], REJECT)
    world.step()
    assert phase(world) == ("merging", 1)
    theta, _, digest = world.outer_step()
    assert digest == accepted_digest([octets(proofs[0])])
    world.post_merge(world.verifiers[0])
    world.step()
    assert phase(world) == ("merging", 1)
    world.post_merge(world.verifiers[1])
    world.step()
    assert phase(world) == ("training", 2)
    closed, opened = world.round_view(1), world.round_view(2)
    assert (closed["phase"], closed["merge"]["theta"]) == ("closed", opened["theta"]["digest"])
    assert opened["theta"]["digest"] != closed["theta"]["digest"]
    assert opened["data_seed"] != closed["data_seed"]
    places = {n["node"]: n["inner"]["proof"] for n in opened["nodes"]}
    assert places == {world.nodes[0].address: proofs[0], world.nodes[1].address: None}
    assert theta


def test_stepping_again_changes_nothing(world: World) -> None:
    world.start().commit(world.nodes[0])
    world.step()
    before = world.dump()
    world.step(3)
    assert world.dump() == before


def test_stepping_at_once_opens_a_round_once(world: World) -> None:
    """Two keepers on one database."""
    world.create_run()
    for node in world.nodes:
        world.enrol(node)
    for verifier in world.verifiers:
        world.anchor(verifier)
    failed: list[Exception] = []

    def advance() -> None:
        try:
            rounds.advance_all(world.ledger)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=advance) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failed, len(world.log("round-opened"))) == ([], 1)


def test_a_silent_node_lapses_and_the_round_goes_on_without_it(world: World) -> None:
    """The leaver costs the round only its own work; it is not on the next list until it enrols again."""
    world.start()
    proof = world.commit(world.nodes[0])
    world.step()
    assert phase(world) == ("training", 1)
    world.wait(121)
    world.step()
    assert phase(world) == ("verifying", 1)
    (lapse,) = world.log("node-lapsed")
    assert (lapse["node"], lapse["round"]) == (world.nodes[1].address, 1)
    world.decide(proof)
    world.step()
    world.close_round()
    assert [n["node"] for n in world.round_view(2)["nodes"]] == [world.nodes[0].address]
    world.enrol(world.nodes[1], nonce=2)
    world.nodes = world.nodes[:1]
    world.play_round()
    assert len(world.round_view(3)["nodes"]) == 2


def test_a_heartbeat_does_not_hold_a_round_open_for_ever(world: World) -> None:
    """leaseSeconds 120, phaseSeconds 200: who only says that it is alive is dropped after the phase."""
    world.start()
    for _ in range(2):
        world.wait(100)
        for node in world.nodes:
            world.post("/heartbeats", world.heartbeat_message(node), node)
        world.step()
    assert phase(world) == ("training", 1)
    world.wait(1)
    world.step()
    assert phase(world) == ("verifying", 1)


def test_a_round_that_everybody_left_closes_unchanged_and_the_run_waits(world: World) -> None:
    world.start()
    world.wait(121)
    world.step(2)
    assert phase(world) == ("merging", 1)
    before = world.round_view(1)["theta"]["digest"]
    world.close_round()
    assert phase(world) == ("complete", 1)
    assert world.round_view(1)["merge"]["theta"] == before
    assert world.get("/epochs") == []
    world.step(2)
    assert phase(world) == ("complete", 1)
    world.enrol(world.nodes[0], nonce=2)
    world.step()
    assert phase(world) == ("training", 2)
    assert world.round_view(2)["theta"]["digest"] == before


def test_a_run_ends_after_its_rounds(world: World) -> None:
    world.config = _rounds(world, 1)
    world.start().play_round()
    world.step(2)
    assert phase(world) == ("complete", 1)


def test_no_merge_without_k_that_agree(world: World) -> None:
    """One true outer step and one other: nothing closes until a second verifier confirms one of them."""
    world.start()
    for proof in [world.commit(node) for node in world.nodes]:
        world.step()
        world.decide(proof)
    world.step()
    view = world.round_view(1)
    unchanged = {f"{k}_blob": view[k]["blob"] for k in ("theta", "momentum")}
    lying = world.merge_message(
        world.verifiers[0], theta=octets(view["theta"]["digest"]), momentum=octets(view["momentum"]["digest"])
    )
    assert world.post_merge(world.verifiers[0], lying, **unchanged).status_code == 200
    world.post_merge(world.verifiers[1])
    world.step()
    assert phase(world) == ("merging", 1)
    world.post_merge(world.verifiers[2])
    world.step()
    assert phase(world) == ("training", 2)
    (merge,) = world.log("merge")
    signers = {a["message"]["verifier"] for a in merge["attestations"]}
    assert signers == {v.address for v in world.verifiers[1:]}


def test_an_accepted_optimizer_state_is_continued_and_a_voided_one_is_not(world: World) -> None:
    world.start()
    proofs = {node.address: world.commit(node) for node in world.nodes}
    world.step()
    good, bad = world.nodes
    world.decide(proofs[good.address])
    world.decide(proofs[bad.address], REJECT)
    with world.ledger.store.read() as session:
        rows: dict[str, Any] = {n.node: n for n in session.exec(select(Node))}
    ends = {node.address: "0x" + world.train(node).message.innerEnd.hex() for node in world.nodes}
    starts = {node.address: "0x" + world.train(node).message.innerState.hex() for node in world.nodes}
    assert rows[good.address].inner_digest == ends[good.address]
    assert rows[bad.address].inner_digest == starts[bad.address]


def _rounds(world: World, count: int) -> Any:
    return world.config.with_decision("rounds", str(count))
