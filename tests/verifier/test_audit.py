"""An audit judges every round by the verifiers and the k of the block that it opened on, whatever holds today."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from contracts.draw import panel_order
from contracts.errors import BadField
from contracts.messages import MergeAttestation, from_json, to_json
from contracts.signing import sign
from contracts.verifier_registry import VerifierSet
from tests.world import World, accepted, hexed, key_of, octets
from verifier.audit import LogAudit
from verifier.chain_authority import authority_of
from verifier.errors import AuditFailed

pytestmark = pytest.mark.integration
Entry = dict[str, Any]
Change = Callable[[Entry], Entry | None]
JOINED = key_of("verifier 3")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Round 2 opened under three verifiers with k = 2, round 3 under two of them and a new one with k = 3."""
    with World(tmp_path_factory.mktemp("audit") / "world", nodes=1) as made:
        made.create_run()
        made.enrol(made.nodes[0], payout=made.creator.address)
        for verifier in made.verifiers:
            made.anchor(verifier)
        made.step()
        made.play_round()
        made.settle_epoch()
        made.claim(made.creator.address)
        made.wait(2)
        registry = made.ledger.chain.registry
        changes = registry.admit(JOINED.address), registry.remove(gone(made).address), registry.set_threshold(3)
        made.enact(made.creator, *changes)
        made.anchor(JOINED)
        made.mine()
        made.play_round()
        made.verifiers = [*made.verifiers[:2], JOINED]
        (proof,) = (made.commit(node) for node in made.nodes)
        made.step()
        made.decide(proof)
        made.step()
        for verifier in made.verifiers:
            accepted(made.post_merge(verifier))
        made.step()
        yield made


def gone(world: World) -> LocalAccount:
    return world.place.verifiers[2]


def read(world: World, change: Change = lambda entry: entry) -> LogAudit:
    """Audit the log with some entries changed or left out."""
    audit = LogAudit(authority_of(world.place.w3, world.place.deployment))
    for index, entry in enumerate(filter(None, map(change, world.log()))):
        audit.take(index, json.dumps(entry))
    return audit


def proofs(world: World) -> list[str]:
    """One a round."""
    return [entry["proof"] for entry in world.log("proof-submitted")]


def addresses(*keys: LocalAccount) -> frozenset[str]:
    return frozenset(key.address for key in keys)


def test_each_round_is_judged_by_the_verifiers_it_opened_under(world: World) -> None:
    audit, place = read(world), world.place
    _, second, third = proofs(world)
    assert audit.bench_of(second) == VerifierSet(addresses(*place.verifiers), 2)
    assert audit.bench_of(third) == VerifierSet(addresses(*place.verifiers[:2], JOINED), 3)
    assert [entry["round"] for entry in world.log("merge")] == [1, 2, 3]
    with pytest.raises(BadField, match="proof must be in the log"):
        audit.bench_of("0x" + "07" * 32)


def drawn_among(world: World, proof: str, *keys: LocalAccount) -> Change:
    """That proof's panel, drawn by its beacon among others than it should be."""

    def change(entry: Entry) -> Entry:
        if (entry["kind"], entry.get("proof")) != ("panel-drawn", proof):
            return entry
        return {**entry, "verifiers": list(panel_order(octets(entry["beacon"]), octets(proof), addresses(*keys)))}

    return change


def test_a_panel_with_a_removed_verifier_is_noticed(world: World) -> None:
    with pytest.raises(AuditFailed, match="panel does not follow from the beacon") as refused:
        read(world, drawn_among(world, proofs(world)[2], *world.verifiers, gone(world)))
    assert refused.value.index == world.log().index(world.log("panel-drawn")[2])


def test_a_panel_with_a_verifier_admitted_after_the_round_opened_is_noticed(world: World) -> None:
    with pytest.raises(AuditFailed, match="panel does not follow from the beacon") as refused:
        read(world, drawn_among(world, proofs(world)[1], *world.place.verifiers, JOINED))
    assert refused.value.index == world.log().index(world.log("panel-drawn")[1])


def test_an_outer_step_that_counts_a_removed_verifier_is_noticed(world: World) -> None:
    first, *others = world.log("merge")[-1]["attestations"]
    said = replace(from_json(MergeAttestation, first["message"]), verifier=gone(world).address)
    forged = {"message": to_json(said), "signature": hexed(sign(said, world.domain, bytes(gone(world).key)))}
    with pytest.raises(AuditFailed, match="outer step under 2 signatures"):
        read(world, in_merge(3, attestations=[forged, *others]))


def test_fewer_signatures_than_the_k_of_the_round_are_noticed(world: World) -> None:
    """Two were enough before."""
    few = world.log("merge")[-1]["attestations"][1:]
    with pytest.raises(AuditFailed, match="outer step under 2 signatures"):
        read(world, in_merge(3, attestations=few))


def test_fewer_accepts_than_the_k_of_the_round_are_noticed(world: World) -> None:
    silent = (proofs(world)[2], JOINED.address)

    def change(entry: Entry) -> Entry | None:
        said = entry["message"] if entry["kind"] == "verdict" else {}
        return None if (said.get("proof"), said.get("verifier")) == silent else entry

    with pytest.raises(AuditFailed, match="posted on 2 accepting verdicts"):
        read(world, change)


def test_a_round_that_goes_back_to_the_verifiers_before_a_beacon_is_noticed(world: World) -> None:
    """An operator would keep those whom the holders removed by never naming a newer block."""
    block = world.log("round-opened")[1]["block"]
    with pytest.raises(AuditFailed, match="older block than the chain had reached"):
        read(world, lambda e: {**e, "block": block} if (e["kind"], e.get("round")) == ("round-opened", 3) else e)


def in_merge(number: int, **fields: Any) -> Change:
    return lambda entry: {**entry, **fields} if (entry["kind"], entry.get("round")) == ("merge", number) else entry
