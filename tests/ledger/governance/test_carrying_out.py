"""What passed is executed, whatever was tried against it, and what ended on the chain ends here."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.bindings.governor import Action, ProposalState
from contracts.chain.connection import contract_at, send
from contracts.devnet import chain as devnet
from ledger.crash_points import armed
from ledger.fsck.governance import check_ends
from ledger.relay import outbox
from ledger.storage.tables import Outgoing, Proposal
from tests.contracts.bindings.deployed_model import refused
from tests.deployed import PARAMS, key_of
from tests.house import House, accepted
from tests.ledger.governance.test_delegations import body
from tests.ledger.governance.test_proposals import by_wallet, decide

pytestmark = pytest.mark.integration
DAY = 86_400
OWNER = key_of("owner of the payee")
PAYEE = "36600b575f5460115700005b60015f5500"
"""Takes what it is sent; any data: from now on it reverts."""
REVERTS = {
    "a zero byte": "5b6308c379a060e01b5f526020600452600160245260645ffd",  # Error("\\0")
    "no known panic": "5b634e487b7160e01b5f5260ff60235360245ffd",  # Panic(255)
    "half a lookup": "5b63556f183060e01b5f5260045ffd",  # OffchainLookup without its arguments
}
SAID = {"a zero byte": r"\x00", "no known panic": "panic 255", "half a lookup": "556f1830"}


def queued(house: House, calls: list[Action], text: str, *before: str) -> str:
    """A proposal that passed and whose time in the timelock is over, as that of others before it; the relayer has not
    looked since."""
    proposal = by_wallet(house, calls, text)
    house.wait(PARAMS.voting_delay + 1)
    for name in (*before, proposal):
        for wallet in house.wallets:
            accepted(house.vote(wallet, name))
    house.step(2)
    house.wait(PARAMS.voting_period + 1)
    house.step(3)
    house.wait(PARAMS.timelock_delay + 2)
    return proposal


def tries_of(house: House, proposal: str) -> list[dict[str, Any]]:
    return [row for row in house.get("/transactions") if row["id"] == f"execute:{proposal}"]


def test_a_call_that_died_is_tried_again_while_it_waits(house: House) -> None:
    """Somebody spoilt one block, and its execution was given up. Before, the call was dead for good."""
    house.become_holders()
    chain = house.ledger.chain
    calls = [Action.of(chain.token.set_budget(key_of("a minter").address, 0))]
    proposal = queued(house, calls, "budgets")
    with house.ledger.store.write() as session:
        outbox.enqueue(session, f"execute:{proposal}", chain.governor.execute(calls, "budgets"), 1_000_000)
        row = session.get_one(Outgoing, f"execute:{proposal}")
        row.state, row.tries, row.error = "dead", 1, "it was refused in its block"
        session.add(row)
    assert tries_of(house, proposal)[0]["state"] == "dead"
    house.wait(DAY)  # the pause between two looks is over
    house.step(4)
    assert chain.governor.state(int(proposal)) is ProposalState.EXECUTED
    assert house.get(f"/proposals/{proposal}")["state"] == "executed"


def test_what_no_block_has_room_for_keeps_no_other_waiting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes tell it in words, without a revert: before, the keeper ended there at each look, and what passed behind it
    expired."""
    house.become_holders()
    chain = house.ledger.chain
    calls = [Action.of(chain.token.set_budget(key_of("a minter").address, 0))]
    huge = by_wallet(house, [Action(house.place.deployment.governor, b"")] * 50, "a note of every call")
    honest = queued(house, calls, "budgets", huge)
    assert [chain.governor.state(int(name)).name for name in (huge, honest)] == ["QUEUED", "QUEUED"]
    monkeypatch.setattr(devnet, "GAS_LIMIT", 1_000_000)  # 1,400 such calls where a block has thirty million gas
    house.step(4)
    assert chain.governor.state(int(huge)) is ProposalState.QUEUED
    assert chain.governor.state(int(honest)) is ProposalState.EXECUTED


def test_what_ended_on_the_chain_ends_here_without_an_event(house: House) -> None:
    """The timelock's door was open: what anybody executed there had no event of the Governor, and stayed "queued" for
    ever. It is closed; the Governor's word ends a proposal all the same, and fsck finds what differs."""
    house.become_holders()
    action, stranger = decide(house, "clip", "3", b"door"), key_of("a passer-by")
    proposal = queued(house, [action], "door")
    w3, place = house.place.w3, house.place.deployment
    timelock = contract_at(w3, "ModelTimelock", place.timelock).functions
    name = bytes.fromhex(place.governor[2:]).ljust(32, b"\0")
    salt = bytes(a ^ b for a, b in zip(name, w3.keccak(text="door"), strict=True))
    house.give_coins(stranger)
    with refused("ModelTimelockNotGovernor"):
        send(w3, stranger, timelock.executeBatch([action.target], [0], [action.data], bytes(32), salt))
    send(w3, stranger, house.ledger.chain.governor.execute([action], "door"))
    house.step(2)
    with house.ledger.store.write() as session:
        row = session.get_one(Proposal, proposal)
        assert (row.state, row.over) == ("executed", True)
        row.state, row.over = "queued", False  # as if its event had never been
        session.add(row)
    with house.ledger.store.read() as session:
        found = [finding.what for finding in check_ends(house.ledger, session)]
    assert found == ["is queued here, and executed on the chain"]
    house.step(2)
    (shown,) = [row for row in house.get("/proposals") if row["id"] == proposal]
    assert (shown["state"], shown["over"]) == ("executed", True)
    with house.ledger.store.read() as session:
        assert list(check_ends(house.ledger, session)) == []


@pytest.mark.parametrize("mined", [False, True])
@pytest.mark.parametrize("reverts", REVERTS)
def test_a_payee_that_reverts_oddly_keeps_up_nobody(house: House, reverts: str, mined: bool) -> None:
    """When its call is signed, or in its block. PostgreSQL did not take a zero byte, so that the reason was noted again
    and again; web3 failed on the others by itself, before it gave them. No call of anybody left any more."""
    house.become_holders()
    house.give_coins(OWNER)
    friend, token = key_of("friend").address, house.ledger.chain.token
    code = bytes.fromhex(PAYEE + REVERTS[reverts])
    payee = sent(house, bytes.fromhex(f"60{len(code):02x}8060095f395ff3") + code)["contractAddress"]
    proposal = queued(house, [Action(payee, b"")], "pay the builder")
    house.step()
    assert tries_of(house, proposal)[0]["state"] == "queued"
    if mined:
        with armed("outbox.signed", lambda: sent(house, b"\1", to=payee)):
            house.step()
    else:
        sent(house, b"\1", to=payee)
    accepted(house.client.post("/v1/delegations", json=body(house, house.wallets[1], friend)))
    house.step(3)
    assert token.votes(friend) == 500, "another's call leaves"
    (row,) = tries_of(house, proposal)
    assert SAID[reverts] in row["error"]
    assert house.ledger.chain.governor.state(int(proposal)) is ProposalState.QUEUED


def sent(house: House, data: bytes, **fields: Any) -> Any:
    """The receipt of the owner's transaction, which must be done."""
    eth = house.place.w3.eth
    nonce = eth.get_transaction_count(OWNER.address)
    price, chain = 2 * eth.gas_price, eth.chain_id
    made: dict[str, Any] = {"data": data, "gas": 500_000, "gasPrice": price, "chainId": chain, "nonce": nonce}
    raw = OWNER.sign_transaction({**made, **fields}).raw_transaction
    receipt = eth.wait_for_transaction_receipt(eth.send_raw_transaction(raw))
    assert receipt["status"] == 1
    return receipt
