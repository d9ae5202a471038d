"""What is owed and never paid, credited where it was not meant, refused for ever, or paid for by the relayer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from httpx import Response

from contracts.contribution import Contribution
from contracts.errors import InvalidTensorFile
from contracts.maintainers import Maintainers
from contracts.messages import CodeContribution, to_json
from contracts.signing import sign
from contracts.tensorfile import pack, unpack
from tests.attacks.outsiders.hostile import happened, must_be, paid, still_open
from tests.world import PARAMS, TINY, Place, StillChain, World, hexed, key_of

pytestmark = pytest.mark.integration
MAINTAINERS = sorted((key_of(f"maintainer {number}") for number in range(2)), key=lambda key: key.address)
MANY = 5
AUTHOR = key_of("author").address
LAYOUT = {"theta.w": ("F32", (4,))}


@pytest.fixture(scope="module")
def place() -> Place:
    """For those who settle no epoch."""
    return Place(chain=StillChain)


@pytest.fixture
def vouched(place: Place, tmp_path: Path) -> Iterator[World]:
    """A run of one round whose maintainers vouch for code."""
    rules = str(Maintainers(2, tuple(maintainer.address for maintainer in MAINTAINERS)))
    config = replace(TINY, maintainers=rules, compute_weight=70, code_weight=30, rounds=1)
    with World(tmp_path / "vouched", place, nodes=1, config=config) as made:
        made.start()
        yield made


def code(world: World) -> CodeContribution:
    return CodeContribution(world.ledger.chain.model, "git:models", "ab" * 20, AUTHOR, 5, world.clock.now + 100)


def signed_by_all(world: World, said: Contribution) -> dict[str, str]:
    return {key.address: hexed(sign(said, world.ledger.chain.domain, bytes(key.key))) for key in MAINTAINERS}


def credit(world: World, run: str, said: Contribution, signatures: dict[str, str]) -> Response:
    """Anybody who has the signatures hands them in."""
    body = {"contribution": type(said).__name__, "message": to_json(said), "signatures": signatures}
    return world.client.post(f"/v1/runs/{run}/contributions", json=body)


@still_open("F20: rule J16, J19")
def test_code_vouched_at_the_end_of_a_run_is_lost(vouched: World) -> None:
    """F20: the run takes it and has no epoch left that would pay it; every other run says that it is credited."""
    vouched.play_round()
    happened(vouched.run_view()["phase"] == "complete")
    said = code(vouched)
    first, answer = vouched.run, credit(vouched, vouched.run, said, signed_by_all(vouched, said))
    vouched.config = replace(vouched.config, rounds=2)
    vouched.start(nonce=2)
    again = credit(vouched, vouched.run, said, signed_by_all(vouched, said))
    vouched.play_round()
    happened(first != vouched.run and answer.status_code != again.status_code)
    must_be(paid(vouched, AUTHOR), 300)


@still_open("F21: rule J16")
def test_a_signature_for_one_run_is_spent_in_another(vouched: World) -> None:
    """F21: it names no run; whoever holds it hands it in where it pays most, or where nothing is paid any more."""
    vouched.play_round()
    over, vouched.config = vouched.run, replace(vouched.config, rounds=2)
    vouched.start(nonce=2)
    said = code(vouched)
    signatures = signed_by_all(vouched, said)
    thief = credit(vouched, over, said, signatures)
    meant = credit(vouched, vouched.run, said, signatures)
    must_be((thief.status_code < 400, meant.status_code), (False, 200))


@still_open("F24: rule J19")
def test_an_epoch_above_the_limit_blocks_all_behind_it(tmp_path: Path) -> None:
    """F24: the contract refuses its root for ever and takes epochs in order only, those of other runs too."""
    with World(tmp_path / "world", nodes=1) as world:
        world.start(emission=PARAMS.max_epoch_total + 1).play_round()
        world.start(nonce=2).play_round()
        for number in (1, 2):
            world.settle_epoch(number)
        must_be([epoch["state"] for epoch in world.get("/epochs")], ["final", "final"])


@still_open("X1: rule J20")
def test_a_restored_database_never_sees_its_epoch_final(tmp_path: Path) -> None:
    """X1: the same epoch is closed again with the root that is final on the chain, and stays proposed for ever."""
    with World(tmp_path / "world", nodes=1) as world:
        world.start()
        proof = world.commit(world.nodes[0])
        world.decide(proof)
        world.step(2)
        yesterday = copied(world)
        world.close_round()
        world.settle_epoch()
        root = world.get("/epochs")[0]["root"]
        happened(world.get("/epochs")[0]["state"] == "final")
        restore(world, yesterday)
        happened(world.get("/epochs") == [])
        world.step(3)
        world.close_round()
        world.step(5)
        happened(world.get("/epochs")[0]["root"] == root and world.ledger.chain.registry.is_final(1))
        must_be(world.get("/epochs")[0]["state"], "final")


def copied(world: World) -> Path:
    """A copy of the database, whole."""
    world.restart()
    kept = world.folder / "yesterday"
    kept.mkdir()
    for file in world.folder.glob("ledger.db*"):
        shutil.copy(file, kept)
    return kept


def restore(world: World, kept: Path) -> None:
    """The server starts on the copy."""
    world.__exit__(None, None, None)
    for file in world.folder.glob("ledger.db*"):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy(file, world.folder)
    world._open()
    world.__enter__()


@still_open("X2: rule J4")
def test_a_node_is_paid_at_the_zero_address(place: Place, tmp_path: Path) -> None:
    """X2: nobody can claim there, and the token refuses the mint."""
    with World(tmp_path / "world", place, nodes=1) as world:
        world.create_run()
        node = world.nodes[0]
        message = world.enrolment_message(node, payout="0x" + "00" * 20)
        answer = world.post(f"/runs/{world.run}/nodes", message, node, from_round=1)
        must_be(answer.status_code, 422)


def with_header(change: bytes, at: bytes = b"{") -> bytes:
    """A tensor file whose header has `change` after its first `at`."""
    data = pack({"theta.w": np.arange(4, dtype=np.float32)})
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size].rstrip().replace(at, at + change, 1)
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


METADATA = b'"__metadata__":' + json.dumps({"note": "x" * 90_000}).encode() + b","
TWICE = b'"theta.w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'


@still_open("X3: rule J21")
@pytest.mark.parametrize("change", [METADATA, TWICE], ids=["90-kB-of-metadata", "a-key-twice"])
def test_a_tensor_header_holds_more_than_tensors(change: bytes) -> None:
    """X3: what no digest covers is stored and served, and two readers may read two files."""
    happened(list(unpack(with_header(b""), LAYOUT)) == ["theta.w"])
    try:
        found = list(unpack(with_header(change), LAYOUT))
    except InvalidTensorFile:
        found = []
    must_be(found, [])


@still_open("F11: rule J22")
def test_the_relayer_pays_for_proposals_without_end(tmp_path: Path) -> None:
    """F11: a holder of some units of 10^-18 of a token has each of its proposals brought to the chain."""
    with World(tmp_path / "world", nodes=1) as world:
        world.create_run()
        world.enrol(world.nodes[0], payout=world.creator.address)
        for verifier in world.verifiers:
            world.anchor(verifier)
        world.step()
        world.play_round()
        world.settle_epoch()
        world.claim(world.creator.address)
        world.wait(2)
        happened(world.ledger.chain.token.votes(world.creator.address) == 1000)
        bodies = [world.proposal_body(world.creator, f"wish {number}", [("rounds", "9")]) for number in range(MANY)]
        answers = [world.client.post("/v1/proposals", json=body) for body in bodies]
        must_be(sum(answer.status_code < 400 for answer in answers) < MANY, True)
