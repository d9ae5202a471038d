"""A verifier merges what its own log says was posted, from the weights that the round opened with, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.draw import accepted_digest
from contracts.tensorfile import pack
from tests.attacks.outsiders.hostile import Between, Reader, step_all
from tests.attacks.outsiders.reading import audited
from tests.world import World, genesis, hexed, octets
from verifier.errors import CannotJudge
from verifier.outer_step import compute

pytestmark = pytest.mark.integration
ROUND = r"/runs/.*/rounds/.*"
PROOF = r"/proofs/0x[0-9a-f]*"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both proofs of the first round are posted, and nobody has merged."""
    with World(tmp_path_factory.mktemp("merge") / "world") as made:
        made.start()
        for proof in [made.commit(node) for node in made.nodes]:
            made.step()
            assert made.decide(proof)["state"] == "posted"
        made.step()
        assert made.round_view()["phase"] == "merging"
        yield made


def other_weights(world: World) -> str:
    """Sound weights that nobody computed, stored by a node."""
    weights = {name: value + np.float32(1) for name, value in genesis(world.config).items()}
    return world.blob(pack(weights), world.nodes[0])


def swapped(world: World, name: str) -> Callable[[Any], Any]:
    blob = other_weights(world)
    return lambda view: {**view, name: {**view[name], "blob": blob, "digest": "0x" + "07" * 32}}


LIES: dict[str, tuple[str, Callable[[World], Callable[[Any], Any]]]] = {
    "weights": (ROUND, lambda world: swapped(world, "theta")),
    "momentum": (ROUND, lambda world: swapped(world, "momentum")),
    "a gradient": (PROOF, lambda world: lambda view: {**view, "gradient_blob": other_weights(world)}),
}
HARMLESS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a proof fewer": (ROUND, lambda view: {**view, "proofs": view["proofs"][:1]}),
    "nothing posted": (ROUND, lambda view: {**view, "proofs": [{**p, "state": "voided"} for p in view["proofs"]]}),
    "other rates": (ROUND, lambda view: {**view, "config": view["config"].replace('"0.7"', '"2"')}),
}


def reader_of(world: World, place: int, pattern: str, lie: Callable[[Any], Any]) -> Reader:
    reader = Reader(world, world.verifiers[place], Between)
    reader.service.client.lies[pattern] = lie  # type: ignore[attr-defined]
    return reader


@pytest.mark.parametrize("what", LIES)
def test_blobs_of_other_digests_are_not_merged(world: World, what: str, tmp_path: Path) -> None:
    pattern, lie = LIES[what]
    client = Between(world.api_client(world.verifiers[0], tmp_path / "cache"))
    basis = basis_of(world)
    client.lies[pattern] = lie(world)
    with pytest.raises(CannotJudge, match="does not hold 0x"):
        compute(client, world.run, 1, basis, world.corpus)  # type: ignore[arg-type]


def test_the_first_round_has_no_momentum(world: World, tmp_path: Path) -> None:
    """An operator that writes one into its log; the creator's manifest does not name it."""
    client, moved = world.api_client(world.verifiers[0], tmp_path / "cache"), genesis(world.config)
    shown = {**world.round_view()["momentum"], "blob": world.blob(pack(moved), world.nodes[0])}
    server = Between(client)
    server.lies[ROUND] = lambda view: {**view, "momentum": shown}
    basis = {**basis_of(world), "momentum": world.round_view()["theta"]["digest"]}
    with pytest.raises(CannotJudge, match="opened with a momentum"):
        compute(server, world.run, 1, basis, world.corpus)  # type: ignore[arg-type]


def test_a_lying_view_changes_no_merge(world: World) -> None:
    """Posted proofs, their order and the rates are what the log says, whatever the server shows of the round."""
    theta, momentum, accepted = world.outer_step()
    posted = [octets(entry["proof"]) for entry in sorted(world.log("proof-posted"), key=lambda e: node_of(world, e))]
    assert accepted == accepted_digest(posted)
    honest = world.merge_message(world.verifiers[0], (theta, momentum, accepted))
    for place, lie in enumerate(HARMLESS.values()):
        reader = reader_of(world, place, *lie)
        step_all([reader], 3)
        assert reader.told("merged"), reader.said
    (merged,) = {(m["message"]["accepted"], m["message"]["theta"]) for m in merges(world)}
    assert merged == (hexed(honest.accepted), hexed(honest.theta))


def merges(world: World) -> list[Any]:
    world.step()
    (entry,) = world.log("merge")
    return list(entry["attestations"])


def node_of(world: World, entry: dict[str, Any]) -> str:
    return str(world.get(f"/proofs/{entry['proof']}")["node"]).lower()


def basis_of(world: World) -> dict[str, Any]:
    """What a verifier's own log says, and nobody else."""
    books = audited(world).books
    current = books.rounds[world.run, 1]
    posted = [[proof, hexed(books.proofs[proof].message.pseudoGradient)] for proof in books.posted(world.run, 1)]
    start = {"theta": current.theta, "momentum": current.momentum}
    return {"config": current.config.to_json(), "posted": posted, **start}
