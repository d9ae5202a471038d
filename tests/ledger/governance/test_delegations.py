"""Votes are lent by a signature, for who has no gas, and anybody can read who lends them to whom."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.bindings.token import Delegation
from contracts.chain.connection import send
from tests.deployed import key_of
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration
FRIEND = key_of("friend")


def body(house: House, holder: Any, to: str, **changes: Any) -> dict[str, Any]:
    """A delegation as the API takes it."""
    token = house.ledger.chain.token
    expiry = int(house.place.w3.eth.get_block("latest")["timestamp"]) + 3600
    delegation = Delegation(to, token.nonce(holder.address), expiry)
    signature = "0x" + token.sign_delegation(holder, delegation).hex()
    made = {"delegator": holder.address, "delegatee": to, "nonce": delegation.nonce, "expiry": expiry}
    return {**made, "signature": signature, **changes}


def test_votes_are_lent_and_taken_back_by_signatures(electorate: House) -> None:
    holder, token = electorate.wallets[0], electorate.ledger.chain.token
    asked = body(electorate, holder, FRIEND.address)
    first = accepted(electorate.client.post("/v1/delegations", json=asked))
    assert accepted(electorate.client.post("/v1/delegations", json=asked)) == first, "the same again is the same"
    electorate.step(2)
    assert (token.votes(FRIEND.address), token.votes(holder.address)) == (500, 0)
    assert electorate.get(f"/delegations/{holder.address}")["to"] == FRIEND.address
    assert electorate.get(f"/delegations/{FRIEND.address}") == {
        "account": FRIEND.address,
        "to": None,
        "lenders": [holder.address],
    }
    accepted(electorate.client.post("/v1/delegations", json=body(electorate, holder, holder.address)))
    electorate.step(2)
    assert (token.votes(FRIEND.address), token.votes(holder.address)) == (0, 500)
    assert electorate.get(f"/delegations/{FRIEND.address}")["lenders"] == []


def test_votes_lent_past_the_api_are_read_too(electorate: House) -> None:
    holder, token = electorate.wallets[1], electorate.ledger.chain.token
    for to in (FRIEND.address, holder.address):
        send(electorate.place.w3, holder, token.delegate(to))
        electorate.step()
        assert electorate.get(f"/delegations/{holder.address}")["to"] == to


def test_what_cannot_be_lent_is_refused_and_nothing_is_relayed(electorate: House) -> None:
    holder, other = electorate.wallets
    good, to = body(electorate, holder, FRIEND.address), FRIEND.address
    before = electorate.dump()
    for changes, status, code in (
        ({"delegator": other.address}, 401, "bad-signature"),
        ({"delegatee": other.address}, 401, "bad-signature"),
        ({"nonce": good["nonce"] + 1}, 401, "bad-signature"),
        ({"signature": "0x" + "11" * 64}, 422, "bad-field"),
        ({"delegatee": "nobody"}, 422, "malformed-request"),
    ):
        check_refused(electorate.client.post("/v1/delegations", json={**good, **changes}), status, code)
    poor = body(electorate, key_of("stranger"), to)
    check_refused(electorate.client.post("/v1/delegations", json=poor), 403, "no-votes")
    assert electorate.dump() == before
