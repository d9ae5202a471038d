"""Capital becomes compute: holders pay renters back from the treasury, once, by what the log says (ADR 61)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commonweight.governance.paybacks import PaybackRefused, Paybacks, check
from commonweight.keystore import write_keystore
from commonweight.standing.sentence import clock
from contracts.bindings.currency import Currency
from contracts.bindings.governor import Action
from contracts.chain.connection import send
from contracts.ids import RunId, to_hex
from contracts.protocol.judge.terms import MEMORY_HOURS
from tests.commonweight.conftest import PASSPHRASE, Command
from tests.commonweight.standing.online import Online, online
from tests.contracts.currencies import deploy_currency
from tests.deployed import key_of
from tests.house import House
from tests.ledger.invoiced import MIA, MO, USD, handed, opened, worked
from trainer.client import ApiClient
from verifier.log.settled_paybacks import Payback, settled_paybacks

pytestmark = pytest.mark.integration
DOLLAR = 10**18


@contextmanager
def town(folder: Path, command: Command) -> Iterator[tuple[Online, Currency]]:
    """Four renters asked for 5 dollars each, the last one by commands; their epochs are final, they hold the tokens,
    and the treasury has 12."""
    with House(folder / "house") as house:
        opened(house)
        hour = worked(house)
        handed(house, hour, range(3), payback=True)
        with online(house, command) as place:
            by_command(place, folder, hour)
        house.run.read_on()
        worked(house)
        for number in (1, 2):
            house.settle_epoch(number)
        with held(house, folder, command) as found:
            yield found


def by_command(place: Online, folder: Path, hour: int) -> None:
    """From the bill to the log: written, signed by renter, account and maintainers, shown at each step, handed in."""
    house, file, bill = place.house, folder / "invoice.json", folder / "bill.pdf"
    bill.write_bytes(b"a bill")
    renter, account = key_of("renter 3"), house.wallets[3]
    who = ("--renter", renter.address, "--account", account.address, "--node", house.run.nodes[3].address)
    what = ("--provider", "vast", "--machine", "i-3", "--from-hour", hour, "--to-hour", hour + 1, "--amount", "30.00")
    run = ("--run", to_hex(house.run.run), "--bill", bill, "--payback")
    made = place.command("contribution", "invoice", file, *who, *what, *run)
    assert made.status == 0, made.err
    for key, state in ((None, "unsigned"), (MIA, "missing"), (MO, "missing"), (renter, "missing"), (account, "ready")):
        if key is not None:
            keystore = folder / f"{key.address}.json"
            write_keystore(keystore, bytes(key.key), PASSPHRASE, iterations=1)
            signed = place.command("contribution", "sign", file, "--keystore", keystore, "--api", place.api)
            assert signed.status == 0, signed.err
        (shown,) = place.command("contribution", "show", file, "--api", place.api, "--json").objects
        assert shown["state"] == state, shown
        assert f"until {clock((hour + MEMORY_HOURS) * 3600)}" in shown["sentence"], shown
        if state == "missing":
            early = place.command("contribution", "submit", file, "--api", place.api)
            assert early.err.startswith("not-maintainer"), early
    stranger = folder / "stranger.json"
    write_keystore(stranger, bytes(key_of("stranger").key), PASSPHRASE, iterations=1)
    other = place.command("contribution", "sign", file, "--keystore", stranger, "--api", place.api)
    assert other.err.startswith("not-maintainer"), other
    assert place.command("contribution", "submit", file, "--api", place.api).status == 0
    (shown,) = place.command("contribution", "show", file, "--api", place.api, "--json").objects
    assert shown["state"] == "invoiced", shown


@contextmanager
def held(house: House, folder: Path, command: Command) -> Iterator[tuple[Online, Currency]]:
    """Each wallet has its tokens and a keystore; the treasury has 12 dollars."""
    for number, wallet in enumerate(house.wallets):
        house.claim(wallet.address, 1)
        house.give_coins(wallet)
        write_keystore(folder / f"{number}.json", bytes(wallet.key), PASSPHRASE, iterations=1)
    house.wait(2)
    made = deploy_currency(house.place.w3, house.wallets[0], "PermitCurrency", 10**24)
    money = Currency(house.place.w3, made.address)
    send(house.place.w3, house.wallets[0], money.transfer(house.place.deployment.timelock, 12 * DOLLAR))
    with online(house, command) as place:
        yield place, money


def asked(place: Online, money: Currency, keystore: Path, *more: object) -> Any:
    run = ("--run", to_hex(place.house.run.run), "--currency", money.address)
    return place("gov", "payback", "--keystore", keystore, *run, "--description", f"pay {more}", *more, "--json")


def test_renters_are_paid_back_once(tmp_path: Path, commonweight: Command) -> None:
    """Two proposals name one invoice, and both are voted for: the chain takes it once, and the second fails whole."""
    with town(tmp_path, commonweight) as (place, money):
        house = place.house
        run = to_hex(house.run.run)
        settled = settled_paybacks(ApiClient(place.api), house.place.deployment, house.place.w3, RunId(run))
        check_forged(house, money, settled)
        before = [money.balance_of(wallet.address) for wallet in house.wallets]
        rows = place.command("contribution", "list", "--api", place.api, "--json").objects
        ids = [row["id"] for row in rows]
        assert ids == [one.invoice for one in settled]
        assert {row["state"] for row in rows} == {"assessed"}
        assert rows[3]["sentence"].startswith("Of 30 US dollars 5 US dollars may be paid back by the holders")
        first = asked(place, money, tmp_path / "0.json", "--invoice", ids[0]).objects[0]["proposal"]
        rival = asked(place, money, tmp_path / "1.json", "--invoice", ids[0], "--invoice", ids[1])
        assert asked(place, money, tmp_path / "2.json").err.count("payback-refused") == 1, "12 of 20"
        checked = place("gov", "check-payback", first, "--run", run, "--currency", money.address)
        assert checked.out.startswith(f"5 US dollars to {house.wallets[0].address} for invoice {ids[0]}"), checked
        house.step()
        house.carry(str(first), str(rival.objects[0]["proposal"]))
        paid = [money.balance_of(w.address) - b for w, b in zip(house.wallets, before, strict=True)]
        assert sorted(paid) in ([0, 0, 0, 5 * DOLLAR], [0, 0, 5 * DOLLAR, 5 * DOLLAR])
        assert paid[0] == 5 * DOLLAR, "one of both passed, and the other did not"
        again = asked(place, money, tmp_path / "0.json", "--invoice", ids[0])
        assert f"invoice {ids[0]} is not to be paid back" in again.err, again


def check_forged(house: House, money: Currency, settled: list[Payback]) -> None:
    """One unit more, another account, an invoice of nobody, a payment beside it, more than the treasury has."""
    assert [one.amount for one in settled] == [5 * USD] * 4
    paybacks = Paybacks(house.place.w3, house.place.deployment, money.address)
    good = paybacks.calls(settled[:2])
    assert check(paybacks, good, settled) == settled[:2]
    dearer = deploy_currency(house.place.w3, house.wallets[0], "PermitCurrency", 10**24).address
    send(
        house.place.w3,
        house.wallets[0],
        Currency(house.place.w3, dearer).transfer(house.place.deployment.timelock, 9**21),
    )
    with pytest.raises(PaybackRefused, match="it pays in"):
        check(paybacks, Paybacks(house.place.w3, house.place.deployment, dearer).calls(settled[:2]), settled)
    with pytest.MonkeyPatch.context() as failing:
        failing.setattr(Currency, "_told", lambda _, __, default: default)
        assert paybacks.units(settled[0]) == 5 * DOLLAR, "a read that fails is no currency without decimals"
    to = settled[0].account
    forged: list[list[Action]] = [
        [good[0], Action.of(money.transfer(to, 5 * DOLLAR + 1))],
        [good[0], Action.of(money.transfer(house.wallets[3].address, 5 * DOLLAR))],
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
    with pytest.raises(PaybackRefused, match="named twice"):
        paybacks.calls([settled[0], settled[0]])


def test_a_later_round_is_opened_proposed_and_sells(tmp_path: Path, commonweight: Command) -> None:
    """`fund open --propose` deploys it and asks the holders; after their vote it takes money for tokens."""
    with House(tmp_path / "house") as house:
        house.become_holders()
        with held(house, tmp_path, commonweight) as (place, money):
            deployment = tmp_path / "deployment.json"
            deployment.write_text(house.place.deployment.to_json())
            key = ("--keystore", tmp_path / "0.json", "--deployment", deployment)
            terms = {"funding_currency": money.address, "funding_soft_cap": 10, "funding_hard_cap": 20}
            opening = ("fund", "open", *key, "--params", json.dumps(terms), "--propose", "a second round", "--json")
            full = place(*opening)
            assert "the cap has room for 0, and the round sells 20" in full.err, "by genesis epochs have all of it"
            made = place(*opening, "--keep", 10**26)
            assert made.status == 0, made.err
            pool, proposal = made.objects[0]["pool"], made.objects[1]["proposal"]
            at = ("--deployment", deployment, "--pool", pool, "--rpc-url", place.rpc)
            assert place.command("fund", "show", *at).out.startswith("unfunded")
            house.step()
            house.carry(str(proposal))
            assert place.command("fund", "show", *at).out.startswith("open")
            paid = place.command("fund", "deposit", *at, "--keystore", key[1], "--amount", 15, "--approve")
            assert paid.status == 0, paid.err
