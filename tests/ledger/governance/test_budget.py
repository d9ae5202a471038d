"""What strangers may have of a day's gas, and what is left for what passed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import col, select

from contracts.chain.connection import send
from contracts.ids import as_address
from ledger.errors import RelayBudgetSpent
from ledger.relay import budget
from ledger.relay.budget import VoteShare
from ledger.relay_rules import RelayRules
from ledger.storage.tables import Outgoing, RelaySpending
from tests.deployed import key_of
from tests.house import House, accepted, check_refused
from tests.ledger.governance.test_delegations import body

pytestmark = pytest.mark.integration

DUST, WHALE = key_of("dust").address, key_of("whale").address


def test_an_account_has_a_part_of_the_day_by_its_share(electorate: House) -> None:
    rules = electorate.ledger.relay
    with electorate.ledger.store.read() as session:
        left = {
            ppm: budget.left(electorate.ledger, session, DUST, VoteShare(ppm, 0)).account
            for ppm in (10, 1_000, 500_000)
        }
    assert left == {10: budget.LEAST, 1_000: 3_000_000, 500_000: rules.account_gas}


def test_strangers_leave_a_quarter_of_the_day_for_what_passed(electorate: House) -> None:
    ledger, day = electorate.ledger, electorate.ledger.relay.daily_gas
    with ledger.store.write() as session:
        mine = budget.left(ledger, session, as_address(budget.EVERYBODY)).everybody
        spare = mine - day // budget.CARRYING
        for number in range(spare // ledger.relay.account_gas):
            budget.take(
                ledger, session, key_of(f"crowd {number}").address, ledger.relay.account_gas, VoteShare(500_000, 0)
            )
        with pytest.raises(RelayBudgetSpent):
            budget.take(ledger, session, WHALE, ledger.relay.account_gas, VoteShare(500_000, 0))
        budget.take(ledger, session, WHALE, ledger.relay.account_gas)  # a proposal that passed
        session.rollback()


def test_what_small_holders_have_is_one_part_of_the_day(electorate: House) -> None:
    """Before: a hundred keys of a thousandth had a third of everybody's day."""
    ledger = electorate.ledger
    part = ledger.relay.daily_gas // budget.SMALL
    with ledger.store.write() as session:
        before = budget.left(ledger, session, as_address(budget.EVERYBODY), VoteShare(0, 0)).everybody
        number = 0
        while budget.left(ledger, session, key_of(f"small {number}").address, VoteShare(10, 0)).account == budget.LEAST:
            budget.take(ledger, session, key_of(f"small {number}").address, budget.LEAST, VoteShare(10, 0))
            number += 1
        with pytest.raises(RelayBudgetSpent):
            budget.take(ledger, session, key_of(f"small {number}").address, budget.LEAST, VoteShare(10, 0))
        taken = before - budget.left(ledger, session, as_address(budget.EVERYBODY), VoteShare(0, 0)).everybody
        budget.take(ledger, session, WHALE, ledger.relay.account_gas, VoteShare(500_000, 0))
        session.rollback()
    assert part - budget.LEAST <= taken <= part + part // 10  # each has a little of its own beside


def test_votes_that_are_lent_on_count_once_a_day(tmp_path: Path, database: str) -> None:
    """Before: a thousandth of the votes, moved from key to key, used up everybody's day."""
    with House(tmp_path / "lent", database=database, rules=RelayRules(daily_gas=30_000_000)) as house:
        house.become_holders()
        chain, w3, dust = house.ledger.chain, house.place.w3, key_of("dust holder")
        assert house.propose(house.wallets[0], "fixes the day's second", [("clip", "2")])
        house.give_coins(dust)
        send(w3, house.wallets[1], chain.token.transfer(dust.address, 1))
        answers = []
        for number in range(20):
            key = key_of(f"borrowed name {number}")
            send(w3, dust, chain.token.delegate(key.address))
            house.wait(2)
            told = house.get(f"/relay/{key.address}")
            body = house.proposal_body(key, f"junk {number}", [("clip", "2")] * 2)
            answers.append(house.client.post("/v1/proposals", json=body))
            if answers[-1].status_code != 200:
                break
        check_refused(answers[-1], 429, "relay-budget-spent")
        assert f"{told['gas_left']} gas left for {key.address}" in answers[-1].json()["detail"], "as was told before"
        day = house.clock.now // budget.DAY
        with house.ledger.store.read() as session:
            assert session.get_one(RelaySpending, (day, budget.SMALL_HOLDERS)).gas <= 3_000_000
        whale = house.get(f"/relay/{house.wallets[0].address}")
        assert (whale["share_ppm"], whale["gas_left_everybody"] > 10_000_000) == (500_000, True)
        assert house.propose(house.wallets[0], "honest", [("clip", "3")])
        house.wait(budget.DAY)
        assert house.get(f"/relay/{key.address}")["share_ppm"] == 1_000, "who has them at the day's beginning"
        assert house.get(f"/relay/{key_of('borrowed name 0').address}")["share_ppm"] == 0


def test_two_delegations_under_one_nonce_are_one_call(house: House) -> None:
    """One alone can be mined, and each took from everybody's day."""
    electorate = house.become_holders()
    wallet = electorate.wallets[0]
    for friend in ("one", "two", "three"):
        asked = body(electorate, wallet, key_of(friend).address)
        accepted(electorate.client.post("/v1/delegations", json=asked))
    with electorate.ledger.store.read() as session:
        rows = session.exec(select(Outgoing).where(col(Outgoing.id).startswith("delegation:"))).all()
    assert len(rows) == 1
    assert rows[0].allowed > 0
