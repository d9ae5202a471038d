"""Holders may stop minting for days: what was asked for meanwhile, and given up, can be asked for again after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3.contract.contract import ContractFunctions

from contracts.chain.connection import contract_at
from contracts.messages.for_contracts import ClaimTo
from contracts.messages.signatures import Domain, sign
from tests.api.routes.test_many_claims import calls, post
from tests.api.routes.test_signed_claims import COLD, ask
from tests.house import House, accepted

pytestmark = pytest.mark.integration


@pytest.fixture
def final(tmp_path: Path) -> Iterator[House]:
    """Three epochs are final, with 500 units in each for each of two wallets, who have claimed those of the first."""
    with House(tmp_path / "house") as made:
        made.start(rounds=3)
        for number in (1, 2, 3):
            made.play_round()
            made.settle_epoch(number)
        for wallet in made.wallets:
            made.claim(wallet.address)
            made.give_coins(wallet)
        made.wait(2)
        yield made


def token_of(house: House) -> ContractFunctions:
    return contract_at(house.place.w3, "ModelToken", house.place.deployment.token).functions


def pause(house: House) -> None:
    house.enact(house.wallets[0], token_of(house).setMintingPaused(True))
    assert token_of(house).mintingPaused().call()


def give_up(house: House, call: str) -> None:
    """Until it is not tried any more; then the pause ends by itself."""
    rules = house.ledger.relay
    for _ in range(rules.attempts):
        house.step()
        house.wait(rules.pause(rules.attempts))
    assert calls(house)[call] == "dead"
    house.wait(14 * 86_400)
    assert not token_of(house).mintingPaused().call()


def signed(house: House, epoch: int) -> dict[str, Any]:
    """A claim to the cold wallet that counts for years."""
    account = house.wallets[0]
    line = next(line for line in house.payouts(epoch) if line["account"] == account.address)
    message = ClaimTo(epoch, line["index"], account.address, line["kind"], int(line["amount"]), COLD, 2**40)
    domain = Domain(house.place.deployment.chain_id, house.place.deployment.distributor)
    signature = "0x" + sign(message, domain, bytes(account.key)).hex()
    given = {"account": account.address, "index": line["index"], "to": COLD}
    return {**given, "deadline": 2**40, "signature": signature}


def test_many_lines_given_up_in_a_pause_are_paid_after_it(final: House) -> None:
    wallet, token = final.wallets[0].address, final.ledger.chain.token
    wanted = [(2, wallet), (3, wallet)]
    pause(final)
    (name,) = accepted(post(final, *wanted))["transactions"]
    give_up(final, name)
    assert accepted(post(final, *wanted))["transactions"] == [name]
    final.step(2)
    assert (token.balance_of(wallet), calls(final)[name]) == (1_500, "final")


def test_a_line_given_up_in_a_pause_is_paid_after_it(final: House) -> None:
    wallet, token = final.wallets[0].address, final.ledger.chain.token
    pause(final)
    (name,) = final.claim(wallet, 2)
    give_up(final, name)
    assert final.claim(wallet, 2) == [name]
    assert (token.balance_of(wallet), calls(final)[name]) == (1_000, "final")


def test_a_signed_claim_given_up_in_a_pause_is_paid_after_it(final: House) -> None:
    """By the same signature, which counts on."""
    given, token = signed(final, 2), final.ledger.chain.token
    (name,) = accepted(ask(final, given, 2)).values()
    pause(final)
    give_up(final, name)
    assert accepted(ask(final, given, 2)) == {"transaction": name}
    final.step(2)
    assert (token.balance_of(COLD), calls(final)[name]) == (500, "final")
