"""The audit that anyone can run: it passes on honest history, and names what a lying operator changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils import keccak

from contracts.chain import send
from contracts.signing import sign
from contracts.verifier_registry import VerifierRegistry
from ledger import keeper
from tests.world import World
from verifier.audit_report import audit_model
from verifier.errors import AuditFailed

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world", nodes=1) as made:
        yield made


def lines(world: World) -> list[str]:
    place = world.place
    return list(audit_model(world.api_client(), place.w3, place.deployment, world.folder / "head.json"))


def test_honest_history_holds_down_to_the_root_on_the_chain(world: World) -> None:
    world.start().play_round()
    assert lines(world)[-1].startswith("epoch 1: not on the chain yet, 1 payees")
    world.settle_epoch()
    log, beacons, epoch = lines(world)
    assert f"{len(world.log())} entries hold, 3 draws follow" in log
    assert "1 are blocks of the chain" in beacons
    root = VerifierRegistry(world.place.w3, world.place.deployment.verifier_registry).epoch_of(1).root
    assert epoch == f"epoch 1: final, 1 payees, root 0x{root.hex()}"


def test_a_beacon_that_operator_and_verifiers_made_up_together_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "STEPS", [step for step in keeper.STEPS if step[0] == "rounds"])  # it reads no chain
    monkeypatch.setattr(type(world.ledger.chain), "block_hash", lambda _chain, number: keccak(number.to_bytes(8)))
    world.start().play_round()
    with pytest.raises(AuditFailed, match="a draw was steered"):
        lines(world)


def test_a_root_on_the_chain_that_the_log_does_not_prove_is_noticed(world: World) -> None:
    """k verifiers and the operator agree on another root; anybody else still sees it."""
    world.start().play_round()
    forged = world.epoch_message(root=keccak(b"another root"))
    signed = {v.address: sign(forged, world.epoch_domain, bytes(v.key)) for v in world.verifiers[:2]}
    send(world.place.w3, world.operator, world.ledger.chain.registry.propose(forged, signed))
    with pytest.raises(AuditFailed, match="not what the log proves"):
        lines(world)
