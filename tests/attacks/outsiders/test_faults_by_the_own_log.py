"""A verifier finds faults by its own log: what the server shows, or leaves out, slashes no honest one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from contracts.faults import Fault, evidence_of
from contracts.messages import NodeFault, VerifierFault, to_json
from contracts.pledge import Pledge
from tests.attacks.outsiders.hostile import (
    FOUR,
    Between,
    Reader,
    drawn,
    read_by,
    readers,
    serve,
    step_all,
    wait_for_luck,
)
from tests.world import ACCEPT, REJECT, World, accepted, octets

pytestmark = pytest.mark.integration
PROOF = r"/proofs/0x[0-9a-f]*"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world", nodes=1, config=FOUR) as made:
        yield made.start(samples=1)


def judged(world: World, proof: str) -> Reader:
    """All have read and revealed; the first of them."""
    everybody = readers(world)
    read_by(world, proof, everybody, lambda: serve(world, proof, world.nodes[0]))
    assert world.get(f"/proofs/{proof}/status")["pledge_wanted"]
    world.own_up(proof)
    world.step()
    step_all(everybody, 2)
    assert len(world.log("work-revealed")) == len(world.verifiers)
    return everybody[0]


def accuse(world: World, proof: str, fault: Fault, accused: str) -> dict[str, Any]:
    """A fault as the server lists one."""
    message = VerifierFault(world.ledger.chain.model, accused, evidence_of(octets(proof), fault), world.deadline())
    return {
        "verifier": accused, "fault": fault.slug, "proof": proof, "message": to_json(message), "signatures": [],
    }  # fmt: skip


def between(reader: Reader, path: str) -> tuple[Between, list[Any]]:
    """What stands between a verifier and its server from now on; what it sends to the route is kept."""
    server = Between(reader.service.client)
    server.drops[path] = lambda _: True
    reader.service.client = reader.service._duties._client = server  # type: ignore[assignment]
    return server, server.kept


def test_a_dropped_reveal_makes_nobody_withhold_a_trace(world: World) -> None:
    proof = world.commit(world.nodes[0])
    reader, accused = judged(world, proof), world.verifiers[1].address
    server, kept = between(reader, "/faults/signatures")
    server.lies[PROOF] = lambda view: {
        **view, "reveals": [r for r in view["reveals"] if r["message"]["verifier"] != accused]
    }  # fmt: skip
    server.lies[r"/runs/.*/faults"] = lambda _: [accuse(world, proof, Fault.TRACE_WITHHELD, accused)]
    reader.step()
    assert kept == []
    assert reader.told("disagrees") == [f"trace-withheld: {accused}"]


def test_a_false_number_of_samples_makes_nobody_pass_a_fake(tmp_path: Path) -> None:
    """k find a segment false that the accused did not draw; by the server's number of samples it drew all of them."""
    with World(tmp_path / "world", nodes=1, config=FOUR) as world:
        world.start(samples=2)
        proof = world.commit(world.nodes[0])
        first, second, accused = world.verifiers
        wait_for_luck(world, proof, lambda beacon: bool(apart(world, first, accused, proof, beacon)))
        draws = {verifier.address: world.draw(verifier, proof) for verifier in world.verifiers}
        false = next(segment for segment in draws[first.address] if segment not in draws[accused.address])
        world.judge(first, proof, REJECT, segment=false)
        for verifier in (second, accused):
            world.judge(verifier, proof, ACCEPT)
        for verifier in (first, second):
            world.judge(verifier, proof, REJECT, segment=false)
        assert world.get(f"/proofs/{proof}/status")["state"] == "voided"
        reader = Reader(world, first)
        server, kept = between(reader, "/faults/signatures")
        server.lies[PROOF] = lambda view: {**view, "samples": FOUR.segments}
        listed = accuse(world, proof, Fault.PASSED_A_FAKE, accused.address)
        server.lies[r"/runs/.*/faults"] = lambda _: [listed]
        reader.step()
        assert kept == []
        assert reader.told("disagrees") == [f"passed-a-fake: {accused.address}"]


def apart(world: World, one: LocalAccount, other: LocalAccount, proof: str, beacon: bytes) -> set[int]:
    """What one draws under a beacon and another does not."""
    return set(drawn(world, one, proof, beacon)) - set(drawn(world, other, proof, beacon))


def test_a_canary_is_not_slashed_though_its_pledge_is_hidden(world: World) -> None:
    """The server shows k rejections and no pledge: the log has the pledge."""
    node = world.nodes[0]
    world.pledges[node.address] = Pledge(b"\x05" * 32, 0)
    proof = world.commit(node)
    world.mine()
    world.step()
    world.dispute(proof)
    for verifier in world.verifiers[:2]:
        world.judge(verifier, proof, REJECT)
    assert world.get(f"/proofs/{proof}/status")["state"] == "voided"
    accepted(world.post("/pledges", world.pledge_message(proof), node))
    reader = Reader(world, world.verifiers[0])
    server, kept = between(reader, "/node-faults/signatures")
    message = NodeFault(world.ledger.chain.model, node.address, octets(proof), world.deadline())
    server.lies[PROOF] = lambda view: {**view, "pledge": None}
    server.lies[r"/runs/.*/node-faults"] = lambda _: [
        {"node": node.address, "proof": proof, "message": to_json(message), "signatures": []}
    ]  # fmt: skip
    reader.step()
    assert kept == []
    assert reader.told("disagrees") == [f"rejected: {node.address}"]


def test_a_fault_that_the_log_holds_is_signed_though_hidden(world: World) -> None:
    """The server shows no verdicts and no reveals: who withheld its trace did so in the log."""
    proof = world.commit(world.nodes[0])
    everybody = readers(world)
    read_by(world, proof, everybody, lambda: serve(world, proof, world.nodes[0]))
    world.own_up(proof)
    world.step()
    step_all(everybody[:2], 2)
    reader, accused = everybody[0], world.verifiers[2].address
    server, kept = between(reader, "/faults/signatures")
    server.lies[PROOF] = lambda view: {**view, "verdicts": [], "witnesses": [], "reveals": []}
    server.lies[r"/runs/.*/faults"] = lambda _: [accuse(world, proof, Fault.TRACE_WITHHELD, accused)]
    reader.step()
    assert [message.verifier for message in kept] == [accused]
