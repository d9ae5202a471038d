"""py-evm blocks, transactions, receipts and reverts in JSON-RPC form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from eth_utils.address import to_checksum_address

from contracts.ids import from_hex, to_hex

JsonObject: TypeAlias = Mapping[str, Any]
"""A node's answer: whole numbers as hex."""


class RpcError(Exception):
    """An error that the node answers with: JSON-RPC code, message and, for a revert, its data."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def body(self) -> JsonObject:
        """Return the JSON-RPC error object."""
        body = {"code": self.code, "message": self.message}
        return body if self.data is None else {**body, "data": self.data}


def octets(value: str | None) -> bytes:
    """Return the bytes of 0x-prefixed hex, none for None."""
    return from_hex(value) if value else b""


def integer(value: Any) -> int:
    """Return a quantity: hex string, decimal int, or None for 0."""
    return 0 if value is None else value if isinstance(value, int) else int(value, 16)


def raise_if_reverted(computation: Any) -> None:
    """Raise RpcError with the revert data, code 3 as geth does."""
    if not computation.is_error:
        return
    data = computation.output
    if type(computation.error).__name__ != "Revert":
        raise RpcError(-32000, f"{type(computation.error).__name__}: {computation.error}")
    raise RpcError(3, "execution reverted", to_hex(data))


def block_json(block: Any, transactions: list[JsonObject]) -> JsonObject:
    """Return a block with its whole transactions."""
    h = block.header
    return {
        "number": hex(h.block_number),
        "hash": to_hex(h.hash),
        "parentHash": to_hex(h.parent_hash),
        "nonce": to_hex(h.nonce),
        "sha3Uncles": to_hex(h.uncles_hash),
        "logsBloom": f"0x{h.bloom:0512x}",
        "transactionsRoot": to_hex(h.transaction_root),
        "receiptsRoot": to_hex(h.receipt_root),
        "stateRoot": to_hex(h.state_root),
        "miner": to_checksum_address(h.coinbase),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "mixHash": to_hex(h.mix_hash),
        "extraData": to_hex(h.extra_data),
        "size": "0x400",
        "gasLimit": hex(h.gas_limit),
        "gasUsed": hex(h.gas_used),
        "timestamp": hex(h.timestamp),
        "baseFeePerGas": hex(h.base_fee_per_gas),
        "transactions": transactions,
        "uncles": [],
        "withdrawals": [],
        "withdrawalsRoot": to_hex(h.withdrawals_root),
    }


def _place(block: Any, index: int) -> JsonObject:
    return {"blockHash": to_hex(block.hash), "blockNumber": hex(block.number), "transactionIndex": hex(index)}


def _price(block: Any, tx: Any) -> int:
    base = block.header.base_fee_per_gas
    if not hasattr(tx, "max_fee_per_gas"):
        return int(tx.gas_price)
    return int(min(tx.max_fee_per_gas, tx.max_priority_fee_per_gas + base))


def _kind(tx: Any) -> int:
    return int(getattr(tx, "type_id", 0) or 0)


def transaction_json(block: Any, tx: Any, index: int) -> JsonObject:
    """Return a mined transaction."""
    body = {
        **_place(block, index),
        "hash": to_hex(tx.hash),
        "type": hex(_kind(tx)),
        "nonce": hex(tx.nonce),
        "from": to_checksum_address(tx.sender),
        "to": to_checksum_address(tx.to) if tx.to else None,
        "value": hex(tx.value),
        "gas": hex(tx.gas),
        "gasPrice": hex(_price(block, tx)),
        "input": to_hex(tx.data),
        "r": hex(tx.r),
        "s": hex(tx.s),
        "v": hex(tx.y_parity if _kind(tx) else tx.v),
    }
    if _kind(tx):
        body |= {"chainId": hex(tx.chain_id), "yParity": hex(tx.y_parity), "accessList": []}
    if _kind(tx) >= 2:
        body |= {
            "maxFeePerGas": hex(tx.max_fee_per_gas),
            "maxPriorityFeePerGas": hex(tx.max_priority_fee_per_gas),
        }
    return body


def receipt_json(block: Any, tx: Any, receipt: Any, index: int, computation: Any) -> JsonObject:
    """Return a receipt; a block here holds one transaction, so that its gas is the cumulative gas."""
    created = None if tx.to or computation is None else to_checksum_address(computation.msg.storage_address)
    logs = [
        {
            **_place(block, index),
            "transactionHash": to_hex(tx.hash),
            "logIndex": hex(i),
            "removed": False,
            "address": to_checksum_address(log.address),
            "data": to_hex(log.data),
            "topics": [f"0x{topic:064x}" for topic in log.topics],
        }
        for i, log in enumerate(receipt.logs)
    ]
    return {
        **_place(block, index),
        "transactionHash": to_hex(tx.hash),
        "from": to_checksum_address(tx.sender),
        "to": to_checksum_address(tx.to) if tx.to else None,
        "contractAddress": created,
        "cumulativeGasUsed": hex(receipt.gas_used),
        "gasUsed": hex(receipt.gas_used),
        "effectiveGasPrice": hex(_price(block, tx)),
        "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
        "type": hex(_kind(tx)),
        "logsBloom": f"0x{receipt.bloom:0512x}",
        "logs": logs,
    }


def log_matches(log: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """Whether a log fits an eth_getLogs query's address and topics."""
    address = query.get("address")
    addresses = [address] if isinstance(address, str) else address
    if addresses and log["address"].lower() not in {a.lower() for a in addresses}:
        return False
    topics = query.get("topics") or []
    if len(topics) > len(log["topics"]):
        return False
    pairs = zip(topics, log["topics"], strict=False)
    return all(
        t is None or topic in ([t.lower()] if isinstance(t, str) else [o.lower() for o in t]) for t, topic in pairs
    )
