"""From the chain only through here: events of final blocks have effects, in order, each event once.

Unconfirmed blocks are followed by hash and parent in ledger/chainread/reorgs.py. When the final block is one of them,
its chain of parents leads to the cursor, and the events that were read there are applied. An indexer that is further
behind reads final blocks one by one by their hash, which a node that lags behind refuses. A query by range gets an
answer from such a node too: it is for blocks so old that no node lacks them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from eth_utils.crypto import keccak
from sqlmodel import Session, col, delete, select
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3RPCError
from web3.types import LogReceipt

from contracts.bindings.governor import description_bytes
from contracts.bindings.verifier_registry import SET_EVENTS
from contracts.chain.connection import contract_at
from contracts.chain.event_table import EventTable
from contracts.chain.presence import require_present
from contracts.evm.log_ranges import Wanted, logs_of_block, pieces
from contracts.ids import Address, from_hex, to_hex
from ledger.books import payouts
from ledger.context import Ledger
from ledger.crash_points import reach
from ledger.errors import FinalityViolated
from ledger.governance import delegations, proposals, votes
from ledger.storage.tables import FINAL, ChainEvent, Cursor, DecisionRow, Header, PendingEvent
from ledger.storage.tables.columns import Document

FOLLOWED: dict[str, tuple[str, ...]] = {
    "ModelToken": ("Minted", "Transfer", delegations.CREDITED),
    "ModelRegistry": ("Decision",),
    "VerifierRegistry": (
        *SET_EVENTS,
        "EpochProposed",
        "EpochChallenged",
        "EpochFinalized",
        "NodeStakeChanged",
    ),
    "ModelGovernor": (*proposals.CREDITED, *votes.CREDITED),
}
BATCH = 500
"""Blocks that one look reads one by one."""
MOST_BLOCKS, MANY = 10_000, 5_000
"""Old blocks that one look reads by range, and events after which it stops: all of them are entered at once."""
OLD = 1_000
"""Blocks behind the final one of which any node that answers has all events."""
logger = logging.getLogger(__name__)


def follow(ledger: Ledger) -> None:
    """Apply the events that became final since the cursor; events and cursor move in one transaction, once.

    Raises FinalityViolated, and applies nothing, if the final chain of now does not continue the one of before.
    """
    final = ledger.chain.w3.eth.get_block("finalized")
    with ledger.store.read() as session:
        cursor = session.get(Cursor, FINAL)
        tracked = session.get(Header, int(final["number"]))
        is_quiet = session.exec(select(PendingEvent.block).limit(1)).first() is None
    if cursor is not None and (cursor.block, cursor.hash) == (int(final["number"]), to_hex(final["hash"])):
        return
    if cursor is not None and not _has_cursor_block(ledger, cursor):
        return
    if cursor is not None and int(final["number"]) <= cursor.block:
        return
    if cursor is not None and tracked is not None and tracked.hash == to_hex(final["hash"]):
        _credit(ledger, cursor, tracked.number, tracked.hash, None, quiet=is_quiet)
        return
    first = cursor.block + 1 if cursor else ledger.chain.first_block
    old = int(final["number"]) - OLD
    if first <= old:
        last = min(old, int(final["number"]), first + MOST_BLOCKS - 1)
        _credit(ledger, cursor, *_range(ledger, cursor, first, last))
    else:
        last = min(int(final["number"]), first + BATCH - 1)
        read_to, last_hash, events = _each(ledger, cursor, first, last)
        if read_to >= first:
            _credit(ledger, cursor, read_to, last_hash, events, quiet=not events and read_to == int(final["number"]))


def read_block(ledger: Ledger, name: str) -> list[ChainEvent]:
    """Events of all followed contracts in the block of this hash, in their order.

    Raises Web3RPCError where the node lacks the block, ChainUnfit and the errors of a failing connection.
    """
    return _events(ledger, logs_of_block(ledger.chain.w3, _wanted(ledger), name))


def read_range(ledger: Ledger, first: int, last: int) -> Iterator[tuple[int, list[ChainEvent]]]:
    """Events of all followed contracts in pieces, each with its last block. Raises ChainUnfit, LogsRefused and the
    errors of a failing connection."""
    for piece in pieces(ledger.chain.w3, _wanted(ledger), first, last):
        yield piece.last, _events(ledger, piece.logs)


def _wanted(ledger: Ledger) -> Wanted:
    """All logs of the followed contracts."""
    return Wanted(tuple(sorted(_tables(ledger))))


def _events(ledger: Ledger, logs: Iterable[LogReceipt]) -> list[ChainEvent]:
    """The events of FOLLOWED alone, and of the registry, which many models share, those of this model."""
    tables = _tables(ledger)
    own = from_hex(ledger.chain.deployment.model)
    events: list[ChainEvent] = []
    for entry in logs:
        contract, table = tables[entry["address"]]
        if (name := table.name_of(entry)) is None:
            continue
        if contract == "ModelRegistry" and bytes(entry["topics"][1]) != own:
            continue
        events.append(
            ChainEvent(
                block=entry["blockNumber"],
                log_index=entry["logIndex"],
                contract=contract,
                name=name,
                transaction=to_hex(entry["transactionHash"]),
                arguments=_arguments(ledger, table, entry),
            )
        )
    return events


def _has_cursor_block(ledger: Ledger, cursor: Cursor) -> bool:
    """Whether the node has the cursor's block; a node that lags behind is waited for. Raises FinalityViolated, and
    ChainOther and ChainWithoutContract where the node is of another chain, or without its state."""
    try:
        now = to_hex(ledger.chain.block_hash(cursor.block))
    except BlockNotFound:
        require_present(ledger.chain.w3, ledger.chain.deployment)
        logger.warning("the chain's node has no block %d, which was final: waiting for it", cursor.block)
        return False
    if now != cursor.hash:
        raise FinalityViolated(f"block {cursor.block} was final as {cursor.hash} and is {now} now")
    return True


def _each(ledger: Ledger, cursor: Cursor | None, first: int, last: int) -> tuple[int, str, list[ChainEvent]]:
    """The last block that was read, its hash, and the events from `first` on, block by block, each by its hash.

    The reading ends where a node lacks a block. Raises FinalityViolated.
    """
    before = cursor.hash if cursor is not None else None
    all_events = list[ChainEvent]()
    for number in range(first, last + 1):
        try:
            block = ledger.chain.w3.eth.get_block(number)
            events = read_block(ledger, to_hex(block["hash"]))
        except (BlockNotFound, Web3RPCError) as error:
            logger.warning("the chain's node did not give block %d, which is final; trying again (%s)", number, error)
            return number - 1, str(before), all_events
        if before is not None and to_hex(block["parentHash"]) != before:
            raise FinalityViolated(f"block {number} does not continue block {number - 1}, which was final as {before}")
        before = to_hex(block["hash"])
        all_events += events
    reach("indexer.read")
    return last, str(before), all_events


def _range(ledger: Ledger, cursor: Cursor | None, first: int, last: int) -> tuple[int, str, list[ChainEvent]]:
    """The last block that was read, `last` or one before it, its hash, and the events from `first` on, if they
    continue the cursor. Raises FinalityViolated."""
    last_hash = to_hex(ledger.chain.block_hash(last))
    parent = to_hex(ledger.chain.w3.eth.get_block(first)["parentHash"])
    read_to = first
    all_events = list[ChainEvent]()
    for end, events in read_range(ledger, first, last):
        read_to = end
        all_events = all_events + events
        if len(all_events) >= MANY:
            break
    if cursor is not None and parent != cursor.hash:
        raise FinalityViolated(f"block {first} does not continue block {cursor.block}, which was final")
    read_hash = to_hex(ledger.chain.block_hash(read_to))
    if to_hex(ledger.chain.block_hash(last)) != last_hash:
        raise FinalityViolated(f"block {last} was final as {last_hash} and was replaced while it was read")
    reach("indexer.read")
    return read_to, read_hash, all_events


def _credit(
    ledger: Ledger,
    cursor: Cursor | None,
    last: int,
    last_hash: str,
    events: list[ChainEvent] | None,
    quiet: bool = False,
) -> None:
    """Apply the events and move the cursor from where it was read, or do nothing: another indexer was faster. Without
    `events` the head follower read them block by block (ledger/chainread/reorgs.py), if it still has this block."""
    with ledger.store.write(quiet) as session:
        if events is None and not _is_tracked(session, last, last_hash):
            return
        if not _move(session, cursor, last, last_hash):
            return
        for event in _tracked(session, last) if events is None else events:
            session.add(event)
            _apply(ledger, session, event)
        for table, number in ((Header, Header.number), (PendingEvent, PendingEvent.block)):
            session.exec(delete(table).where(col(number) <= last))
        reach("indexer.applied")
    reach("indexer.followed")


def _move(session: Session, cursor: Cursor | None, last: int, last_hash: str) -> bool:
    row = session.get(Cursor, FINAL, with_for_update=True)
    if row != cursor:
        return False
    row = row or Cursor(name=FINAL, block=last, hash=last_hash)
    row.block = last
    row.hash = last_hash
    session.add(row)
    session.flush()
    return True


def _is_tracked(session: Session, number: int, name: str) -> bool:
    """Whether the head follower still has this block: another indexer may have followed another branch since."""
    header = session.get(Header, number)
    return header is not None and header.hash == name


def _tracked(session: Session, last: int) -> list[ChainEvent]:
    rows = session.exec(
        select(PendingEvent)
        .where(PendingEvent.block <= last)
        .order_by(col(PendingEvent.block), col(PendingEvent.log_index))
    )
    return [ChainEvent(**row.model_dump()) for row in rows]


def _tables(ledger: Ledger) -> dict[str, tuple[str, EventTable]]:
    """By address: the contract's name, and the table that decodes its logs."""
    deployment = ledger.chain.deployment
    addresses = {
        "ModelToken": deployment.token,
        "ModelRegistry": deployment.model_registry,
        "VerifierRegistry": deployment.verifier_registry,
        "ModelGovernor": deployment.governor,
    }
    return {addresses[name]: (name, _table(ledger.chain.w3, name, addresses[name])) for name in FOLLOWED}


@lru_cache(maxsize=64)
def _table(w3: Web3, name: str, address: Address) -> EventTable:
    return EventTable(contract_at(w3, name, address), FOLLOWED[name])


def _apply(ledger: Ledger, session: Session, event: ChainEvent) -> None:
    if event.name == "Minted" and payouts.pays_a_line(event):
        payouts.record_mint(session, event.arguments["receipt"], ledger.now())
    if event.contract == "ModelGovernor":
        if event.name in votes.CREDITED:
            votes.credit(session, event)
        else:
            proposals.credit(ledger, session, event)
    if event.name == delegations.CREDITED:
        delegations.credit(session, event)
    if event.name == "Decision":
        arguments = event.arguments
        session.add(
            DecisionRow(
                sequence=int(arguments["sequence"]), key=arguments["key"], value=arguments["value"], block=event.block
            )
        )


def _arguments(ledger: Ledger, table: EventTable, entry: LogReceipt) -> Document:
    """The arguments of one log. The hash of a description's bytes, which need be no text, names a proposal; receipts
    belong to their minter, and `ours` are those of the distributor."""
    event = table.decode(entry)
    arguments: Document = _plain(event["args"])
    if event["event"] == "ProposalCreated":
        arguments["descriptionHash"] = to_hex(keccak(description_bytes(bytes(entry["data"]))))
    if event["event"] == "Minted":
        arguments["ours"] = arguments["minter"] == Web3.to_checksum_address(ledger.chain.deployment.distributor)
    return arguments


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return to_hex(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
