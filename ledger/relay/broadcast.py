"""What a node says when it is handed a transaction, told apart by its words: the codes differ from node to node.

geth, Erigon and Nethermind answer everything with -32000 or -32010, anvil with -32003, and each words it its own way.
An answer never decides what became of a transaction: that is looked up by hash (ledger/relay/confirmations.py).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, cast

from web3 import Web3
from web3.exceptions import Web3RPCError

from contracts.evm.chain_text import storable


class Said(StrEnum):
    """What an answer means for the sender."""

    TAKEN = "taken"
    KNOWN = "known"
    """These bytes are in the pool or in a block."""
    NONCE_LOW = "nonce-low"
    """A transaction of this nonce is in a block: ours, or not."""
    NONCE_HIGH = "nonce-high"
    """One before this one is missing."""
    OUTBID = "outbid"
    """Another of this nonce is in the pool and pays as much, or the fee is below what the pool takes."""
    POOR = "poor"
    """The sender cannot pay for it."""
    BUSY = "busy"
    """The node's pool is full, or it limits what it takes."""
    REFUSED = "refused"
    """Anything else: these bytes may never be taken."""


# in this order: "could not replace existing tx" and "transaction underpriced" are about fees, whatever else they say
_WORDS: tuple[tuple[Said, str], ...] = (
    (Said.KNOWN, r"already known|already ?imported|alreadyknown|known transaction|already (exists|in)"),
    (Said.NONCE_LOW, r"nonce (is )?too low|oldnonce|nonce has already been used|invalid transaction nonce"),
    (Said.NONCE_HIGH, r"nonce (is )?too (high|distant)|nonce ?gap|noncegap|nonce is too distant"),
    (Said.OUTBID, r"underpriced|replacementnotallowed|could not replace|fee ?too ?low|less than block base fee"),
    (Said.POOR, r"insufficient (funds|balance)|insufficientfunds|upfront cost"),
    (Said.BUSY, r"pool is full|txpool is full|limit exceeded|too many|rate limit|gapped|replace pending"),
)
_PATTERNS = tuple((said, re.compile(words, re.IGNORECASE)) for said, words in _WORDS)


def send(w3: Web3, raw: str) -> tuple[Said, str]:
    """Hand signed bytes (0x hex) to the node; returns what it said and its words. An unreachable node raises."""
    try:
        w3.eth.send_raw_transaction(cast(Any, raw))
    except (Web3RPCError, ValueError) as error:
        words = message_of(error)
        return meaning(words), words
    return Said.TAKEN, ""


def meaning(words: str) -> Said:
    """What a node's words mean."""
    return next((said for said, pattern in _PATTERNS if pattern.search(words)), Said.REFUSED)


def message_of(error: Exception) -> str:
    """The node's own words in an error of web3."""
    response = getattr(error, "rpc_response", None)
    body = response.get("error") if isinstance(response, dict) else None
    return storable(str(body.get("message") if isinstance(body, dict) else body or error))
