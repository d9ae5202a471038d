"""The faucet of the embedded chain: a key of this process that sends coins, in transactions like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_hex_address, to_checksum_address

from contracts.devnet.json import RpcError
from contracts.ids import Address, as_address, to_hex

COIN = 10**18
MOST = 10_000 * COIN
"""Wei that it sends at once."""
HOLDS = 10**9 * COIN
TIP = 10**9


class Faucet:
    """`call` answers JSON-RPC of the chain on which it holds coins."""

    def __init__(self) -> None:
        self._account: LocalAccount = Account.create()

    @property
    def address(self) -> str:
        """The holder of the coins at genesis."""
        return str(self._account.address)

    def fund(self, call: Callable[[str, list[Any]], Any], to: Any, wei: Any = MOST) -> str:
        """Send coins; hash of the transaction, which is mined at once. Raises RpcError."""
        if not isinstance(to, str) or not is_hex_address(to):
            raise RpcError(-32602, "the first parameter must be an address")
        amount = _quantity(wei)
        if not 0 < amount <= MOST:
            raise RpcError(-32602, f"the faucet sends between 1 and {MOST} wei at once, not {amount}")
        base = int(call("eth_getBlockByNumber", ["latest", False])["baseFeePerGas"], 16)
        transaction: dict[str, Any] = {
            "to": to_checksum_address(to),
            "value": amount,
            "gas": 21_000 if _is_key(call, as_address(to)) else 100_000,
            "nonce": int(call("eth_getTransactionCount", [self.address, "latest"]), 16),
            "type": 2,
            "chainId": int(call("eth_chainId", []), 16),
            "maxPriorityFeePerGas": TIP,
            "maxFeePerGas": 2 * base + TIP,
        }
        signed = self._account.sign_transaction(transaction)
        return str(call("eth_sendRawTransaction", [to_hex(signed.raw_transaction)]))


def _is_key(call: Callable[[str, list[Any]], Any], address: Address) -> bool:
    return bool(call("eth_getCode", [address, "latest"]) == "0x")


def _quantity(value: Any) -> int:
    try:
        return int(value, 16) if isinstance(value, str) else int(value)
    except (TypeError, ValueError) as error:
        raise RpcError(-32602, "the second parameter must be a quantity of wei, 0x and hex digits") from error
