"""What strangers may have of a day's gas, and what is left for what passed."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from ledger import budget
from ledger.errors import RelayBudgetSpent
from ledger.tables import Outgoing
from tests.deployed import key_of
from tests.house import House, accepted
from tests.ledger.governance.test_delegations import body

pytestmark = pytest.mark.integration

DUST, WHALE = key_of("dust").address, key_of("whale").address


def test_an_account_has_a_part_of_the_day_by_its_share(electorate: House) -> None:
    rules = electorate.ledger.relay
    with electorate.ledger.store.read() as session:
        left = {ppm: budget.left(electorate.ledger, session, DUST, ppm).account for ppm in (10, 1_000, 500_000)}
    assert left == {10: budget.LEAST, 1_000: 3_000_000, 500_000: rules.account_gas}


def test_strangers_leave_a_quarter_of_the_day_for_what_passed(electorate: House) -> None:
    ledger, day = electorate.ledger, electorate.ledger.relay.daily_gas
    with ledger.store.write() as session:
        mine = budget.left(ledger, session, budget.EVERYBODY).everybody
        spare = mine - day // budget.CARRYING
        for number in range(spare // ledger.relay.account_gas):
            budget.take(ledger, session, key_of(f"crowd {number}").address, ledger.relay.account_gas, 500_000)
        with pytest.raises(RelayBudgetSpent):
            budget.take(ledger, session, WHALE, ledger.relay.account_gas, 500_000)
        budget.take(ledger, session, WHALE, ledger.relay.account_gas)  # a proposal that passed
        session.rollback()


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
