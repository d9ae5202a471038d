"""Epochs: what verified work is paid, under whose signatures, and that it is paid once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import select

from contracts.chain import send
from contracts.payout_tree import Payout, PayoutTree
from contracts.verifier_registry import EpochStatus
from ledger import epochs
from ledger.tables import DecisionRow, Epoch, Outgoing, PayoutRow
from tests.world import PARAMS, REJECT, World, accepted, key_of, octets

pytestmark = pytest.mark.integration


def outgoing(world: World, prefix: str = "") -> dict[str, str]:
    """State of the relayer's transactions by id."""
    with world.ledger.store.read() as session:
        return {r.id: r.state for r in session.exec(select(Outgoing)) if r.id.startswith(prefix)}


def test_payouts_sum_exactly_to_the_emission(world: World) -> None:
    """7 units over three equal shares: 3 + 2 + 2, and the root is the tree's over these lines."""
    world.nodes = sorted([*world.nodes, key_of("one more node")], key=lambda a: a.address.lower())
    world.start(emission=7).play_round()
    (epoch,) = world.get("/epochs")
    amounts = sorted(int(p["amount"]) for p in world.payouts(1))
    assert (amounts, epoch["total"], epoch["count"]) == ([2, 2, 3], "7", 3)
    d = world.place.deployment
    leaves = [
        Payout(d.chain_id, d.distributor, 1, p["index"], p["account"], p["kind"], int(p["amount"])).leaf()
        for p in world.payouts(1)
    ]
    assert octets(epoch["root"]) == PayoutTree.of(leaves).root
    owed = {a: int(v) for a, v in world.get("/balances/units").items()}
    assert owed["emission:1"] == -7
    assert {p["account"]: int(p["amount"]) for p in world.payouts(1)} == {
        a.removeprefix("owed:"): v for a, v in owed.items() if a.startswith("owed:")
    }
    (entry,) = world.log("epoch-closed")
    assert (entry["root"], entry["deadline"], entry["count"]) == (epoch["root"], epoch["deadline"], 3)


def test_voided_work_is_paid_nothing(world: World) -> None:
    world.start()
    good, bad = (world.commit(node) for node in world.nodes)
    world.step()
    world.decide(good)
    world.decide(bad, REJECT)
    world.step()
    world.close_round()
    assert [(p["account"], p["amount"]) for p in world.payouts(1)] == [(world.wallets[0].address, "1000")]


def test_each_round_is_paid_in_exactly_one_epoch(world: World) -> None:
    """roundsPerEpoch 2, three rounds: the last one is paid when the run ends, and not again when it is prolonged."""
    world.config = replace(world.config, rounds=3)
    world.start(roundsPerEpoch=2)
    for _ in range(3):
        world.play_round()
    spans = [(e["first_round"], e["last_round"], e["total"]) for e in world.get("/epochs")]
    assert spans == [(1, 2, "1000"), (3, 3, "1000")]
    assert len(world.log("epoch-closed")) == 2


def test_the_log_head_of_an_epoch_contains_its_closing(world: World) -> None:
    world.start().play_round()
    (epoch,) = world.get("/epochs")
    entries = world.log()
    assert entries[epoch["log_size"] - 1]["kind"] == "epoch-closed"


def test_one_signature_of_two_is_not_proposed(alone: World) -> None:
    alone.start().play_round()
    accepted(alone.post_epoch(alone.verifiers[0]))
    accepted(alone.post_epoch(alone.verifiers[0]))
    alone.step(2)
    assert outgoing(alone) == {}
    accepted(alone.post_epoch(alone.verifiers[2]))
    alone.step(2)
    assert outgoing(alone) == {"propose-root:1:0": "final"}
    assert alone.ledger.chain.registry.epoch_of(1).status == EpochStatus.PROPOSED


def test_an_epoch_goes_to_the_chain_becomes_final_and_is_minted_and_booked(alone: World) -> None:
    alone.start().play_round()
    for verifier in alone.verifiers[:2]:
        accepted(alone.post_epoch(verifier))
    alone.step(2)
    assert alone.get("/epochs")[0]["state"] == "proposed"
    alone.wait(PARAMS.challenge_window - 5)
    alone.step(2)
    assert alone.get("/epochs")[0]["state"] == "proposed"
    alone.wait(10)
    alone.step(3)
    assert alone.get("/epochs")[0]["state"] == "final"
    token, wallet = alone.ledger.chain.token, alone.wallets[0].address
    assert token.total_supply() == 0
    alone.claim(wallet)
    assert (token.balance_of(wallet), token.total_supply()) == (500, 500)
    books = alone.get("/balances/units")
    assert (books[f"owed:{wallet}"], books[f"minted:{wallet}"]) == ("0", "500")
    assert books[f"owed:{alone.wallets[1].address}"] == "500"
    assert sum(int(v) for v in books.values()) == 0


def test_an_epoch_signed_early_waits_for_the_one_before(alone: World) -> None:
    """The contract takes epochs in order: the second must not be refused and lost while the first is open."""
    alone.start().play_round()
    for verifier in alone.verifiers[:2]:
        accepted(alone.post_epoch(verifier))
    alone.step(2)
    alone.play_round()
    for verifier in alone.verifiers[:2]:
        accepted(alone.post_epoch(verifier, 2))
    alone.step(3)
    assert outgoing(alone) == {"propose-root:1:0": "final"}
    for _ in range(2):
        alone.wait(PARAMS.challenge_window + 1)
        alone.step(4)
    assert [e["state"] for e in alone.get("/epochs")] == ["final", "final"]
    assert set(outgoing(alone).values()) == {"final"}


def test_an_epoch_that_waits_for_long_goes_to_the_chain_all_the_same(alone: World) -> None:
    """A dispute before it, or an outage, may last for weeks; epochs go in order, and all later ones wait behind it."""
    alone.start().play_round()
    for verifier in alone.verifiers[:2]:
        accepted(alone.post_epoch(verifier))
    alone.step(2)
    alone.play_round()
    accepted(alone.post_epoch(alone.verifiers[0], 2))
    alone.wait(60 * 86_400)
    accepted(alone.post_epoch(alone.verifiers[1], 2))
    for _ in range(2):
        alone.step(4)
        alone.wait(PARAMS.challenge_window + 1)
    alone.step(4)
    assert [e["state"] for e in alone.get("/epochs")] == ["final", "final"]
    assert set(outgoing(alone).values()) == {"final"}


def test_an_epoch_is_final_when_a_final_block_says_so(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer of a node on another fork opens no claims, and the ledger goes on following the epoch."""
    alone.start().play_round()
    for verifier in alone.verifiers[:2]:
        accepted(alone.post_epoch(verifier))
    alone.step(2)
    registry = alone.ledger.chain.registry
    fork = replace(registry.epoch_of(1), status=EpochStatus.FINAL)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(type(registry), "epoch_of", lambda _self, _number: fork)
        alone.step(2)
        assert alone.get("/epochs")[0]["state"] == "proposed"
        body = {"account": alone.wallets[0].address}
        assert alone.client.post("/v1/epochs/1/claims", json=body).json()["code"] == "too-early"
    alone.wait(PARAMS.challenge_window + 1)
    alone.step(4)
    assert alone.get("/epochs")[0]["state"] == "final"
    assert len(alone.claim(alone.wallets[0].address)) == 1


def test_a_disputed_epoch_is_shown_as_such_and_not_finalized(alone: World) -> None:
    alone.start().play_round()
    for verifier in alone.verifiers[:2]:
        accepted(alone.post_epoch(verifier))
    alone.step(2)
    send(alone.place.w3, alone.creator, alone.ledger.chain.registry.challenge(1), value=PARAMS.bond)
    alone.wait(PARAMS.challenge_window + 1)
    alone.step(2)
    assert alone.get("/epochs")[0]["state"] == "disputed"
    assert outgoing(alone, "finalize") == {}
    body = {"account": alone.wallets[0].address}
    assert alone.client.post("/v1/epochs/1/claims", json=body).json()["code"] == "too-early"


def test_a_dispute_that_nobody_decides_lapses_and_the_epoch_is_signed_again(alone: World) -> None:
    """Before there are holders nobody can vote on it; one bond must not hold up all payouts for ever."""
    registry, signers = alone.ledger.chain.registry, alone.verifiers[:2]
    alone.start().play_round()
    for verifier in signers:
        accepted(alone.post_epoch(verifier))
    alone.step(2)
    send(alone.place.w3, alone.creator, registry.challenge(1), value=PARAMS.bond)
    alone.wait(registry.dispute_limit() - 1)
    alone.step(2)
    assert outgoing(alone, "lapse") == {}
    alone.wait(1)
    alone.step(3)
    assert outgoing(alone, "lapse") == {"lapse:1:0:1": "final"}
    assert [(e["state"], e["attempt"]) for e in alone.get("/epochs")] == [("closed", 1)]
    for verifier in signers:
        accepted(alone.post_epoch(verifier))
    alone.step(2)
    alone.wait(PARAMS.challenge_window + 1)
    alone.step(4)
    assert [e["state"] for e in alone.get("/epochs")] == ["final"]
    assert {registry.stake_of(v.address) for v in signers} == {PARAMS.min_stake}


def test_a_mint_that_no_epoch_owes_is_passed_over(world: World) -> None:
    """Governance may let another contract mint; its receipt is no payout, and the indexer goes on."""
    world.start().play_round()
    before = world.dump()
    with world.ledger.store.write() as session:
        epochs.record_mint(world.ledger, session, "0x" + "07" * 32)
    assert world.dump() == before


def test_a_mint_is_booked_once(world: World) -> None:
    world.start().play_round()
    with world.ledger.store.read() as session:
        leaf = session.exec(select(PayoutRow.leaf)).first()
    for _ in range(2):
        with world.ledger.store.write() as session:
            epochs.record_mint(world.ledger, session, str(leaf))
    books = world.get("/balances/units")
    assert sorted(v for a, v in books.items() if a.startswith("minted:")) == ["500"]


def test_epochs_of_two_runs_are_numbered_in_one_row(world: World) -> None:
    """The contract knows one sequence of epochs per model."""
    world.start().play_round()
    first = world.run
    world.start(nonce=2).play_round()
    with world.ledger.store.read() as session:
        rows = [(e.number, e.run) for e in session.exec(select(Epoch).order_by(Epoch.number))]  # type: ignore[arg-type]
    assert rows == [(1, first), (2, world.run)]


def test_a_round_that_a_vote_makes_the_last_one_is_paid(world: World) -> None:
    """roundsPerEpoch 2, and the decision comes while round 3 of 4 is open."""
    world.config = replace(world.config, rounds=4)
    world.start(roundsPerEpoch=2)
    for _ in range(2):
        world.play_round()
    proofs = [world.commit(node) for node in world.nodes]
    with world.ledger.store.write() as session:
        session.add(DecisionRow(sequence=1, key="rounds", value="3", block=1))
    world.step()
    for proof in proofs:
        world.decide(proof)
    world.step()
    world.close_round()
    world.step(2)
    assert [(e["first_round"], e["last_round"]) for e in world.get("/epochs")] == [(1, 2), (3, 3)]
