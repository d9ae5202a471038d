"""Coins for the demo's keys on a chain that the demo did not start."""

from __future__ import annotations

from collections.abc import Mapping

from requests.exceptions import HTTPError
from web3 import Web3
from web3.types import RPCEndpoint

from contracts.amounts import COINS, amount
from contracts.errors import CommonweightError
from contracts.ids import Address, as_address

COIN = 10**18
GIFT = 100 * COIN
SETTERS = ("anvil_setBalance", "hardhat_setBalance")


class KeysUnfunded(CommonweightError):
    """Keys of the demo lack coins, and the node is none of those that give them away."""

    code = "keys-unfunded"


def ensure_funded(w3: Web3, needed: Mapping[str, int]) -> list[str]:
    """Give coins to accounts with less wei than `needed`, where the node is a local one that can.

    Returns the funded addresses. Raises KeysUnfunded, which names every address and amount, where it cannot.
    """
    short = [address for address, wei in needed.items() if _balance(w3, as_address(address)) < wei]
    funded = [address for address in short if _give(w3, as_address(address))]
    lacking = {address: needed[address] - _balance(w3, as_address(address)) for address in short}
    lines = [f"  {address}  {amount(wei, COINS)}" for address, wei in lacking.items() if wei > 0]
    if lines:
        raise KeysUnfunded(
            "the demo's keys need coins on this chain, and its node gives none away. Anyone can derive these keys "
            "from the seed: send only coins without value.\n" + "\n".join(lines)
        )
    return funded


def _balance(w3: Web3, address: Address) -> int:
    return int(w3.eth.get_balance(Web3.to_checksum_address(address)))


def _give(w3: Web3, address: Address) -> bool:
    return any(_answered(w3, method, [address, hex(GIFT)]) for method in SETTERS)


def _answered(w3: Web3, method: str, params: list[str]) -> bool:
    try:
        return "error" not in w3.provider.make_request(RPCEndpoint(method), params)
    except HTTPError:  # how some nodes refuse a method
        return False
