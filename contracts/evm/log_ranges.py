"""The one place that asks a chain node for logs: in pieces as wide as that node takes, in the order of the chain.

    10,000 blocks ── refused ── 5,000 ── refused ── 2,500 ── given, given ── 5,000 ── refused ── 2,500 ── …

Providers allow 10 to 10,000 blocks and say so each with another code and other words, or not at all. So no limit is
read from an answer: a refused range is asked for again by halves, down to one block. Weather (429, 502, a lost
connection) says nothing about the range: the connection has asked again (evm/nodes.py), and the failure passes on.

An answer is a claim: a log of another address or block, out of the chain's order or twice is refused with ChainUnfit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import FilterParams, LogReceipt

from contracts.evm.chain_text import storable
from contracts.evm.errors import ChainAtFault, ChainUnfit
from contracts.evm.log_pace import LogPace, pace_of
from contracts.evm.log_refusals import Refusal, refusal_of, words_of
from contracts.ids import to_hex

MOST_NUMBER, MOST_TOPICS = 2**63 - 1, 4
"""The largest number of a block or an index, and the most topics of a log."""


class LogsRefused(ChainAtFault):
    """A chain node refuses the logs of a single block."""

    code = "logs-refused"
    status = 503


@dataclass(frozen=True, slots=True)
class Wanted:
    """Logs of these addresses (checksummed), all of them or those whose topics fit.

    `topics` are 0x-hex as eth_getLogs takes them: for each place one, or a list of which any will do.
    """

    addresses: tuple[str, ...]
    topics: tuple[str | list[str], ...] = ()

    def fits(self, log: LogReceipt) -> bool:
        """Whether a log's topics fit: a node that passes the filter over gives logs of others, too."""
        topics = [to_hex(topic) for topic in log["topics"]]
        if len(topics) < len(self.topics):
            return False
        pairs = zip(topics, self.topics, strict=False)  # a log may have more than are asked for
        return all(topic in (any_of if isinstance(any_of, list) else [any_of]) for topic, any_of in pairs)


@dataclass(frozen=True, slots=True)
class Piece:
    """The wanted logs up to the end of block `last` that were not in the piece before."""

    last: int
    logs: list[LogReceipt]


def pieces(w3: Web3, wanted: Wanted, first: int, last: int) -> Iterator[Piece]:
    """The logs of blocks `first` to `last`, each piece asked for when it is needed.

    Raises ChainUnfit, LogsRefused, and what the node's weather raises: RequestException or Web3RPCError.
    """
    pace = pace_of(w3.provider)
    start = first
    while start <= last:
        piece = _piece(w3, wanted, pace, start, min(pace.blocks(), last - start + 1))
        yield piece
        start = piece.last + 1


def logs(w3: Web3, wanted: Wanted, first: int, last: int) -> Iterator[LogReceipt]:
    """As `pieces`, log by log."""
    for piece in pieces(w3, wanted, first, last):
        yield from piece.logs


def logs_of_block(w3: Web3, wanted: Wanted, block_hash: str) -> list[LogReceipt]:
    """The logs of one block (0x-hex), which a node that lacks it refuses with Web3RPCError. Raises as `pieces`."""
    receipts = _ask(w3, wanted, {"blockHash": block_hash})
    if any(to_hex(log["blockHash"]) != block_hash for log in receipts):
        raise ChainUnfit(f"a log of another block than {block_hash}")
    number = int(receipts[0]["blockNumber"]) if receipts else 0
    _check(wanted, receipts, number, number)
    return receipts


def _piece(w3: Web3, wanted: Wanted, pace: LogPace, start: int, count: int) -> Piece:
    """From block `start` on: `count` blocks, or as many fewer as the node gives."""
    span = pace.span
    while True:
        end = start + count - 1
        try:
            receipts = _ask(w3, wanted, {"fromBlock": start, "toBlock": end})
        except (RequestException, Web3Exception) as error:
            refusal = _of_range(w3, error)
            if count == 1:
                pace.span = span  # narrowing was of no use: it was not the range that the node minded
                raise LogsRefused(f"the chain node refuses the logs of block {start}: {words_of(error)}") from error
            count = pace.refused(count, refusal is Refusal.SLOW)
            continue
        _check(wanted, receipts, start, end)
        pace.given(count, len(receipts))
        return Piece(end, receipts)


def _of_range(w3: Web3, error: Exception) -> Refusal:
    """WIDE or SLOW; `error` itself is raised where a narrower range would not be answered either."""
    refusal = refusal_of(error)
    if refusal in (Refusal.WEATHER, Refusal.OTHER) or (refusal is Refusal.SLOW and not _answers(w3)):
        raise error
    return refusal


def _ask(w3: Web3, wanted: Wanted, where: Mapping[str, Any]) -> list[LogReceipt]:
    query = cast(FilterParams, {"address": list(wanted.addresses), "topics": list(wanted.topics), **where})
    try:
        receipts = w3.eth.get_logs(query)
        for log in receipts:
            _check_form(log)
        return sorted(receipts, key=_place)
    except (RequestException, Web3Exception):
        raise
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise ChainUnfit(f"a log cannot be read: {type(error).__name__}: {error}") from error


def _answers(w3: Web3) -> bool:
    """Whether the node answers at all: then a range was too much for it, and else the weather is bad."""
    try:
        return int(w3.eth.block_number) >= 0
    except (RequestException, Web3Exception):
        return False


def _check_form(log: LogReceipt) -> None:
    """Raises LookupError, TypeError and ValueError for what is no log of a block."""
    numbers = (log["blockNumber"], log["logIndex"], log["transactionIndex"])
    if not all(type(number) is int and 0 <= number <= MOST_NUMBER for number in numbers):
        raise ValueError("a place that no log has")
    hashes = (log["blockHash"], log["transactionHash"], *log["topics"])
    data = log["data"]
    if not all(isinstance(name, bytes) and len(name) == 32 for name in hashes) or len(log["topics"]) > MOST_TOPICS:
        raise ValueError("hashes of another length")
    if not isinstance(data, bytes) or not isinstance(log["address"], str):
        raise TypeError("an address or data of another kind")


def _check(wanted: Wanted, receipts: list[LogReceipt], first: int, last: int) -> None:
    """Raises ChainUnfit for a log that was not asked for, and for two in one place."""
    for log in receipts:
        block = log["blockNumber"]
        address = log["address"]
        if address not in wanted.addresses or log.get("removed") or not first <= block <= last or not wanted.fits(log):
            raise ChainUnfit(storable(f"a log of block {block} at {address} was not asked for"))
    if any(_place(first_log) == _place(second_log) for first_log, second_log in pairwise(receipts)):
        raise ChainUnfit("two logs stand in one place")


def _place(log: LogReceipt) -> tuple[int, int]:
    return int(log["blockNumber"]), int(log["logIndex"])
