"""The log against its own tree, and the roots that epochs were signed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from sqlmodel import Session, col, select

from contracts.errors import CommonweightError
from contracts.ids import to_hex
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import node_number
from ledger.books import log
from ledger.errors import NotFound
from ledger.fsck.finding import Finding
from ledger.storage.tables import Epoch, LogEntry, LogNode

BATCH = 2_000
Filing: TypeAlias = Callable[[str, Mapping[str, Any]], str | None]


def check_tree(session: Session, subject_of: Filing) -> Iterator[Finding]:
    """A finding for every leaf that is missing, changed or misfiled, every node that is not its subtree's, and every
    epoch whose root is not the tree's. `subject_of` gives a leaf's subject, from its kind and its body."""
    yield from _check_entries(session, subject_of)
    yield from _check_nodes(session)
    for epoch in session.exec(select(Epoch).order_by(col(Epoch.number))):
        try:
            root = to_hex(log.root(session, epoch.log_size))
        except NotFound as error:
            yield Finding("epoch", str(epoch.number), f"is over entries that are gone: {error.detail}")
            continue
        if root != epoch.log_root:
            yield Finding("epoch", str(epoch.number), f"was signed over log root {epoch.log_root}; the log has {root}")


def _check_entries(session: Session, subject_of: Filing) -> Iterator[Finding]:
    expected = 0
    for entry in session.exec(select(LogEntry).order_by(col(LogEntry.index)).execution_options(yield_per=BATCH)):
        for missing in range(expected, entry.index):
            yield Finding("logentry", str(missing), "is missing")
        expected = entry.index + 1
        try:
            body = json.loads(entry.body)
            subject = subject_of(body["kind"], body)
        except (ValueError, KeyError, TypeError, CommonweightError) as error:
            yield Finding("logentry", str(entry.index), f"is no entry: {error!r}")
            continue
        if subject != entry.subject:
            yield Finding("logentry", str(entry.index), f"is filed under {entry.subject}, and is about {subject}")


def _check_nodes(session: Session) -> Iterator[Finding]:
    """Compare, leaf by leaf, the nodes of every subtree that the leaf completes."""
    stored = iter(session.exec(select(LogNode).order_by(col(LogNode.number)).execution_options(yield_per=BATCH)))
    waiting: list[bytes] = []
    leaves = session.exec(select(LogEntry).order_by(col(LogEntry.index)).execution_options(yield_per=BATCH))
    for index, entry in enumerate(leaves):
        node = SHA256_TREE.leaf_hash(entry.body.encode())
        for level in range(((index + 1) & -(index + 1)).bit_length()):
            if level:
                node = SHA256_TREE.node_hash(waiting.pop(), node)
            yield from _compare(next(stored, None), level, index >> level, node)
        waiting.append(node)
    for extra in stored:
        yield Finding("lognode", str(extra.number), "is over no entry")


def _compare(row: LogNode | None, level: int, index: int, node: bytes) -> Iterator[Finding]:
    number = node_number(level, index)
    if row is not None and (row.number, bytes(row.hash)) == (number, node):
        return
    what = f"and node {number} of its tree part" if level == 0 else f"subtree {index} of level {level} is another"
    if level == 0:
        yield Finding("logentry", str(index), what)
    yield Finding("lognode", str(number if row is None else row.number), f"is not the tree's node {number}")
