"""Which block is final: the one that the chain's nodes name so, or the one that lies so many blocks behind the newest.

Most chains have the tag `finalized`. On one that has none a number of blocks has to do: its chooser says how deep a
reorg may go without harm to them (docs/operate.md has a table).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from web3.types import RPCEndpoint, RPCResponse

from contracts.evm.errors import NoFinalBlock

FINALIZED = "finalized"
BY_NUMBER = RPCEndpoint("eth_getBlockByNumber")
REMEDY = (
    "a node that has just started names none for some minutes; for a chain without finality give --finality-depth, the "
    "number of blocks behind the newest from which none is taken back (docs/operate.md)"
)
Ask = Callable[[RPCEndpoint, Any], RPCResponse]


def is_final_block(method: str, params: Any) -> bool:
    """Whether a request is for the final block."""
    return method == BY_NUMBER and bool(params) and params[0] == FINALIZED


def final_block(ask: Ask, depth: int | None) -> RPCResponse:
    """The final block of one node: by its tag, or `depth` blocks behind its newest. Raises NoFinalBlock, and what
    asking raises."""
    if depth is None:
        answer = ask(BY_NUMBER, [FINALIZED, False])
        if answer.get("error") or answer.get("result") is None:
            raise NoFinalBlock(f"the chain node names no block `{FINALIZED}`: {REMEDY}")
        return answer
    newest = ask(BY_NUMBER, ["latest", False])
    number = number_of(newest)
    return newest if number is None else ask(BY_NUMBER, [hex(max(0, number - depth)), False])


def number_of(answer: RPCResponse) -> int | None:
    """The number of a block; None for an answer that holds none."""
    block = answer.get("result")
    number = cast(Any, block).get("number") if isinstance(block, dict) else None
    try:
        return int(str(number), 16)
    except (TypeError, ValueError):
        return None
