"""The answers of a chain node to a transaction, told apart by their words: the codes differ from node to node.

geth, Erigon and Nethermind answer everything with -32000 or -32010, anvil with -32003, each in its own words.
An answer never decides the fate of a transaction: that is looked up by hash (ledger/relay/confirmations.py).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, cast

from web3 import Web3
from web3.exceptions import Web3RPCError

from contracts.evm.chain_text import storable


class SendResult(StrEnum):
    """The meaning of an answer for the sender."""

    TAKEN = "taken"
    KNOWN = "known"
    """These bytes are in the pool or in a block."""
    NONCE_LOW = "nonce-low"
    """A transaction of this nonce is in a block: ours or an external one."""
    NONCE_HIGH = "nonce-high"
    """A transaction with a lower nonce is missing."""
    OUTBID = "outbid"
    """Another transaction of this nonce is in the pool and pays as much, or the fee is below the pool's least."""
    POOR = "poor"
    """The sender cannot pay for the transaction."""
    BUSY = "busy"
    """The node's pool is full, or the node limits what it takes."""
    REFUSED = "refused"
    """Anything else: these bytes may never be taken."""


# in this order: "could not replace existing tx" and "transaction underpriced" are about fees, whatever else they say
_WORDS: tuple[tuple[SendResult, str], ...] = (
    (SendResult.KNOWN, r"already known|already ?imported|alreadyknown|known transaction|already (exists|in)"),
    (SendResult.NONCE_LOW, r"nonce (is )?too low|oldnonce|nonce has already been used|invalid transaction nonce"),
    (SendResult.NONCE_HIGH, r"nonce (is )?too (high|distant)|nonce ?gap|noncegap|nonce is too distant"),
    (SendResult.OUTBID, r"underpriced|replacementnotallowed|could not replace|fee ?too ?low|less than block base fee"),
    (SendResult.POOR, r"insufficient (funds|balance)|insufficientfunds|upfront cost"),
    (SendResult.BUSY, r"pool is full|txpool is full|limit exceeded|too many|rate limit|gapped|replace pending"),
)
_PATTERNS = tuple((result, re.compile(words, re.IGNORECASE)) for result, words in _WORDS)


def send(w3: Web3, raw: str) -> tuple[SendResult, str]:
    """Hand signed bytes (0x hex) to the node; returns the meaning of its answer, and its words. An unreachable node
    raises."""
    try:
        w3.eth.send_raw_transaction(cast(Any, raw))
    except (Web3RPCError, ValueError) as error:
        words = message_of(error)
        return meaning(words), words
    return SendResult.TAKEN, ""


def meaning(words: str) -> SendResult:
    """The meaning of a node's words."""
    return next((result for result, pattern in _PATTERNS if pattern.search(words)), SendResult.REFUSED)


def message_of(error: Exception) -> str:
    """The node's own words in an error of web3."""
    response = getattr(error, "rpc_response", None)
    body = response.get("error") if isinstance(response, dict) else None
    return storable(str(body.get("message") if isinstance(body, dict) else body or error))
