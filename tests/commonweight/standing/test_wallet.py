"""`wallet show` and `wallet claim` on a real chain, epoch by epoch, and against servers that lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commonweight.keystore import write_keystore
from contracts.chain.connection import send
from tests.api.routes.test_many_claims import pay_past_the_relayer
from tests.commonweight.conftest import PASSPHRASE, Command
from tests.commonweight.standing.online import Online, keeping, online
from tests.deployed import PARAMS, key_of
from tests.holds import Threat, holds
from tests.house import House, accepted
from trainer.client import ApiClient

pytestmark = pytest.mark.integration
COLD, STRANGER = key_of("cold wallet").address, key_of("stranger").address


@pytest.fixture
def place(tmp_path: Path, commonweight: Command) -> Iterator[Online]:
    """Two nodes of one run, emission 1000 tokens an epoch; nothing is decided yet."""
    with House(tmp_path / "house") as house:
        house.start(rounds=3, emission=1_000 * 10**18)
        with online(house, commonweight) as made:
            yield made


def shown(place: Online, account: str, *options: object) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What `wallet show --json` says: sums, and the states."""
    said = place("wallet", "show", account, "--json", *options)
    assert said.status == 0, said.err
    first, *claims = [json.loads(line) for line in said.out.splitlines()]
    assert (first["about"], first["account"]) == ("wallet", account)
    return first, claims


def states(place: Online, account: str) -> list[tuple[int | None, str]]:
    return [(claim["epoch"], claim["state"]) for claim in shown(place, account)[1]]


def refused(place: Online, account: str, *options: object) -> str:
    said = place("wallet", "claim", account, *options)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("nothing-to-claim: "), said.err
    return said.err


def test_an_epoch_on_its_way_is_told_and_then_claimed(place: Online) -> None:
    """From no round over window and finality to the mint; asked again it is no refusal."""
    house, wallet = place.house, place.house.wallets[0].address
    assert "No round of run 0x" in refused(place, wallet)
    assert states(place, wallet) == [(None, "no-round")]
    house.play_round()
    assert states(place, wallet) == [(1, "unsigned"), (None, "open")]
    assert "2 verifiers have to sign its root" in refused(place, wallet)
    for verifier in house.run.verifiers[:2]:
        accepted(house.post_epoch(verifier))
    house.step(2)
    sums, _ = shown(place, wallet)
    assert (sums["owed"], sums["claimable"], sums["claimed"]) == (str(500 * 10**18), "0", "0")
    assert "The challenge window of epoch 1 ends at 20" in refused(place, wallet)
    assert "UTC (in 20 seconds)" in refused(place, wallet, "--epoch", 1)
    house.wait(PARAMS.challenge_window + 1)
    house.step(3)
    assert shown(place, wallet)[0]["claimable"] == str(500 * 10**18)
    with keeping(house):
        said = place("wallet", "claim", wallet)
    assert said.status == 0, said.err
    line, whole = said.out.splitlines()
    assert line.startswith(f"500 M for compute in epoch 1  to {wallet}  0x")
    assert whole == "claimed 500 M"
    again = place("wallet", "claim", wallet)
    assert (again.status, again.out) == (0, "all 500 M are claimed already\n")
    house.wait(2)
    sums, claims = shown(place, wallet)
    assert (sums["balance"], sums["claimed"], sums["owed"], sums["currency"]) == (str(500 * 10**18),) * 2 + ("0", "M")
    assert (sums["votes"], sums["delegate"]) == (str(500 * 10**18), wallet)
    assert [(claim["epoch"], claim["state"]) for claim in claims] == [(1, "claimed"), (None, "open")]
    plain = place("wallet", "show", wallet).out
    assert "holds      500 M (100.00 % of supply)\n" in plain
    assert "votes      500 M; it votes itself\n" in plain


def test_all_that_is_owed_is_claimed_at_once(place: Online) -> None:
    house, wallet = place.house, place.house.wallets[0].address
    settle_two(house)
    with keeping(house):
        said = place("wallet", "claim", wallet, "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [(line["epoch"], line["units"], line["to"]) for line in lines] == [
        (1, str(500 * 10**18), wallet),
        (2, str(500 * 10**18), wallet),
    ]
    assert {(line["currency"], line["state"]) for line in lines} == {("M", "claimed")}
    assert house.ledger.chain.token.balance_of(wallet) == 1_000 * 10**18
    (transaction,) = {line["hash"] for line in lines}
    assert house.place.w3.eth.get_transaction_receipt(transaction)["status"] == 1
    assert not any(line["passed_over"] for line in lines)


def settle_two(house: House) -> None:
    """Epochs 1 and 2."""
    for number in (1, 2):
        house.play_round()
        house.settle_epoch(number)


def test_what_somebody_else_had_paid_meanwhile_is_named(place: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the wallet's look and the transaction, which pays the other epoch."""
    house, wallet = place.house, place.house.wallets[0].address
    settle_two(house)
    post = ApiClient.post

    def late(self: ApiClient, path: str, body: Any) -> Any:
        pay_past_the_relayer(house, 1, wallet)
        return post(self, path, body)

    monkeypatch.setattr(ApiClient, "post", late)
    with keeping(house):
        said = place("wallet", "claim", wallet)
    first, second, whole = said.out.splitlines()
    assert first.startswith(f"500 M for compute in epoch 1  to {wallet}  0x")
    assert first.endswith("  skipped: somebody else claimed it meanwhile")
    assert second.startswith(f"500 M for compute in epoch 2  to {wallet}  0x")
    assert "skipped" not in second
    assert (said.status, whole) == (0, "claimed 1,000 M")
    assert house.ledger.chain.token.balance_of(wallet) == 1_000 * 10**18


def test_what_the_server_does_not_claim_is_said(place: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the rest is claimed."""
    house, wallet = place.house, place.house.wallets[0].address
    settle_two(house)
    post = ApiClient.post

    def partly(self: ApiClient, path: str, body: Any) -> Any:
        body["claims"][0]["account"] = STRANGER
        return post(self, path, body)

    monkeypatch.setattr(ApiClient, "post", partly)
    with keeping(house):
        said = place("wallet", "claim", wallet)
    assert said.status == 1
    assert said.err.splitlines()[-1].startswith("claim-failed: 1 of 2 lines are claimed; epoch 1: not-found: ")
    assert house.ledger.chain.token.balance_of(wallet) == 500 * 10**18


def test_a_signed_claim_pays_another_wallet(place: Online, tmp_path: Path) -> None:
    house, owner = place.house, place.house.wallets[0]
    house.play_round()
    house.settle_epoch()
    mine, foreign = tmp_path / "mine.json", tmp_path / "foreign.json"
    write_keystore(mine, bytes(owner.key), PASSPHRASE, iterations=1)
    write_keystore(foreign, bytes(key_of("thief").key), PASSPHRASE, iterations=1)
    for options, problem in (((), "--keystore"), (("--keystore", foreign), key_of("thief").address)):
        said = place("wallet", "claim", owner.address, "--to", COLD, *options)
        assert (said.status, said.out) == (2, "")
        assert problem in said.err
    with keeping(house):
        said = place("wallet", "claim", owner.address, "--to", COLD, "--keystore", mine, "--json")
    assert json.loads(said.out)["to"] == COLD
    token = house.ledger.chain.token
    assert (token.balance_of(COLD), token.balance_of(owner.address)) == (500 * 10**18, 0)
    assert shown(place, owner.address)[0]["claimed"] == str(500 * 10**18)


def test_who_is_paid_nothing_is_told_why(place: Online) -> None:
    house, node = place.house, place.house.run.nodes[0]
    elsewhere = refused(place, node.address)
    assert f"goes to another wallet, {house.wallets[0].address}. See: commonweight wallet show" in elsewhere
    assert "no node or contribution of a run names the account" in refused(place, STRANGER)
    house.play_round()
    house.settle_epoch()
    assert "Epoch 1 pays nothing to this account" in refused(place, STRANGER, "--epoch", 1)
    assert states(place, node.address)[0] == (1, "other-wallet")


def test_a_disputed_epoch_says_until_when(place: Online) -> None:
    house, wallet = place.house, place.house.wallets[0].address
    house.play_round()
    for verifier in house.run.verifiers[:2]:
        accepted(house.post_epoch(verifier))
    house.step(2)
    send(house.place.w3, house.creator, house.ledger.chain.registry.challenge(1), value=PARAMS.bond)
    assert "Epoch 1 is disputed. The holders decide, or the dispute lapses at" in refused(place, wallet)
    house.wait(PARAMS.dispute_limit + 1)
    house.step(3)
    assert states(place, wallet)[0] == (1, "fallen")


@holds(
    "A wallet claims only what leads to the chain's root, whatever the server shows",
    by="commonweight/standing/owed.py:read_owed",
    against=Threat.WRONG_PAY,
)
@pytest.mark.parametrize("lie", ["amount", "left out", "hidden"])
def test_a_server_that_lies_is_found(place: Online, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """Nothing is claimed by its word, and the wallet says that chain and server do not agree."""

    house, wallet = place.house, place.house.wallets[0].address
    house.play_round()
    house.settle_epoch()
    true = ApiClient.get

    def lying(self: ApiClient, path: str, **query: Any) -> Any:
        found = true(self, path, **query)
        if lie == "hidden" and path == "/epochs":
            return []
        if path.endswith("/payouts") and lie == "left out":
            return {"payouts": [line for line in found["payouts"] if line["account"] != wallet]}
        if path.endswith("/payouts") and lie == "amount":
            return {"payouts": [{**line, "amount": str(10**24)} for line in found["payouts"]]}
        return found

    monkeypatch.setattr(ApiClient, "get", lying)
    sums, claims = shown(place, wallet)
    assert claims[0]["state"] == ("hidden" if lie == "hidden" else "foreign")
    assert (sums["owed"], sums["claimable"]) == ("0", "0")
    refused(place, wallet)
