"""Answers that two chain nodes must give alike before anything follows: final blocks, their logs, and past states.

A single given node is believed. Of several, each answer that cannot change any more is read from two, and nothing
follows from one on which they differ. Answers that may change, such as the newest block, come from one node.
"""

from __future__ import annotations

from typing import Any

from web3.types import RPCResponse

from contracts.evm.finality import BY_NUMBER
from contracts.evm.http import LOGS

_OF_BLOCK = ("number", "hash", "parentHash", "timestamp")
_OF_LOG = ("blockNumber", "blockHash", "logIndex", "transactionHash", "address", "topics", "data")


def is_settled(method: str, params: Any, final: int) -> bool:
    """Whether the answer is the same for ever, `final` being the number of a final block."""
    if method == "eth_chainId":
        return True
    if not isinstance(params, (list, tuple)) or not params:
        return False
    if method == BY_NUMBER:
        return _at_most(params[0], final)
    if method == LOGS:
        where = params[0]
        return "blockHash" in where or _at_most(where.get("toBlock"), final)
    if method == "eth_call" and len(params) > 1:
        return isinstance(params[1], dict) or _at_most(params[1], final)
    return False


def same(method: str, first: RPCResponse, second: RPCResponse) -> bool:
    """Whether two answers say the same, spelling aside."""
    return bool(_essence(method, first.get("result")) == _essence(method, second.get("result")))


def lacks(answer: RPCResponse) -> bool:
    """Whether a node says that it has nothing of what was asked for: it may be behind."""
    return bool(answer.get("error")) or answer.get("result") is None


def _at_most(block: Any, final: int) -> bool:
    try:
        return int(block, 16) <= final
    except (TypeError, ValueError):
        return False


def _essence(method: str, result: Any) -> Any:
    if method == BY_NUMBER and isinstance(result, dict):
        return [_spelled(result.get(name)) for name in _OF_BLOCK]
    if method == LOGS and isinstance(result, list):
        return sorted(
            str([_spelled(log.get(name)) for name in _OF_LOG]) if isinstance(log, dict) else str(log) for log in result
        )
    return _spelled(result)


def _spelled(value: Any) -> Any:
    """Hex in small letters, numbers without leading zeros."""
    if isinstance(value, list):
        return [_spelled(element) for element in value]
    if isinstance(value, str):
        lower = value.lower()
        return "0x" + (lower[2:].lstrip("0") or "0") if lower.startswith("0x") and len(lower) < 20 else lower
    return value
