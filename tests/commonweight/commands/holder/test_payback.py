"""Capital becomes compute: holders pay renters back from the treasury, once, by what the log says (ADR 61)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commonweight.governance.paybacks import PaybackRefused, Paybacks, check, currency_of
from commonweight.keystore import write_keystore
from contracts.bindings.currency import Currency
from contracts.bindings.governor import Action
from contracts.chain.connection import send
from contracts.ids import to_hex
from tests.commonweight.conftest import PASSPHRASE, Command
from tests.commonweight.standing.online import Online, online
from tests.contracts.currencies import deploy_currency
from tests.house import House
from tests.ledger.invoiced import USD, handed, opened, worked
from verifier.log.settled_paybacks import Payback, settled_paybacks

pytestmark = pytest.mark.integration


@contextmanager
def town(folder: Path, command: Command, treasury: int = 100 * 10**18) -> Iterator[tuple[Online, Currency]]:
    """Four renters asked for 5 dollars each; their epochs are final, and they hold the tokens."""
    with House(folder / "house") as house:
        opened(house)
        handed(house, worked(house), payback=True)
        worked(house)
        for number in (1, 2):
            house.settle_epoch(number)
        for wallet in house.wallets:
            house.claim(wallet.address, 1)
            house.give_coins(wallet)
        house.wait(2)
        made = deploy_currency(house.place.w3, house.wallets[0], "Coin", 10**24)
        money = Currency(house.place.w3, made.address)
        send(house.place.w3, house.wallets[0], money.transfer(house.place.deployment.timelock, treasury))
        write_keystore(folder / "holder.json", bytes(house.wallets[0].key), PASSPHRASE, iterations=1)
        with online(house, command) as place:
            yield place, money


def asked(place: Online, money: Currency, folder: Path, *more: object) -> Any:
    run = ("--run", to_hex(place.house.run.run), "--currency", money.address)
    return place("gov", "payback", "--keystore", folder / "holder.json", *run, "--description", f"pay {more}", *more)


def passed(place: Online, said: Any) -> str:
    """The proposal that a command made, carried out."""
    assert said.status == 0, said.err
    proposal = str(said.objects[0]["proposal"])
    place.house.step()
    place.house.carry(proposal)
    return proposal


def test_renters_are_paid_back_once(tmp_path: Path, commonweight: Command) -> None:
    with town(tmp_path, commonweight) as (place, money):
        house = place.house
        run = to_hex(house.run.run)
        before = [money.balance_of(wallet.address) for wallet in house.wallets]
        lines = house.get(f"/runs/{run}/contributions")
        ids = [row["id"] for row in place.command("contribution", "list", "--api", place.api, "--json").objects]
        assert len(ids) == len(lines) == 4
        first = asked(place, money, tmp_path, "--invoice", ids[0], "--json")
        rival = asked(place, money, tmp_path, "--json")  # while the first is voted on: all four
        checked = place("gov", "check-payback", first.objects[0]["proposal"], "--run", run)
        assert checked.out.startswith(f"5 US dollars to {house.wallets[0].address} for invoice {ids[0]}"), checked
        passed(place, first)
        paid = [money.balance_of(w.address) - b for w, b in zip(house.wallets, before, strict=True)]
        assert paid == [5 * 10**18, 0, 0, 0]
        passed(place, rival)
        assert [money.balance_of(w.address) - b for w, b in zip(house.wallets, before, strict=True)] == paid, (
            "the chain takes no invoice twice, and a proposal passes whole or not at all"
        )
        again = asked(place, money, tmp_path, "--invoice", ids[0])
        assert again.err.startswith(f"bad-field: invoice {ids[0]} is not to be paid back"), again
        passed(place, asked(place, money, tmp_path, "--json", "--invoice", ids[1], "--invoice", ids[2]))
        paid = [money.balance_of(w.address) - b for w, b in zip(house.wallets, before, strict=True)]
        assert paid == [5 * 10**18, 5 * 10**18, 5 * 10**18, 0]


def test_another_payment_is_found_out(tmp_path: Path, commonweight: Command) -> None:
    """One unit more, another account, an invoice of nobody, a payment beside it, more than the treasury has."""
    with town(tmp_path, commonweight, treasury=12 * 10**18) as (place, money):
        house = place.house
        w3, deployment = house.place.w3, house.place.deployment
        run = house.run.state.runs.__iter__().__next__()
        client = place_client(place)
        settled = settled_paybacks(client, deployment, w3, run)
        paybacks = Paybacks(w3, deployment, money.address)
        assert [one.amount for one in settled] == [5 * USD] * 4
        good = paybacks.calls(settled[:2])
        assert check(paybacks, good, settled) == settled[:2]
        assert currency_of(good).lower() == money.address.lower()
        to = settled[0].account
        forged: list[list[Action]] = [
            [good[0], Action.of(money.transfer(to, 5 * 10**18 + 1))],
            [good[0], Action.of(money.transfer(house.wallets[3].address, 5 * 10**18))],
            [*good, *good],
            [*good, Action.of(money.transfer(to, 1))],
            [good[2], good[1]],
            [replace(good[0], value=1), good[1]],
            paybacks.calls([replace(settled[0], invoice="0x" + "77" * 32)]),
            [good[1], good[0]],
        ]
        for actions in forged:
            with pytest.raises(PaybackRefused):
                check(paybacks, actions, settled)
        with pytest.raises(PaybackRefused, match="the treasury has"):
            paybacks.calls(settled[:3])
        with pytest.raises(PaybackRefused, match="named twice"):
            paybacks.calls([settled[0], settled[0]])
        assert isinstance(settled[0], Payback)


def place_client(place: Online) -> Any:
    from trainer.client import ApiClient

    return ApiClient(place.api)


def test_a_later_round_is_opened_proposed_and_sells(tmp_path: Path, commonweight: Command) -> None:
    """`fund open --propose` deploys it and asks the holders; after their vote it takes money, and gives tokens."""
    with town(tmp_path, commonweight) as (place, money):
        house = place.house
        deployment = tmp_path / "deployment.json"
        deployment.write_text(house.place.deployment.to_json())
        key = ("--keystore", tmp_path / "holder.json", "--deployment", deployment)
        terms = {"funding_currency": money.address, "funding_soft_cap": 10, "funding_hard_cap": 20}
        made = place("fund", "open", *key, "--params", json.dumps(terms), "--propose", "a second round", "--json")
        assert made.status == 0, made.err
        pool, proposal = made.objects[0]["pool"], made.objects[1]["proposal"]
        at = ("--deployment", deployment, "--pool", pool, "--rpc-url", place.rpc)
        assert place.command("fund", "show", *at).out.startswith("unfunded")
        house.step()
        house.carry(str(proposal))
        assert place.command("fund", "show", *at).out.startswith("open")
        paid = place.command("fund", "deposit", *at, "--keystore", key[1], "--amount", 15, "--approve")
        assert paid.status == 0, paid.err
