"""What passed is executed, whatever was tried against it, and what ended on the chain ends here."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import devnet
from contracts.chain import contract_at, send
from contracts.governor import Action, ProposalState
from ledger import outbox
from ledger.fsck.governance import check_ends
from ledger.tables import Outgoing, Proposal
from tests.contracts.test_contracts import refused
from tests.deployed import PARAMS, key_of
from tests.house import House, accepted
from tests.ledger.governance.test_proposals import by_wallet, decide

pytestmark = pytest.mark.integration
DAY = 86_400


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
    with refused("NotGovernor"):
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
