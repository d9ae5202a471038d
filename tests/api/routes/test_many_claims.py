"""Several epochs and accounts in one transaction: each line is paid once, and none keeps another from being paid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from contracts.chain.connection import contract_at, send
from contracts.ids import Address
from contracts.keccak import keccak256
from ledger.epochs import claim_calls, many_claims
from ledger.storage.tables import Outgoing
from tests.api.routes.test_signed_claims import ask, body, deploy
from tests.deployed import key_of
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration


def post(house: House, *wanted: tuple[int, str]) -> Response:
    answer: Response = house.client.post("/v1/claims", json={"claims": [{"epoch": e, "account": a} for e, a in wanted]})
    return answer


def everything(house: House) -> list[tuple[int, str]]:
    return [(number, wallet.address) for number in (1, 2) for wallet in house.wallets]


def whys(answer: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(one["epoch"], one["account"], one["why"]) for one in answer["passed_over"]]


def pay_past_the_relayer(house: House, epoch: int, account: Address) -> None:
    """Somebody else sends the claim of a line."""
    line = next(line for line in house.get(f"/epochs/{epoch}/claims/{account}"))
    proof = [bytes.fromhex(node[2:]) for node in line["proof"]]
    call = house.ledger.chain.distributor.claim(epoch, line["index"], account, line["kind"], int(line["amount"]), proof)
    send(house.place.w3, house.creator, call)


def calls(house: House) -> dict[str, str]:
    """States of the calls that claim, by their id."""
    return {line["id"]: line["state"] for line in house.get("/transactions") if line["id"].startswith("claim")}


def test_epochs_and_accounts_are_paid_in_one_transaction(final: House) -> None:
    token = final.ledger.chain.token
    answer = accepted(post(final, *everything(final), *everything(final)))  # who is named twice is paid once
    (name,) = answer["transactions"]
    assert (answer["passed_over"], accepted(post(final, *everything(final)))) == ([], answer)
    final.step(2)
    assert [token.balance_of(wallet.address) for wallet in final.wallets] == [1_000, 1_000]
    assert (token.total_supply(), token.reserved_of(final.place.deployment.distributor)) == (2_000, 0)
    books = final.get("/balances/units")
    for wallet in final.wallets:
        assert (books[f"owed:{wallet.address}"], books[f"minted:{wallet.address}"]) == ("0", "1000")
    assert set(calls(final)) == {name}
    again = accepted(post(final, *everything(final)))
    assert (again["transactions"], whys(again)) == ([], [(*one, "paid") for one in everything(final)])
    assert final.claim(final.wallets[0].address) == []
    assert (token.total_supply(), set(calls(final))) == (2_000, {name})


@holds(
    "In a claim of many no line blocks another, and each skipped line is named",
    by="contracts/solidity/EpochDistributor.sol:claimMany",
    against=Threat.WRONG_PAY,
    also="contracts/foundry/test/ClaimMany.t.sol:testFuzz_no_line_keeps_another_from_being_paid",
)
def test_who_was_paid_meanwhile_is_passed_over_and_named(final: House) -> None:
    """After the relayer has queued it, and before it is mined."""
    wallet, token = final.wallets[0].address, final.ledger.chain.token
    (name,) = accepted(post(final, *everything(final)))["transactions"]
    pay_past_the_relayer(final, 1, wallet)
    final.step(2)
    assert token.total_supply() == 2_000
    assert calls(final)[name] in ("mined", "final")
    events = contract_at(final.place.w3, "EpochDistributor", final.place.deployment.distributor).events
    (said,) = events.PassedOver.get_logs(from_block=0)
    assert (said["args"]["epoch"], said["args"]["account"]) == (1, wallet)
    assert said["args"]["reason"][:4] == keccak256(b"EpochDistributorLeafPaid(uint64,uint256)")[:4]


def test_what_cannot_be_claimed_keeps_nobody_from_it(final: House) -> None:
    stranger, wallet = key_of("stranger").address, final.wallets[0].address
    answer = accepted(post(final, (1, stranger), (7, wallet), (1, wallet), (2, wallet)))
    assert whys(answer) == [(1, stranger, "not-found"), (7, wallet, "not-found")]
    final.step(2)
    assert final.ledger.chain.token.balance_of(wallet) == 1_000


def test_a_contract_among_them_is_named_and_the_others_paid(final: House) -> None:
    contract = deploy(final, bytes.fromhex("5b5f56" * 10))
    answer = accepted(post(final, (1, contract), *everything(final)))
    assert whys(answer) == [(1, contract, "contract-account")]
    final.step(2)
    assert final.ledger.chain.token.total_supply() == 2_000


def test_an_epoch_that_is_not_final_is_too_early(tmp_path: Path) -> None:
    with House(tmp_path / "house") as house:
        house.start().play_round()
        before = house.dump()
        answer = accepted(post(house, *((1, wallet.address) for wallet in house.wallets)))
        assert [why for _, _, why in whys(answer)] == ["too-early"] * 2
        assert (answer["transactions"], house.dump()) == ([], before)


@holds(
    "A line that is being claimed has one pending transaction",
    by="ledger/epochs/claim_calls.py:live",
    against=Threat.WRONG_PAY,
)
def test_a_line_that_is_on_its_way_has_one_call(final: House) -> None:
    """By itself, to where its account signed, or with others: whoever asks next gets the call that is there."""
    first, second = final.wallets
    (signed,) = accepted(ask(final, body(final, first))).values()
    alone = accepted(final.client.post("/v1/epochs/2/claims", json={"account": first.address}))["transactions"]
    answer = accepted(post(final, *everything(final)))
    assert set(answer["transactions"]) > {signed, *alone}
    (many,) = set(answer["transactions"]) - {signed, *alone}
    own = final.client.post("/v1/epochs/1/claims", json={"account": second.address})
    assert accepted(own)["transactions"] == [many]
    check_refused(ask(final, body(final, second)), 409, "already-committed")
    final.step(2)
    assert final.ledger.chain.token.total_supply() == 2_000


def test_more_lines_than_a_block_has_room_for_are_several_calls(final: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_claims, "LINES_AT_ONCE", 3)
    names = accepted(post(final, *everything(final)))["transactions"]
    assert [name.split(":")[0] for name in names] == ["claims", "claim"]
    final.step(2)
    assert final.ledger.chain.token.total_supply() == 2_000


def test_a_call_that_was_given_up_gives_way_to_another(final: House) -> None:
    (name,) = accepted(post(final, *everything(final)))["transactions"]
    with final.ledger.store.write() as session:
        session.get_one(Outgoing, name).state = "dead"
    (other,) = accepted(post(final, *everything(final)[:3]))["transactions"]
    assert other != name
    assert set(accepted(post(final, *everything(final)))["transactions"]) > {other}
    final.step(2)
    assert final.ledger.chain.token.total_supply() == 2_000


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"claims": []},
        {"claims": [{"epoch": 1}]},
        {"claims": [{"epoch": -1, "account": "0x" + "11" * 20}]},
        {"claims": [{"epoch": 1, "account": "0x11"}]},
        {"claims": [{"epoch": 1, "account": "0x" + "11" * 20}] * 101},
        {"claims": [{"epoch": 1, "account": "0x" + "11" * 20, "to": "0x" + "22" * 20}]},
    ],
)
def test_a_body_of_another_shape_changes_nothing(final: House, given: dict[str, Any]) -> None:
    before = final.dump()
    check_refused(final.client.post("/v1/claims", json=given), 422, "malformed-request")
    assert final.dump() == before


def test_a_call_that_waits_for_a_pause_to_end_keeps_its_lines(final: House) -> None:
    """Else every company in which they are asked for meanwhile would go out when it ends, at the relayer's cost."""
    (name,) = accepted(post(final, *everything(final)))["transactions"]
    with final.ledger.store.write() as session:
        row = session.get_one(Outgoing, name)
        row.state, row.due, row.error = "refused", final.clock.now + 60, "minting is paused"
    for count in (1, 2, 3):
        assert accepted(post(final, *everything(final)[:count]))["transactions"] == [name]
    wallet = final.wallets[0].address
    assert accepted(final.client.post("/v1/epochs/1/claims", json={"account": wallet}))["transactions"] == [name]
    assert set(calls(final)) == {name}


def test_a_line_finds_the_call_that_has_it(final: House) -> None:
    """Call data can be read back: that is how a line finds the call that it is on its way with."""
    accepted(post(final, *everything(final)))
    with final.ledger.store.read() as session:
        found = claim_calls.in_batches(final.ledger, session)
    assert sorted(found) == sorted(line["leaf"] for number in (1, 2) for line in final.payouts(number))
    assert set(found.values()) == set(calls(final))


@pytest.mark.parametrize("epoch", [True, "1", 1.5, None])
def test_an_epoch_is_a_number_and_nothing_like_one(final: House, epoch: Any) -> None:
    """JSON's `true` is no epoch 1."""
    claims = [{"epoch": epoch, "account": final.wallets[0].address}]
    check_refused(final.client.post("/v1/claims", json={"claims": claims}), 422, "malformed-request")
    claims[0]["epoch"] = 1.0
    assert final.client.post("/v1/claims", json={"claims": claims}).json()["transactions"]
