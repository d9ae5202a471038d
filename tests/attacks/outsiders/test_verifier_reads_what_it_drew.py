"""A verifier reads what beacon, link and manifest draw for it, and shows no link but that of a proof in its own log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import Challenge, Message
from contracts.reasons import Reason
from contracts.tensorfile import pack
from tests.attacks.outsiders.hostile import FOUR, Between, Reader, false_in, seat, serve, step_all
from tests.world import ACCEPT, NO_SEGMENT, REJECT, World, accepted, genesis, hexed, octets

pytestmark = pytest.mark.integration
LATER = 30


class Answering(Between):
    """A server that answers every draw with the segments that suit its node, and listens to the links."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.heard: list[Challenge] = []
        self.answer: Callable[[Any], Any] = lambda answer: answer

    def send(self, path: str, message: Message, /, **beside: Any) -> Any:
        """Hand on, and change the answer to a draw."""
        if not isinstance(message, Challenge):
            return super().send(path, message, **beside)
        self.heard.append(message)
        return self.answer(super().send(path, message, **beside))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world", nodes=1, config=FOUR) as made:
        yield made.start(samples=2)


def reader_of(world: World) -> tuple[Reader, Answering]:
    reader = Reader(world, world.verifiers[0], Answering)
    return reader, reader.service.client  # type: ignore[return-value]


def own_draw(world: World, proof: str) -> list[int]:
    """What the first verifier's draw is, by the log."""
    drawn = {entry["message"]["verifier"]: entry["segments"] for entry in world.log("challenge")}
    return list(drawn[world.verifiers[0].address])


def read_at(reader: Reader, proof: str, stage: int) -> list[int]:
    return list(reader.service._examinations[proof, stage].segments)


def test_the_segments_of_the_answer_are_not_read(world: World) -> None:
    """Whatever the server answers, and whatever number of segments and samples it shows."""
    proof, (reader, server) = world.commit(world.nodes[0], false_in(0, 1, 2, 3)), reader_of(world)
    server.answer = lambda answer: {**answer, "segments": [0]}
    server.lies[r"/proofs/0x[0-9a-f]*"] = lambda view: {**view, "segments": 1, "samples": 1}
    seat(world, proof)
    reader.step()
    assert read_at(reader, proof, 1) == own_draw(world, proof)
    assert len(own_draw(world, proof)) == 2
    assert any("the server names segments [0]" in said for said in reader.told("trouble"))
    serve(world, proof, world.nodes[0], false_in(0, 1, 2, 3))
    step_all([reader], 3)
    assert [entry["message"]["outcome"] for entry in world.log("verdict")] == [REJECT]


def test_at_stage_two_the_own_draw_is_read_too(world: World) -> None:
    """The server calls a harmless segment the one in dispute."""
    proof, (reader, server) = world.commit(world.nodes[0]), reader_of(world)
    seat(world, proof)
    for verifier in world.verifiers:
        world.draw(verifier, proof)
    serve(world, proof, world.nodes[0])
    world.dispute(proof)
    (disputed,) = world.log("proof-disputed")
    harmless = next(s for s in range(FOUR.segments) if s not in (*own_draw(world, proof), *disputed["disputed"]))
    server.lies[r"/proofs/0x[0-9a-f]*"] = lambda view: {**view, "disputed": [harmless]}
    step_all([reader], 3)
    assert read_at(reader, proof, 2) == sorted({*own_draw(world, proof), *disputed["disputed"]})
    assert [entry["message"]["stage"] for entry in world.log("verdict")] == [1, 1, 1, 2]


def test_stage_two_is_read_though_nothing_is_in_dispute(world: World) -> None:
    """A liar rejects for a reason that names no segment: the others still have to speak."""
    proof, (reader, _) = world.commit(world.nodes[0]), reader_of(world)
    seat(world, proof)
    for verifier in world.verifiers:
        world.draw(verifier, proof)
    serve(world, proof, world.nodes[0])
    world.dispute(proof, segment=NO_SEGMENT, reason=int(Reason.START_STATE_MISMATCH))
    (disputed,) = world.log("proof-disputed")
    assert disputed["disputed"] == []
    step_all([reader], 3)
    assert read_at(reader, proof, 2) == own_draw(world, proof)
    assert [entry["message"]["outcome"] for entry in world.log("verdict")][-1] == ACCEPT


def test_a_later_rounds_link_is_not_shown(world: World) -> None:
    """From the link of round 30 those of all rounds before it follow."""
    proof, (reader, server) = world.commit(world.nodes[0]), reader_of(world)
    for pattern in (r"/proofs/0x[0-9a-f]*", r"/proofs/.*/status"):
        server.lies[pattern] = lambda view: {**view, "round": LATER}
    seat(world, proof)
    reader.step()
    assert [message.link for message in server.heard] == [world.link(world.verifiers[0], 1)]


def test_no_link_is_shown_for_a_proof_outside_the_log(world: World) -> None:
    """A proof of round 30 that the server alone knows of, to be read under any id."""
    proof, (reader, server) = world.commit(world.nodes[0]), reader_of(world)
    seat(world, proof)
    other = "0x" + "07" * 32
    later = world.proof_message(world.train(world.nodes[0]), round=LATER)
    line = {**world.get(f"/proofs/{proof}"), "proof": other, "round": LATER, "message": vars(later)}
    status = {**world.get(f"/proofs/{proof}/status"), "proof": other, "round": LATER}
    get = server._client.get
    shown = {f"/proofs/{other}": line, f"/proofs/{other}/status": status}
    server._client.get = lambda path, **query: shown[path] if path in shown else get(path, **query)
    server.lies[r"/runs/.*/rounds/.*"] = lambda view: {**view, "proofs": [line]}
    reader.step()
    assert server.heard == []
    assert any("proof must be in the log" in said for said in reader.told("trouble"))


def test_no_link_is_shown_before_the_own_chain_has_the_beacon(world: World) -> None:
    """The server names an old block as the beacon of a proof."""
    reader, server = reader_of(world)
    world.commit(world.nodes[0])
    server.lies[r"/proofs/0x[0-9a-f]*"] = lambda view: {**view, "beacon_block": 1}
    server.lies[r"/proofs/.*/status"] = lambda view: {**view, "panel": [world.verifiers[0].address]}
    reader.step()
    assert server.heard == []


def test_no_link_is_shown_for_a_proof_of_another_run(world: World) -> None:
    """A run's chain of links is its own: round 2 of one run says nothing about round 2 of another."""
    first, (reader, server) = world.run, reader_of(world)
    blob = world.blob(pack(genesis(world.config)), world.creator)
    manifest = replace(world.manifest_message(), nonce=2)
    created = world.post("/runs", manifest, world.creator, config=world.config.to_json(), genesis_blob=blob)
    world.run = str(accepted(created)["run"])
    world.enrol(world.nodes[0])
    for verifier in world.verifiers:
        world.anchor(verifier)
    world.step()
    proof = world.commit(world.nodes[0])
    seat(world, proof)
    line = next(p for p in world.round_view()["proofs"] if p["proof"] == proof)
    world.run = first
    server.lies[r"/runs/.*/rounds/.*"] = lambda view: {**view, "proofs": [line]}
    reader.step()
    assert hexed(octets(first)) != world.get(f"/proofs/{proof}")["run"]
    assert server.heard == []
