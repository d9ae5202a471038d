"""What is no proposal and no ballot: a clear refusal, nothing relayed, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from web3 import Web3

from contracts.bindings.governor import Action, description_of
from contracts.calls.effects import preview
from contracts.chain.connection import contract_at, send
from ledger.relay_rules import RelayRules
from ledger.storage.tables import Outgoing
from tests.deployed import PARAMS, key_of
from tests.house import House, check_refused

pytestmark = pytest.mark.integration


def outgoing(house: House) -> list[str]:
    with house.ledger.store.read() as session:
        return sorted(row.id for row in session.exec(select(Outgoing)))


def good(house: House) -> dict[str, Any]:
    return house.proposal_body(house.wallets[0], "sound", [("clip", "4")])


def changed(**fields: Any) -> Callable[[House], dict[str, Any]]:
    return lambda house: {**good(house), **fields}


def marked(house: House) -> dict[str, Any]:
    """Another's mark in the middle, which readers would take for its proposer."""
    other = description_of("mine", key_of("other").address)
    return {**good(house), "description": description_of(other, house.wallets[0].address)}


CALL = {"target": "0x" + "11" * 20, "value": "0", "data": "0x12345678"}
REFUSED: dict[str, tuple[Callable[[House], Any], int, str]] = {
    "a text of a megabyte": (changed(description="x" * 2**20), 413, "body-too-large"),
    "half a surrogate in the text": (changed(description="\ud800"), 422, "malformed-request"),
    "half a surrogate in a value": (changed(decisions=[["clip", "\udfff"]]), 422, "malformed-request"),
    "another's mark": (marked, 422, "bad-field"),
    "no mark": (changed(description="sound"), 422, "bad-field"),
    "a value of 5,000 digits": (changed(decisions=[["rounds", "9" * 5_000]]), 422, "malformed-request"),
    "nothing at all": (changed(decisions=[], calls=[]), 422, "bad-field"),
    "a key that is no parameter": (changed(decisions=[["seed", "1"]]), 0, ""),
    "call data of odd length": (changed(calls=[{**CALL, "data": "0x123"}]), 422, "malformed-request"),
    "call data of a megabyte": (changed(calls=[{**CALL, "data": "0x" + "00" * 2**20}]), 413, "body-too-large"),
    "a negative payment": (changed(calls=[{**CALL, "value": "-1"}]), 422, "malformed-request"),
    "a hundred calls": (changed(calls=[CALL] * 100), 422, "malformed-request"),
    "another's signature": (changed(proposer=key_of("other").address), 0, ""),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_proposal_is_refused_and_changes_nothing(kind: str, electorate: House) -> None:
    make, status, code = REFUSED[kind]
    before, body = outgoing(electorate), make(electorate)
    answer = electorate.client.post(
        "/v1/proposals", content=json.dumps(body).encode("ascii"), headers={"content-type": "application/json"}
    )
    if status:
        check_refused(answer, status, code)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"] not in ("", "internal-error")
    assert outgoing(electorate) == before


def test_a_ballot_on_no_open_proposal_is_refused(house: House) -> None:
    """One that is not there, not open, or over."""
    electorate = house.become_holders()
    wallet = electorate.wallets[0]
    before = outgoing(electorate)
    ballot = {"voter": wallet.address, "support": 1, "signature": "0x" + "00" * 65}
    check_refused(electorate.client.post("/v1/proposals/12345/ballots", json=ballot), 404, "not-found")
    assert outgoing(electorate) == before
    proposal = electorate.propose(wallet, "a vote", [("clip", "5")])
    queued = outgoing(electorate)
    check_refused(electorate.vote(wallet, proposal), 409, "too-early")
    electorate.wait(PARAMS.voting_delay + PARAMS.voting_period + 5)
    check_refused(electorate.vote(wallet, proposal), 409, "vote-closed")
    assert outgoing(electorate) == queued


def test_a_payment_above_the_treasury_is_told_before_signing(electorate: House) -> None:
    """It may be proposed, since the treasury may grow: its preview says that it would fail now."""
    w3, deployment = electorate.place.w3, electorate.ledger.chain.deployment
    found = preview(w3, deployment, Action(key_of("x").address, b"", 10**30))
    assert w3.eth.get_balance(Web3.to_checksum_address(deployment.timelock)) < 10**30
    assert found.refused != ""


def test_proposals_of_a_holder_of_dust_cost_the_operator_nothing(tmp_path: Path) -> None:
    """Below the relayer's threshold: it answers, and pays for none."""
    with House(tmp_path / "dust", rules=RelayRules(proposal_ppm=10_000)) as house:
        electorate, dust = house.become_holders(), key_of("dust holder")
        electorate.give_coins(dust)
        w3 = electorate.place.w3
        token = contract_at(w3, "ModelToken", electorate.ledger.chain.token.address)
        send(w3, electorate.wallets[0], token.functions.transfer(dust.address, 1))
        send(w3, dust, token.functions.delegate(dust.address))
        electorate.wait(2)
        before, coins = outgoing(electorate), w3.eth.get_balance(electorate.operator.address)
        for number in range(12):
            body = electorate.proposal_body(dust, f"dust {number}", [("clip", "6")])
            check_refused(electorate.client.post("/v1/proposals", json=body), 403, "below-relay-threshold")
        electorate.step(3)
        assert outgoing(electorate) == before
        assert w3.eth.get_balance(electorate.operator.address) == coins
