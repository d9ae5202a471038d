"""The transparency log: every event is a leaf of an RFC 6962 tree, in the transaction of the event itself."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam
from sqlmodel import Session, SQLModel, col, func, select

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import StoredTree, node_count
from ledger.errors import NotFound
from ledger.storage.tables import LogEntry

# built once, and run past the models: every event of the ledger appends
_ENTRIES = SQLModel.metadata.tables["logentry"]
_NODES = SQLModel.metadata.tables["lognode"]
_ADD_ENTRIES = _ENTRIES.insert()
_ADD_NODES = _NODES.insert()
_LAST = select(func.max(_ENTRIES.c.index))
_SOME_NODES = select(_NODES.c.number, _NODES.c.hash).where(_NODES.c.number.in_(bindparam("numbers", expanding=True)))


def extend(session: Session, leaves: Sequence[tuple[str, str | None]], first: int | None = None) -> int:
    """Add leaves (body, subject) and the tree nodes that they complete; returns the index of the first.

    A writer that has read the log's size in this transaction gives it as `first`.
    """
    first = size(session) if first is None else first
    rows = [{"index": i, "body": body, "subject": subject} for i, (body, subject) in enumerate(leaves, start=first)]
    nodes = tree(session).grown(first, [SHA256_TREE.leaf_hash(body.encode()) for body, _ in leaves])
    session.connection().execute(_ADD_ENTRIES, rows)
    numbered = enumerate(nodes, start=node_count(first))
    session.connection().execute(_ADD_NODES, [{"number": number, "hash": node} for number, node in numbered])
    return first


class Extension:
    """Leaves that a writer's transaction adds, written many at a time. `first` is the log's size."""

    def __init__(self, session: Session, first: int) -> None:
        self._session = session
        self._next = first
        self._waiting: list[tuple[str, str | None]] = []

    def add(self, leaves: Sequence[tuple[str, str | None]]) -> int:
        """Leaves (body, subject) to be written; returns the index of the first."""
        index = self._next + len(self._waiting)
        self._waiting += leaves
        return index

    def write(self) -> None:
        """Write the waiting leaves; from now on they can be read in this transaction."""
        if not self._waiting:
            return
        extend(self._session, self._waiting, self._next)
        self._next += len(self._waiting)
        self._waiting = []


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
    """Entries about these proofs (0x-hex ids), in order."""
    rows = select(LogEntry).where(col(LogEntry.subject).in_(proofs))
    return list(session.exec(rows.order_by(col(LogEntry.index))))


def root(session: Session, count: int) -> bytes:
    """Root of the tree of the first `count` leaves. Raises NotFound."""
    _require(session, count)
    return tree(session).root(count)


def _require(session: Session, count: int) -> None:
    length = size(session)
    if count > length:
        raise NotFound(f"the log has {length} entries, not {count}")


def tree(session: Session) -> StoredTree:
    """The log's tree, its nodes read when they are asked for."""

    def fetch(numbers: Sequence[int]) -> dict[int, bytes]:
        rows = session.connection().execute(_SOME_NODES, {"numbers": numbers})
        return {number: bytes(node) for number, node in rows}

    return StoredTree(fetch)
