"""The transparency log: every event is a leaf of an RFC 6962 tree, in the transaction of the event itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, SQLModel, col, func, select

from contracts.messages import TreeHead, to_json
from contracts.positional_tree import SHA256_TREE
from contracts.signing import sign
from contracts.stored_tree import StoredTree, node_count
from ledger.errors import NotFound
from ledger.service import Ledger
from ledger.tables import LogEntry

DECIDING = ("proof-submitted", "proof-posted", "proof-voided", "appeal-decided")
"""Kinds of entries that are found by the proof they are about: what a receipt shows of it."""

# built once, and run past the models: every event of the ledger appends
_ENTRIES, _NODES = SQLModel.metadata.tables["logentry"], SQLModel.metadata.tables["lognode"]
_ADD_ENTRIES, _ADD_NODES = _ENTRIES.insert(), _NODES.insert()
_LAST = select(func.max(_ENTRIES.c.index))
_SOME_NODES = select(_NODES.c.number, _NODES.c.hash).where(_NODES.c.number.in_(bindparam("numbers", expanding=True)))


def append(session: Session, kind: str, **body: Any) -> int:
    """Add a leaf (canonical JSON, UTF-8) and return its index."""
    text = json.dumps({"kind": kind, **body}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return extend(session, [(text, subject_of(kind, body))])


def subject_of(kind: str, body: Mapping[str, Any]) -> str | None:
    """The proof under which an entry is found, for kinds in DECIDING."""
    return str(body["proof"]) if kind in DECIDING else None


def extend(session: Session, leaves: Sequence[tuple[str, str | None]]) -> int:
    """Add leaves (body, subject) and the tree nodes that they complete; returns the index of the first."""
    first = size(session)
    rows = [{"index": i, "body": body, "subject": subject} for i, (body, subject) in enumerate(leaves, start=first)]
    nodes = tree(session).grown(first, [SHA256_TREE.leaf_hash(body.encode()) for body, _ in leaves])
    session.connection().execute(_ADD_ENTRIES, rows)
    numbered = enumerate(nodes, start=node_count(first))
    session.connection().execute(_ADD_NODES, [{"number": number, "hash": node} for number, node in numbered])
    return first


def size(session: Session) -> int:
    """Number of leaves: they are numbered without a gap."""
    last = session.connection().execute(_LAST).scalar_one()
    return 0 if last is None else int(last) + 1


def bodies(session: Session, start: int, limit: int) -> list[LogEntry]:
    """Leaves from `start` on."""
    return list(
        session.exec(select(LogEntry).where(col(LogEntry.index) >= start).order_by(col(LogEntry.index)).limit(limit))
    )


def about(session: Session, proofs: Sequence[str]) -> list[LogEntry]:
    """What was decided about these proofs (0x-hex ids), in order."""
    rows = select(LogEntry).where(col(LogEntry.subject).in_(proofs))
    return list(session.exec(rows.order_by(col(LogEntry.index))))


def root(session: Session, count: int) -> bytes:
    """Root of the tree of the first `count` leaves. Raises NotFound."""
    _require(session, count)
    return tree(session).root(count)


def inclusion(session: Session, index: int, count: int) -> list[bytes]:
    """Path of leaf `index` in the tree of `count`. Raises InvalidTree and NotFound."""
    _require(session, count)
    return tree(session).inclusion_proof(index, count)


def consistency(session: Session, first: int, second: int) -> list[bytes]:
    """Proof that tree `first` is a prefix of tree `second`. Raises InvalidTree and NotFound."""
    _require(session, second)
    return tree(session).consistency_proof(first, second)


def head(ledger: Ledger, session: Session) -> dict[str, Any]:
    """The signed tree head of now."""
    count = size(session)
    message = TreeHead(count, root(session, count), ledger.now())
    signature = sign(message, ledger.chain.domain, bytes(ledger.operator.key))
    return {"message": to_json(message), "signature": "0x" + signature.hex()}


def _require(session: Session, count: int) -> None:
    held = size(session)
    if count > held:
        raise NotFound(f"the log has {held} entries, not {count}")


def tree(session: Session) -> StoredTree:
    """The log's tree, its nodes read when they are asked for."""

    def fetch(numbers: Sequence[int]) -> dict[int, bytes]:
        rows = session.connection().execute(_SOME_NODES, {"numbers": numbers})
        return {number: bytes(node) for number, node in rows}

    return StoredTree(fetch)
