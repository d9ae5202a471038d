"""The transparency log: every event is a leaf of an RFC 6962 tree, in the transaction of the event itself."""

from __future__ import annotations

import json
from typing import Any

from sqlmodel import Session, col, func, select

from contracts.messages import TreeHead, to_json
from contracts.positional_tree import SHA256_TREE
from contracts.signing import sign
from ledger.errors import NotFound
from ledger.service import Ledger
from ledger.tables import LogEntry


def append(session: Session, kind: str, **body: Any) -> int:
    """Add a leaf (canonical JSON, UTF-8) and return its index."""
    index = size(session)
    text = json.dumps({"kind": kind, **body}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    session.add(LogEntry(index=index, body=text))
    session.flush()
    return index


def size(session: Session) -> int:
    """Number of leaves."""
    return int(session.exec(select(func.count()).select_from(LogEntry)).one())


def bodies(session: Session, start: int, limit: int) -> list[LogEntry]:
    """Leaves from `start` on."""
    return list(
        session.exec(select(LogEntry).where(col(LogEntry.index) >= start).order_by(col(LogEntry.index)).limit(limit))
    )


def root(session: Session, count: int) -> bytes:
    """Root of the tree of the first `count` leaves."""
    return SHA256_TREE.root(_leaves(session, count))


def inclusion(session: Session, index: int, count: int) -> list[bytes]:
    """Path of leaf `index` in the tree of `count`. Raises InvalidTree and NotFound."""
    return SHA256_TREE.inclusion_proof(_leaves(session, count), index)


def consistency(session: Session, first: int, second: int) -> list[bytes]:
    """Proof that tree `first` is a prefix of tree `second`. Raises InvalidTree and NotFound."""
    return SHA256_TREE.consistency_proof(_leaves(session, second), first)


def head(ledger: Ledger, session: Session) -> dict[str, Any]:
    """The signed tree head of now."""
    count = size(session)
    message = TreeHead(count, root(session, count), ledger.now())
    signature = sign(message, ledger.chain.domain, bytes(ledger.operator.key))
    return {"message": to_json(message), "signature": "0x" + signature.hex()}


def _leaves(session: Session, count: int) -> list[bytes]:
    leaves = [entry.body.encode() for entry in bodies(session, 0, count)]
    if len(leaves) != count:
        raise NotFound(f"the log has {len(leaves)} entries, not {count}")
    return leaves
