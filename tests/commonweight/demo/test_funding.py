"""Coins for the demo's keys: a chain that gives none away is left alone, and the refusal says who lacks what."""

from __future__ import annotations

import pytest
from eth_account import Account

from commonweight.demo.funding import COIN, KeysUnfunded, ensure_funded
from contracts.chain.connection import connect_devnet
from contracts.devnet.chain import Devnet

pytestmark = pytest.mark.integration

RICH, POOR, POORER = (Account.from_key(bytes([n]) * 32).address for n in (1, 2, 3))


def test_whoever_lacks_coins_is_named_with_the_amount() -> None:
    w3 = connect_devnet(Devnet([RICH, POOR], balance=COIN))
    with pytest.raises(KeysUnfunded) as caught:
        ensure_funded(w3, {RICH: COIN, POOR: COIN + 1, POORER: 5 * COIN // 2})
    assert caught.value.code == "keys-unfunded"
    assert caught.value.detail.splitlines()[1:] == [f"  {POOR}  0.000000000000000001 coins", f"  {POORER}  2.5 coins"]
    assert "without value" in caught.value.detail


def test_keys_that_hold_enough_are_left_as_they_are() -> None:
    chain = Devnet([RICH], balance=COIN)
    w3 = connect_devnet(chain)
    assert ensure_funded(w3, {RICH: COIN}) == []
    assert w3.eth.get_balance(RICH) == COIN
    assert w3.eth.block_number == 0
