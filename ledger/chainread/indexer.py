"""From the chain only through here: what is final has effects, in order, each event once.

Blocks that are not final yet are followed by hash and parent in ledger/chainread/reorgs.py. When the final block is one
of them, its chain of parents leads to the cursor, and what was read there is credited. An indexer that is further
behind reads final blocks one by one by their hash, which a node that lags behind refuses; by range, where it would
answer with what it has, only blocks so old that no node lacks them.
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
"""Old blocks that one look reads by range, and events after which it reads no further: they are entered at once."""
OLD = 1_000
"""Blocks behind the final one from which a node that answers at all has everything."""
logger = logging.getLogger(__name__)


def follow(ledger: Ledger) -> None:
    """Credit what has become final since the cursor; events and cursor move in one transaction, once.

    Raises FinalityViolated, and credits nothing, if the chain that is final now does not continue the one of before.
    """
    final = ledger.chain.w3.eth.get_block("finalized")
    with ledger.store.read() as session:
        cursor = session.get(Cursor, FINAL)
        tracked = session.get(Header, int(final["number"]))
        rests = session.exec(select(PendingEvent.block).limit(1)).first() is None
    if cursor is not None and (cursor.block, cursor.hash) == (int(final["number"]), to_hex(final["hash"])):
        return
    if cursor is not None and not _is_kept(ledger, cursor):
        return
    if cursor is not None and int(final["number"]) <= cursor.block:
        return
    if cursor is not None and tracked is not None and tracked.hash == to_hex(final["hash"]):
        _credit(ledger, cursor, tracked.number, tracked.hash, None, quiet=rests)
        return
    first = cursor.block + 1 if cursor else ledger.chain.first_block
    old = int(final["number"]) - OLD
    if first <= old:
        last = min(old, int(final["number"]), first + MOST_BLOCKS - 1)
        _credit(ledger, cursor, *_range(ledger, cursor, first, last))
    else:
        last = min(int(final["number"]), first + BATCH - 1)
        read_to, ends, found = _each(ledger, cursor, first, last)
        if read_to >= first:
            _credit(ledger, cursor, read_to, ends, found, quiet=not found and read_to == int(final["number"]))


def read_block(ledger: Ledger, name: str) -> list[ChainEvent]:
    """Events of all followed contracts in the block of this hash, in their order.

    Raises Web3RPCError where the node lacks it, ChainUnfit and what the weather raises.
    """
    return _events(ledger, logs_of_block(ledger.chain.w3, _wanted(ledger), name))


def read_range(ledger: Ledger, first: int, last: int) -> Iterator[tuple[int, list[ChainEvent]]]:
    """Events of all followed contracts in pieces, each with its last block. Raises ChainUnfit, LogsRefused and what
    the weather raises."""
    for piece in pieces(ledger.chain.w3, _wanted(ledger), first, last):
        yield piece.last, _events(ledger, piece.logs)


def _wanted(ledger: Ledger) -> Wanted:
    """Whatever the followed contracts log."""
    return Wanted(tuple(sorted(_tables(ledger))))


def _events(ledger: Ledger, logs: Iterable[LogReceipt]) -> list[ChainEvent]:
    """What they log beside FOLLOWED passes unread, and what the registry, which many share, logs of other models."""
    tables = _tables(ledger)
    own = from_hex(ledger.chain.deployment.model)
    found: list[ChainEvent] = []
    for entry in logs:
        contract, table = tables[entry["address"]]
        if (name := table.name_of(entry)) is None:
            continue
        if contract == "ModelRegistry" and bytes(entry["topics"][1]) != own:
            continue
        found.append(
            ChainEvent(
                block=entry["blockNumber"],
                log_index=entry["logIndex"],
                contract=contract,
                name=name,
                transaction=to_hex(entry["transactionHash"]),
                arguments=_arguments(ledger, table, entry),
            )
        )
    return found


def _is_kept(ledger: Ledger, cursor: Cursor) -> bool:
    """Whether the node has the cursor's block; one that lags behind is waited for. Raises FinalityViolated, and
    ChainOther and ChainWithoutContract where it is another chain, or one without its state."""
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

    It ends where a node lacks a block. Raises FinalityViolated.
    """
    before = cursor.hash if cursor is not None else None
    found = list[ChainEvent]()
    for number in range(first, last + 1):
        try:
            block = ledger.chain.w3.eth.get_block(number)
            events = read_block(ledger, to_hex(block["hash"]))
        except (BlockNotFound, Web3RPCError) as error:
            logger.warning("the chain's node did not give block %d, which is final; trying again (%s)", number, error)
            return number - 1, str(before), found
        if before is not None and to_hex(block["parentHash"]) != before:
            raise FinalityViolated(f"block {number} does not continue block {number - 1}, which was final as {before}")
        before = to_hex(block["hash"])
        found += events
    reach("indexer.read")
    return last, str(before), found


def _range(ledger: Ledger, cursor: Cursor | None, first: int, last: int) -> tuple[int, str, list[ChainEvent]]:
    """The last block that was read, `last` or one before it, its hash, and the events from `first` on, if they
    continue the cursor. Raises FinalityViolated."""
    ends = to_hex(ledger.chain.block_hash(last))
    parent = to_hex(ledger.chain.w3.eth.get_block(first)["parentHash"])
    read_to = first
    found = list[ChainEvent]()
    for end, events in read_range(ledger, first, last):
        read_to = end
        found = found + events
        if len(found) >= MANY:
            break
    if cursor is not None and parent != cursor.hash:
        raise FinalityViolated(f"block {first} does not continue block {cursor.block}, which was final")
    name = to_hex(ledger.chain.block_hash(read_to))
    if to_hex(ledger.chain.block_hash(last)) != ends:
        raise FinalityViolated(f"block {last} was final as {ends} and was replaced while it was read")
    reach("indexer.read")
    return read_to, name, found


def _credit(
    ledger: Ledger, cursor: Cursor | None, last: int, ends: str, found: list[ChainEvent] | None, quiet: bool = False
) -> None:
    """Move the cursor from where it was read, or do nothing: another indexer was faster. Without `found` the events
    are those that were read block by block at the tip (ledger/chainread/reorgs.py), if they still are those of this
    block."""
    with ledger.store.write(quiet) as session:
        if found is None and not _is_tracked(session, last, ends):
            return
        if not _move(session, cursor, last, ends):
            return
        for event in _tracked(session, last) if found is None else found:
            session.add(event)
            _apply(ledger, session, event)
        for kept, number in ((Header, Header.number), (PendingEvent, PendingEvent.block)):
            session.exec(delete(kept).where(col(number) <= last))
        reach("indexer.applied")
    reach("indexer.followed")


def _move(session: Session, cursor: Cursor | None, last: int, ends: str) -> bool:
    row = session.get(Cursor, FINAL, with_for_update=True)
    if row != cursor:
        return False
    row = row or Cursor(name=FINAL, block=last, hash=ends)
    row.block = last
    row.hash = ends
    session.add(row)
    session.flush()
    return True


def _is_tracked(session: Session, number: int, name: str) -> bool:
    """Whether the tip still leads over this block: another indexer may have followed another branch since."""
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
    """Address to the contract's name and what decodes its logs."""
    place = ledger.chain.deployment
    addresses = {
        "ModelToken": place.token,
        "ModelRegistry": place.model_registry,
        "VerifierRegistry": place.verifier_registry,
        "ModelGovernor": place.governor,
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
        said = event.arguments
        session.add(
            DecisionRow(sequence=int(said["sequence"]), key=said["key"], value=said["value"], block=event.block)
        )


def _arguments(ledger: Ledger, table: EventTable, entry: LogReceipt) -> Document:
    """Of one log. A proposal is named by the hash of its description's bytes, which need be no text; receipts belong to
    their minter, and `ours` are those of the distributor."""
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
