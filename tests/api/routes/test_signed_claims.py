"""A line is paid where its account signed, once, at the relayer's cost; nobody else can say where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from eth_account.signers.local import LocalAccount
from httpx import Response

from contracts.messages.for_contracts import ClaimTo
from contracts.messages.signatures import Domain, sign
from ledger.relay.budget import CARRYING, EVERYBODY, LEAST, SMALL, SMALL_HOLDERS
from ledger.relay_rules import RelayRules
from ledger.storage.tables import RelayDay, RelaySpending
from tests.deployed import PARAMS, key_of
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused
from tests.ledger import served_run

pytestmark = pytest.mark.integration
COLD, THIEF = key_of("cold wallet").address, key_of("thief")


@pytest.fixture
def final(tmp_path: Path) -> Iterator[House]:
    """Epoch 1 is final, 500 units for each of two wallets, and nobody has claimed."""
    with House(tmp_path / "house") as made:
        made.start().play_round()
        made.settle_epoch()
        yield made


def body(house: House, account: LocalAccount, /, signer: LocalAccount | None = None, **changes: Any) -> dict[str, Any]:
    """What an account signs for its line; `changes` are made after it signed."""
    line = next(line for line in house.payouts(1) if line["account"] == account.address)
    until = int(house.place.w3.eth.get_block("latest")["timestamp"]) + 3_600
    message = ClaimTo(1, line["index"], account.address, line["kind"], int(line["amount"]), COLD, until)
    domain = Domain(house.place.deployment.chain_id, house.place.deployment.distributor)
    signature = sign(message, domain, bytes((signer or account).key))
    given = {"account": account.address, "index": line["index"], "to": COLD, "deadline": until}
    return {**given, "signature": "0x" + signature.hex(), **changes}


def ask(house: House, given: dict[str, Any], epoch: int = 1) -> Response:
    answer: Response = house.client.post(f"/v1/epochs/{epoch}/signed-claims", json=given)
    return answer


def unchanged(house: House, given: dict[str, Any], status: int, code: str) -> None:
    before = house.dump()
    check_refused(ask(house, given), status, code)
    assert house.dump() == before


def test_a_line_is_paid_where_its_account_signed_and_once(final: House) -> None:
    wallet, token = final.wallets[0], final.ledger.chain.token
    given = body(final, wallet)
    (name,) = accepted(ask(final, given)).values()
    assert accepted(ask(final, given)) == {"transaction": name}
    assert final.claim(wallet.address) == [name]  # anybody asks for the plain claim: the signed one is on its way
    final.step(2)
    assert (token.balance_of(COLD), token.balance_of(wallet.address), token.total_supply()) == (500, 0, 500)
    books = final.get("/balances/units")
    assert (books[f"owed:{wallet.address}"], books[f"minted:{wallet.address}"]) == ("0", "500")
    assert accepted(ask(final, given)) == {"transaction": name}
    unchanged(final, body(final, wallet, to=THIEF.address), 401, "bad-signature")
    assert token.total_supply() == 500


@holds(
    "A claim pays to the address that its account signed, and to no other",
    by="ledger/epochs/signed_claims.py:claim_to",
    against=Threat.WRONG_PAY,
)
def test_nobody_else_says_where_a_line_is_paid(final: House) -> None:
    wallet, other = final.wallets
    unchanged(final, body(final, wallet, signer=THIEF), 401, "bad-signature")
    unchanged(final, body(final, wallet, to=THIEF.address), 401, "bad-signature")
    unchanged(final, body(final, wallet, deadline=2**40), 401, "bad-signature")
    unchanged(final, body(final, wallet, account=other.address), 404, "not-found")
    unchanged(final, body(final, wallet, signature="0x"), 401, "bad-signature")
    unchanged(final, body(final, wallet, index=7), 404, "not-found")
    unchanged(final, body(final, wallet, account=THIEF.address), 404, "not-found")
    foreign = sign(ClaimTo(1, 0, wallet.address, 0, 500, COLD, 2**40), final.ledger.chain.domain, bytes(wallet.key))
    unchanged(final, body(final, wallet, deadline=2**40, signature="0x" + foreign.hex()), 401, "bad-signature")


def test_a_signature_that_ends_before_it_is_mined_is_refused(final: House) -> None:
    now = int(final.place.w3.eth.get_block("latest")["timestamp"])
    for deadline in (0, now - 1, now + 299):
        unchanged(final, body(final, final.wallets[0], deadline=deadline), 422, "bad-field")
    assert ask(final, body(final, final.wallets[0]), epoch=2).status_code == 404


def test_a_claim_on_its_way_to_its_account_is_not_sent_elsewhere(final: House) -> None:
    wallet = final.wallets[0]
    accepted(final.client.post("/v1/epochs/1/claims", json={"account": wallet.address}))
    unchanged(final, body(final, wallet), 409, "already-committed")


def test_a_signature_that_ended_unmined_gives_way_to_a_new_one(final: House) -> None:
    """And keeps nobody from claiming to its own account."""
    first, second = final.wallets
    for wallet in (first, second):
        accepted(ask(final, body(final, wallet)))
    final.wait(2 * 3_600)
    final.step(2)
    states = {line["id"]: line["state"] for line in final.get("/transactions") if line["id"].startswith("claim-to")}
    assert set(states.values()) == {"refused"}
    accepted(ask(final, body(final, first)))
    final.step(2)
    final.claim(second.address)
    token = final.ledger.chain.token
    assert (token.balance_of(COLD), token.balance_of(second.address)) == (500, 500)


def test_a_signature_before_the_epoch_is_final_is_too_early(tmp_path: Path) -> None:
    with House(tmp_path / "house") as house:
        house.start().play_round()
        unchanged(house, body(house, house.wallets[0]), 409, "too-early")
        house.wait(PARAMS.challenge_window)


def test_keys_claims_take_nothing_of_the_days_gas(final: House) -> None:
    """A line pays once and a key's signature is checked here: there is nothing to be had by asking often."""
    accepted(ask(final, body(final, final.wallets[0])))
    with final.ledger.store.read() as session:
        assert session.get(RelaySpending, (final.clock.now // 86_400, EVERYBODY)) is None


def test_wallets_claims_take_nothing_of_what_is_kept(tmp_path: Path) -> None:
    """Before: two dozen contracts without a vote, whose signatures cost millions, used up everybody's day and what is
    kept for what passed; the next day again, if they failed in their blocks."""
    rules = RelayRules(daily_gas=40_000_000)
    with House(tmp_path / "house", rules=rules) as house:
        greedy, modest = enrolled_wallets(house, burns=(7_600_000, 300_000))
        check_refused(ask(house, by_wallet(house, greedy)), 429, "relay-budget-spent")
        assert accepted(ask(house, by_wallet(house, modest)))
        day = house.clock.now // 86_400
        with house.ledger.store.read() as session:
            spent = session.get_one(RelaySpending, (day, SMALL_HOLDERS)).gas
            assert session.get_one(RelaySpending, (day, EVERYBODY)).gas == spent
            assert session.get(RelayDay, day) is None, "nobody is weighed by a second before the first token"
        assert 0 < spent <= LEAST < rules.daily_gas // SMALL < rules.daily_gas // CARRYING
        house.step(2)
        assert house.ledger.chain.token.balance_of(COLD) == 500


def enrolled_wallets(house: House, burns: tuple[int, int]) -> list[str]:
    """Contracts to which an epoch pays 500 units each; each takes any signature, for so much gas."""
    made: dict[str, str] = {}

    def key(name: str) -> Any:
        if not name.startswith("wallet of"):
            return keys(name)
        if name not in made:
            made[name] = deploy(house, wallet_code(burns[len(made)]))
        return SimpleNamespace(address=made[name])

    keys = served_run._key
    with patch.object(served_run, "_key", key):
        house.start()
    house.play_round()
    house.settle_epoch()
    return list(made.values())


def deploy(house: House, code: bytes) -> str:
    """Address of a contract of this code."""
    init = bytes.fromhex(f"60{len(code):02x}8060095f395ff3")
    gas_price = 2 * house.place.w3.eth.gas_price
    return str(sent(house, {"data": init + code, "gas": 500_000, "gasPrice": gas_price})["contractAddress"])


def delegate_code(house: House, account: LocalAccount, to: str) -> None:
    """From now on the account answers calls by the code at `to` (EIP-7702)."""
    eth = house.place.w3.eth
    nonce = eth.get_transaction_count(account.address)
    signed = account.sign_authorization({"chainId": eth.chain_id, "address": to, "nonce": nonce})
    fee = 2 * eth.gas_price
    sent(
        house,
        {
            "type": 4,
            "to": COLD,
            "value": 0,
            "data": "0x",
            "gas": 500_000,
            "maxFeePerGas": fee,
            "maxPriorityFeePerGas": 0,
            "authorizationList": [signed],
        },
    )
    assert eth.get_code(account.address) == bytes.fromhex("ef0100" + to[2:])


def sent(house: House, fields: dict[str, Any]) -> Any:
    """The receipt of a stranger's transaction."""
    owner, eth = key_of("owner of wallets"), house.place.w3.eth
    if eth.get_balance(owner.address) == 0:
        house.give_coins(owner)
    nonce = eth.get_transaction_count(owner.address)
    raw = owner.sign_transaction({**fields, "nonce": nonce, "chainId": eth.chain_id})
    receipt = eth.wait_for_transaction_receipt(eth.send_raw_transaction(raw.raw_transaction))
    assert receipt["status"] == 1
    return receipt


def wallet_code(burns: int) -> bytes:
    """Reverts where it is given less gas, uses so much up, and answers as ERC-1271 has it."""
    gas = f"63{burns:08x}"
    return bytes.fromhex(f"{gas}5a106027575a{gas}90035b5a8110601257631626ba7e60e01b5f5260205ff35bfe")


def by_wallet(house: House, account: str) -> dict[str, Any]:
    (line,) = [line for line in house.payouts(1) if line["account"] == account]
    until = int(house.place.w3.eth.get_block("latest")["timestamp"]) + 3_600
    return {"account": account, "index": line["index"], "to": COLD, "deadline": until, "signature": "0x"}


def test_a_keys_delegation_is_asked_at_the_accounts_own_cost(final: House) -> None:
    """Before: an account with a key that lent its code (EIP-7702) to what burns gas had its signature checked here as a
    key's, and on the chain by that code, for as much of the relayer's gas as it liked."""
    wallet = final.wallets[0]
    delegate_code(final, wallet, deploy(final, wallet_code(7_600_000)))
    given = body(final, wallet)
    unchanged(final, given, 429, "relay-budget-spent")
    delegate_code(final, wallet, deploy(final, wallet_code(300_000)))
    accepted(ask(final, given))
    day = final.clock.now // 86_400
    with final.ledger.store.read() as session:
        assert session.get_one(RelaySpending, (day, SMALL_HOLDERS)).gas > 300_000
    final.step(2)
    assert final.ledger.chain.token.balance_of(COLD) == 500


def test_a_key_that_lends_its_code_later_takes_no_more_gas(final: House) -> None:
    """Its claim was queued as a key's; before it was signed for the chain, code burnt whatever it was given."""
    wallet = final.wallets[0]
    accepted(ask(final, body(final, wallet)))
    delegate_code(final, wallet, deploy(final, wallet_code(7_600_000)))
    final.step(2)
    (row,) = (line for line in final.get("/transactions") if line["id"].startswith("claim-to"))
    assert (row["state"], row["hash"]) == ("refused", None)
    assert "MoreGasThanAllowed" in row["error"]
