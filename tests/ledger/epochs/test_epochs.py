"""Epochs on their way through the chain: signed by k, proposed in order, disputed, final, claimed and booked once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import select

from contracts.bindings.governor import Action
from contracts.bindings.verifier_registry import EpochStatus
from contracts.chain.connection import send
from contracts.merkle.payout_tree import Payout, PayoutTree
from contracts.messages.for_contracts import EpochRoot
from contracts.messages.signatures import Domain
from contracts.messages.signatures import sign as signature_of
from ledger.books import payouts
from ledger.storage.tables import Outgoing, PayoutRow
from tests.deployed import PARAMS
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused
from tests.ledger.governance.test_proposals import by_wallet

pytestmark = pytest.mark.integration


def outgoing(house: House, prefix: str = "") -> dict[str, str]:
    """State of the relayer's transactions by id, without the place in the log at the end of a proposal's."""
    with house.ledger.store.read() as session:
        rows = {row.id: row.state for row in session.exec(select(Outgoing)) if row.id.startswith(prefix)}
    return {":".join(name.split(":")[:3]) if name.startswith("propose") else name: s for name, s in rows.items()}


def sign(house: House, number: int = 1) -> None:
    for verifier in house.run.verifiers[:2]:
        accepted(house.post_epoch(verifier, number))


def states(house: House) -> list[str]:
    return [epoch["state"] for epoch in house.get("/epochs")]


def test_payouts_sum_exactly_to_the_emission(house: House) -> None:
    """7 units over three equal shares: 3 + 2 + 2, pending until the root is final; the root is the tree's over them."""
    house.start(nodes=3, emission=7).play_round()
    (epoch,) = house.get("/epochs")
    before = house.payouts(1)
    assert sorted(int(p["amount"]) for p in before) == [2, 2, 3]
    assert (epoch["total"], epoch["count"]) == ("7", 3)
    d = house.place.deployment
    leaves = [
        Payout(d.chain_id, d.distributor, 1, p["index"], p["account"], p["kind"], int(p["amount"])).leaf()
        for p in before
    ]
    assert epoch["root"] == "0x" + PayoutTree.of(leaves).root.hex()
    assert house.get("/balances/units") == {}
    house.settle_epoch()
    owed = {a: int(v) for a, v in house.get("/balances/units").items()}
    assert owed.pop("emission:1") == -7
    after = house.payouts(1)
    assert {f"owed:{p['account']}": int(p["amount"]) for p in after} == owed
    assert [{**p, "leaf": None} for p in after] == before


def test_the_head_that_is_signed_contains_its_closing(house: House) -> None:
    house.start().play_round()
    (epoch,) = house.get("/epochs")
    assert house.log()[epoch["log_size"] - 1]["kind"] == "epoch-closed"


def test_an_epoch_becomes_final_on_the_chain_and_is_minted(house: House) -> None:
    house.start().play_round()
    sign(house)
    house.step(2)
    assert states(house) == ["proposed"]
    house.wait(PARAMS.challenge_window - 5)
    house.step(2)
    assert states(house) == ["proposed"]
    house.wait(10)
    house.step(3)
    assert states(house) == ["final"]
    token, wallet = house.ledger.chain.token, house.wallets[0].address
    assert token.total_supply() == 0
    house.claim(wallet)
    assert (token.balance_of(wallet), token.total_supply()) == (500, 500)
    books = house.get("/balances/units")
    assert (books[f"owed:{wallet}"], books[f"minted:{wallet}"]) == ("0", "500")
    assert books[f"owed:{house.wallets[1].address}"] == "500"
    assert sum(int(v) for v in books.values()) == 0


def test_an_epoch_signed_early_waits_for_the_one_before(house: House) -> None:
    """The contract takes epochs in order: the second must not be refused and lost while the first is open."""
    house.start().play_round()
    house.play_round()
    sign(house, 2)
    house.step(3)
    assert outgoing(house) == {}
    sign(house)
    house.step(3)
    assert outgoing(house) == {"propose-root:1:0": "final"}
    for _ in range(2):
        house.wait(PARAMS.challenge_window + 1)
        house.step(4)
    assert states(house) == ["final", "final"]
    assert set(outgoing(house).values()) == {"final"}


def test_an_epoch_not_signed_in_time_closes_and_is_signed_again(house: House) -> None:
    house.start().play_round()
    accepted(house.post_epoch(house.run.verifiers[0]))
    (before,) = house.get("/epochs")
    house.wait(before["deadline"] - before["settled_at"] + 1)
    house.step(2)
    (after,) = house.get("/epochs")
    assert after["log_size"] > before["log_size"]
    assert (after["signatures"], outgoing(house)) == ([], {})
    house.settle_epoch()
    assert states(house) == ["final"]


@pytest.mark.parametrize(("proposed", "paid"), [(True, 1_000), (False, 1)])
def test_a_limit_that_falls_while_an_epoch_waits_stops_no_epoch(house: House, proposed: bool, paid: int) -> None:
    """A root that was proposed before is paid as it stands; one that the contract takes no more is closed anew at once,
    and signed again. What is cut from it is owed."""
    registry = house.become_holders().ledger.chain.registry
    proposal = by_wallet(house, [Action.of(registry.set_max_epoch_total(1))], "limit")
    house.wait(PARAMS.voting_delay + 1)
    for wallet in house.wallets:
        accepted(house.vote(wallet, proposal))
    house.step(2)
    house.wait(PARAMS.voting_period + 1)
    house.step(3)
    house.play_round()
    if proposed:
        sign(house, 2)
        house.step(2)
    house.wait(PARAMS.timelock_delay + 2)
    house.step(6)
    assert (registry.max_epoch_total(), house.get("/epochs")[-1]["total"]) == (1, "1")
    sign(house, 2)
    house.step(3)
    house.wait(PARAMS.challenge_window + 1)
    house.step(4)
    assert states(house)[:2] == ["final", "final"]
    assert sum(int(line["amount"]) for line in house.payouts(2)) == paid
    assert registry.epoch_of(2).total == paid


@holds(
    "An epoch is final when a final block says so", by="ledger/epochs/settlement.py:settle", against=Threat.WRONG_PAY
)
def test_an_epoch_is_final_when_a_final_block_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer of a node on another fork opens no claims, and the ledger goes on following the epoch."""
    house.start().play_round()
    sign(house)
    house.step(2)
    registry = house.ledger.chain.registry
    fork = replace(registry.epoch_of(1), status=EpochStatus.FINAL)
    body = {"account": house.wallets[0].address}
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(type(registry), "epoch_of", lambda _self, _number: fork)
        house.step(2)
        assert states(house) == ["proposed"]
        check_refused(house.client.post("/v1/epochs/1/claims", json=body), 409, "too-early")
    house.wait(PARAMS.challenge_window + 1)
    house.step(4)
    assert states(house) == ["final"]
    assert len(house.claim(house.wallets[0].address)) == 1


def test_a_disputed_epoch_is_shown_as_such_and_not_finalized(house: House) -> None:
    house.start().play_round()
    sign(house)
    house.step(2)
    send(house.place.w3, house.creator, house.ledger.chain.registry.challenge(1), value=PARAMS.bond)
    house.wait(PARAMS.challenge_window + 1)
    house.step(2)
    assert states(house) == ["disputed"]
    assert outgoing(house, "finalize") == {}
    body = {"account": house.wallets[0].address}
    check_refused(house.client.post("/v1/epochs/1/claims", json=body), 409, "too-early")


def test_an_epoch_is_signed_again_after_an_undecided_dispute(house: House) -> None:
    """Before there are holders nobody can vote on it; one bond must not hold up all payouts for ever."""
    registry = house.ledger.chain.registry
    house.start().play_round()
    signers = house.run.verifiers[:2]
    sign(house)
    house.step(2)
    send(house.place.w3, house.creator, registry.challenge(1), value=PARAMS.bond)
    house.wait(registry.dispute_limit() - 1)
    house.step(2)
    assert outgoing(house, "lapse") == {}
    house.wait(1)
    house.step(3)
    assert outgoing(house, "lapse") == {"lapse:1:0:1": "final"}
    assert [(e["state"], e["attempt"]) for e in house.get("/epochs")] == [("closed", 1)]
    house.settle_epoch()
    assert states(house) == ["final"]
    assert {registry.stake_of(v.address) for v in signers} == {PARAMS.min_stake}


def test_a_root_that_fell_before_its_epoch_closed_stops_no_epoch(house: House) -> None:
    """k verifiers sign the next epoch in advance. The contract counts its attempts on, and so does the log."""
    registry, place, begun = house.ledger.chain.registry, house.place, house.start()
    early = EpochRoot(
        model=bytes.fromhex(place.deployment.model[2:]),
        epoch=1,
        attempt=0,
        root=b"r" * 32,
        total=5,
        count=1,
        logSize=1,
        logRoot=b"l" * 32,
        settledAt=1,
        deadline=2**40,
    )
    domain = Domain(place.deployment.chain_id, place.deployment.verifier_registry)
    signed = {str(one.address): signature_of(early, domain, bytes(one.key)) for one in begun.run.verifiers[:2]}
    send(place.w3, house.creator, registry.propose(early, signed))
    send(place.w3, house.creator, registry.challenge(1), value=PARAMS.bond)
    house.wait(registry.dispute_limit())
    send(place.w3, house.creator, registry.lapse(1))
    house.step(2)
    house.play_round()
    assert [(e["state"], e["attempt"]) for e in house.get("/epochs")] == [("closed", 1)]
    house.settle_epoch()
    assert states(house) == ["final"]
    house.claim(house.wallets[0].address)
    assert house.ledger.chain.token.balance_of(house.wallets[0].address) == 500


def test_a_mint_that_no_epoch_owes_is_passed_over(house: House) -> None:
    """Governance may let another contract mint; its receipt is no payout, and the indexer goes on."""
    house.start().play_round()
    house.settle_epoch()
    before = house.dump()
    with house.ledger.store.write() as session:
        payouts.record_mint(session, "0x" + "07" * 32, house.clock.now)
    assert house.dump() == before


def test_a_mint_is_booked_once(house: House) -> None:
    house.start().play_round()
    house.settle_epoch()
    with house.ledger.store.read() as session:
        leaf = session.exec(select(PayoutRow.leaf)).first()
    for _ in range(2):
        with house.ledger.store.write() as session:
            payouts.record_mint(session, str(leaf), house.clock.now)
    books = house.get("/balances/units")
    assert sorted(v for a, v in books.items() if a.startswith("minted:")) == ["500"]
