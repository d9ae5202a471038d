"""What providers write is shown, and does nothing: prices beyond all numbers, markup, escapes, words for a shell."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from commonweight.market.accounts import ACCOUNTS
from commonweight.market.errors import BadPrice, BadQuery
from commonweight.market.hiring import new_fleet
from commonweight.market.money import micro_usd
from commonweight.market.provider import ProviderFacts, ssh_to
from commonweight.market.providers import dstack_rows, vast_rows
from commonweight.market.providers.akash_prices import hourly, micros
from commonweight.market.view.rows import table, terms_table
from tests.commonweight.market.renting.simulated import Clock, Simulated, offer

pytestmark = pytest.mark.unit
HUGE = ["1E+999999999", "1E+999999", "NaN", "-1E+9999999", "Infinity"]


@pytest.mark.parametrize("text", HUGE)
def test_a_number_beyond_all_prices_is_a_bad_price(text: str) -> None:
    for value in (text, Decimal(text)):
        with pytest.raises(BadPrice):
            micro_usd(value, "a price")


@pytest.mark.parametrize("text", HUGE)
@pytest.mark.parametrize("read", [hourly, micros])
def test_a_coin_beyond_all_amounts_is_a_bad_price(text: str, read: object) -> None:
    with pytest.raises(BadPrice):
        read({"denom": "uact", "amount": text})  # type: ignore[operator]


def test_texts_of_offers_are_shown_as_they_are() -> None:
    out = io.StringIO()
    shown = Console(file=out, width=250, force_terminal=True, color_system=None)
    shown.print(table([offer("\x1b[31mred", place="[/x] \x1b[2J\x07 [bold]")], {}, 0))
    assert "\x1b" not in out.getvalue()
    assert "[/x]" in out.getvalue()
    assert "[bold]" in out.getvalue()


def test_both_tables_of_offers_fit_a_terminal() -> None:
    """120 columns; what is too long is folded, and nothing is cut off."""
    one = offer("an-offer-of-a-long-name-0123456789", place="Frankfurt am Main, Germany", disk_gb=500, down_mbps=940)
    facts = ProviderFacts("sim", True, "a verified billing address and card; no identity papers", ("card", "ETH"), "")
    for shown in (table([one], {}, 0), terms_table([one], {"sim": Simulated(Clock(), facts)})):
        out = io.StringIO()
        Console(file=out, width=120, force_terminal=False).print(shown)
        lines = out.getvalue().splitlines()
        assert max(map(len, lines)) <= 120
    text = out.getvalue()
    for word in ("500 GB", "940 Mbit/s", "verified", "card, ETH"):
        assert word in text


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "h -oProxyCommand=x", "h;x", "$(x)", "h\nx", ""])
def test_no_words_of_a_provider_come_into_a_shell(host: str) -> None:
    assert ssh_to("root", host, "22") == ""
    assert vast_rows.machine_of({"id": 5, "ssh_host": host, "ssh_port": "22"}).reach == ""
    run = {"run_spec": {"run_name": f"a {host}"}, "status": "running"}
    assert dstack_rows.machine_of(run).reach == ""


def test_plain_hosts_are_reached() -> None:
    assert ssh_to("root", "ssh5.vast.ai", "1234") == "ssh -p 1234 root@ssh5.vast.ai"
    assert ssh_to("ubuntu", "2001:db8::1") == "ssh ubuntu@2001:db8::1"
    assert ssh_to("root", "host", "22 -x") == ""


def test_providers_are_called_as_their_accounts() -> None:
    """Rentals are looked after by that name."""
    named = {
        name: account.opened("http://127.0.0.1:1", "a-key-of-letters", Path()).facts.name
        for name, account in ACCOUNTS.items()
    }
    assert named == {name: name for name in ACCOUNTS}


@pytest.mark.parametrize("hours", [float("nan"), float("inf"), -1.0, 0.0])
def test_no_fleet_has_impossible_hours(hours: float) -> None:
    with pytest.raises(BadQuery):
        new_fleet(None, "5", hours)  # type: ignore[arg-type]
