"""The head follower: blocks after the cursor, followed by hash and parent, and undone after a reorg by walking back.

    cursor ── a ── b ── c          tracked: a, b, c
               └── x ── y ── z     the head is z: walk its parents to `a`, a tracked block; b and c go, x, y and z come

The events that are read here are shown as mined and have no effect. ledger/chainread/indexer.py applies them when they
are final.
"""

from __future__ import annotations

from collections.abc import Set
from typing import cast

from eth_typing import BlockIdentifier
from sqlmodel import Session, col, delete, select
from web3.exceptions import BlockNotFound, Web3RPCError

from contracts.ids import to_hex
from contracts.wire.states import MintState
from ledger.books import payouts
from ledger.chainread import indexer
from ledger.context import Ledger
from ledger.crash_points import reach
from ledger.errors import FinalityViolated
from ledger.storage.tables import FINAL, ChainEvent, Cursor, Header, PendingEvent, Transfer

WINDOW = 1_000
"""Blocks beyond which the head is not followed: an indexer so far behind reads by range first."""


def track(ledger: Ledger) -> None:
    """Follow the chain's head. Raises FinalityViolated if it does not descend from the cursor."""
    with ledger.store.read() as session:
        cursor = session.get(Cursor, FINAL)
        tracked = {row.number: row for row in session.exec(select(Header))}
    if cursor is None:
        return
    head = _block(ledger, "latest")
    if head is None or not cursor.block <= head.number <= cursor.block + WINDOW:
        return
    fresh = _walk(ledger, cursor, tracked, head)
    if fresh is None:
        return
    ancestor = fresh[0].number - 1 if fresh else head.number
    if not fresh and ancestor >= max(tracked, default=ancestor):
        return
    events = _events(ledger, fresh)
    if events is not None:
        reach("indexer.tracking")
        _write(ledger, cursor, tracked, ancestor, fresh, events)


def mint_state(session: Session, leaf: str, mined_leaves: Set[str] | None = None) -> MintState | None:
    """Whether a leaf's mint is `final`, or `mined` in a block that may still be taken back. None: neither. A caller
    with many leaves reads `mined` once, and gives it as `mined_leaves`."""
    if session.get(Transfer, f"minted:{leaf}") is not None:
        return MintState.FINAL
    return MintState.MINED if leaf in (mined(session) if mined_leaves is None else mined_leaves) else None


def mined(session: Session) -> set[str]:
    """The leaves (0x-hex) whose mints are in blocks that may still be taken back."""
    mints = session.exec(select(PendingEvent).where(PendingEvent.name == "Minted"))
    return {str(event.arguments["receipt"]) for event in mints if payouts.pays_a_line(event)}


def _walk(ledger: Ledger, cursor: Cursor, tracked: dict[int, Header], head: Header) -> list[Header] | None:
    """Blocks after the last one that is tracked, oldest first. None if the chain changed on the way."""
    fresh: list[Header] = []
    block = head
    while block.number > cursor.block and (block.number not in tracked or tracked[block.number].hash != block.hash):
        fresh.append(block)
        parent = _block(ledger, block.parent)
        if parent is None:
            return None
        block = parent
    if block.number == cursor.block and block.hash != cursor.hash:
        raise FinalityViolated(f"the head, block {head.number}, does not descend from block {cursor.block}")
    return fresh[::-1]


def _events(ledger: Ledger, fresh: list[Header]) -> list[ChainEvent] | None:
    """Events by block hash, so that they belong to that block and no other. None if a block is gone."""
    try:
        return [event for block in fresh for event in indexer.read_block(ledger, block.hash)]
    except Web3RPCError:
        return None


def _write(
    ledger: Ledger,
    cursor: Cursor,
    tracked: dict[int, Header],
    ancestor: int,
    fresh: list[Header],
    events: list[ChainEvent],
) -> None:
    rewinds = any(number > ancestor for number in tracked)
    with ledger.store.write(quiet=not events and not rewinds) as session:
        now = session.get(Cursor, FINAL, with_for_update=True)
        current = {row.number: row.hash for row in session.exec(select(Header))}
        if now is None or (now.block, now.hash) != (cursor.block, cursor.hash):
            return  # another indexer was faster
        if current != {number: row.hash for number, row in tracked.items()}:
            return
        session.exec(delete(PendingEvent).where(col(PendingEvent.block) > ancestor))
        session.exec(delete(Header).where(col(Header.number) > ancestor))
        if rewinds:
            reach("indexer.rewound")
        session.add_all(fresh)
        session.add_all(PendingEvent(**event.model_dump()) for event in events)


def _block(ledger: Ledger, which: str) -> Header | None:
    """A block by tag or hash. None if the node has none (any more)."""
    try:
        block = ledger.chain.w3.eth.get_block(cast(BlockIdentifier, which))
    except BlockNotFound:
        return None
    return Header(number=int(block["number"]), hash=to_hex(block["hash"]), parent=to_hex(block["parentHash"]))
