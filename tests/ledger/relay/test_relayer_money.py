"""A relayer that runs dry is named in time, once, with what it needs."""

from __future__ import annotations

import pytest

from contracts.evm.fees import market
from ledger.relay.relayer_money import CALL_GAS, FEW_CALLS, LOOK_SECONDS, MoneyWatch, look
from tests.house import House

pytestmark = pytest.mark.integration


def hold(house: House, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """The relayer holds enough for so many calls."""
    offer = market(house.ledger.chain.w3)
    assert offer is not None
    monkeypatch.setattr(house.ledger.chain.w3.eth, "get_balance", lambda _address: calls * CALL_GAS * offer.max_fee)


def test_little_money_is_said_once_before_it_is_gone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    said, now = list[str](), [0.0]
    watch = MoneyWatch(said.append, lambda: now[0])
    for calls in (FEW_CALLS, FEW_CALLS - 1, 3, 0, FEW_CALLS, FEW_CALLS - 1):
        hold(house, monkeypatch, calls)
        watch.look(house.ledger)
        now[0] += LOOK_SECONDS
    assert [line.split(" has ")[0] for line in said] == [f"the relayer {house.ledger.operator.address}"] * 3
    assert f"enough for about {FEW_CALLS - 1} calls at the fees of now: send coins to it" in said[0]
    assert said[1].endswith("again")


def test_it_is_looked_at_once_a_minute(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    watch = MoneyWatch(said.append, lambda: 5.0)
    hold(house, monkeypatch, 100)
    watch.look(house.ledger)
    hold(house, monkeypatch, 0)
    watch.look(house.ledger)
    assert said == []
    assert look(house.ledger).calls == 0
