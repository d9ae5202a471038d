"""The relayer pays for holders above a threshold, within a budget of gas an account and a day (J22)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.bindings.governor import Action
from contracts.chain.connection import send
from ledger.relay_rules import RelayRules
from ledger.storage.tables import RelaySpending
from tests.deployed import PARAMS, key_of
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration
RULES = RelayRules(proposal_ppm=300_000, ballot_ppm=100_000, account_gas=2_000_000, daily_gas=3_000_000)


@pytest.fixture
def frugal(tmp_path: Path, database: str) -> Iterator[House]:
    """Its relayer pays for four proposals of an account, and for six in all."""
    with House(tmp_path / "frugal", database=database, rules=RULES) as house:
        yield house.become_holders()


def proposed(house: House, name: str, holder: int = 0) -> int:
    body = house.proposal_body(house.wallets[holder], name, [("clip", "2")])
    status: int = house.client.post("/v1/proposals", json=body).status_code
    house.step()
    return status


@holds(
    "The relayer pays only for accounts above a threshold, within a budget",
    by="ledger/relay/budget.py:take",
    against=Threat.FLOOD,
)
def test_an_accounts_budget_ends_and_comes_back_the_next_day(frugal: House) -> None:
    """Before: twelve of twelve proposals of a holder of next to nothing were relayed."""
    answers = [proposed(frugal, f"again {n}") for n in range(12)]
    taken = answers.count(200)
    assert 0 < taken < 12
    assert set(answers) == {200, 429}
    body = frugal.proposal_body(frugal.wallets[0], "one more", [("clip", "2")])
    before = frugal.dump()
    check_refused(frugal.client.post("/v1/proposals", json=body), 429, "relay-budget-spent")
    assert frugal.dump() == before
    left = frugal.get(f"/relay/{frugal.wallets[0].address}")
    assert left["gas_left"] < RULES.account_gas // taken
    assert proposed(frugal, "another's", holder=1) == 200
    frugal.wait(86_400)
    assert frugal.get(f"/relay/{frugal.wallets[0].address}")["gas_left"] == RULES.account_gas
    assert proposed(frugal, "the next day") == 200


def test_all_accounts_together_have_a_budget(frugal: House) -> None:
    answers = [proposed(frugal, f"many {n}", holder=n % 2) for n in range(16)]
    assert answers.count(429) > 0
    with frugal.ledger.store.read() as session:
        day = frugal.clock.now // 86_400
        spent = session.get_one(RelaySpending, (day, "")).gas
        own = [session.get_one(RelaySpending, (day, wallet.address)).gas for wallet in frugal.wallets]
    assert spent == sum(own) <= RULES.daily_gas


def test_small_holders_send_it_themselves(frugal: House) -> None:
    """5e-16 of a token is a holder of one unit of a thousand; the chain takes what the relayer does not pay for."""
    small, chain, w3 = key_of("small holder"), frugal.ledger.chain, frugal.place.w3
    send(w3, frugal.wallets[0], chain.token.transfer(small.address, 1))
    frugal.give_coins(small)
    send(w3, small, chain.token.delegate(small.address))
    frugal.wait(2)
    body = frugal.proposal_body(small, "twelve", [("clip", "2")])
    check_refused(frugal.client.post("/v1/proposals", json=body), 403, "below-relay-threshold")
    actions = [Action.of(chain.models.decide(chain.model, b"s" * 32, "clip", "2"))]
    send(w3, small, chain.governor.propose(actions, "my own gas"))
    frugal.step()
    proposal = str(chain.governor.proposal_id(actions, "my own gas"))
    assert frugal.get(f"/proposals/{proposal}")["proposer"] == small.address
    frugal.wait(PARAMS.voting_delay + 1)
    check_refused(frugal.vote(small, proposal), 403, "below-relay-threshold")
    accepted(frugal.vote(frugal.wallets[1], proposal))


def test_what_strangers_passed_is_executed_within_the_budget(tmp_path: Path, database: str) -> None:
    """A vote can be about a call of any price: the relayer leaves it to others, and says so nowhere but in its log."""
    rules = RelayRules(account_gas=120_000, daily_gas=3_000_000, proposal_ppm=0, ballot_ppm=0)
    with House(tmp_path / "poor", database=database, rules=rules) as house:
        house.become_holders()
        chain, w3, holder = house.ledger.chain, house.place.w3, house.wallets[0]
        actions = [
            Action.of(chain.models.decide(chain.model, bytes([n]) * 32, "clip", "9" * 200)) for n in range(1, 20)
        ]
        send(w3, holder, chain.governor.propose(actions, "dear"))
        house.wait(PARAMS.voting_delay + 1)
        proposal = chain.governor.proposal_id(actions, "dear")
        for wallet in house.wallets:
            send(w3, wallet, chain.governor.cast_vote(proposal, 1))
        house.wait(PARAMS.voting_period + 1)
        house.step(3)
        assert house.get(f"/proposals/{proposal}")["state"] == "succeeded"
        send(w3, holder, chain.governor.queue(actions, "dear"))
        house.wait(PARAMS.timelock_delay + 2)
        house.step(3)
        assert house.get(f"/proposals/{proposal}")["state"] == "queued"
        send(w3, holder, chain.governor.execute(actions, "dear"))
        house.step(2)
        assert house.get(f"/proposals/{proposal}")["state"] == "executed"
