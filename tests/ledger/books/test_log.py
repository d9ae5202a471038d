"""The transparency log against the positional tree, and canonical leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymerkle import InmemoryTree
from sqlalchemy import event
from sqlmodel import Session, select

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import node_count
from ledger.books import log
from ledger.errors import NotFound
from ledger.storage.store import Store
from ledger.storage.tables import LogNode
from tests.holds import Threat, holds
from tests.ledger.leaves import append

pytestmark = pytest.mark.integration
SIZE = 13


@pytest.fixture
def filled(store: Store) -> Store:
    with store.write() as session:
        for value in range(SIZE):
            assert append(session, "event", value=value, text="é \u2028") == value
    return store


def test_leaves_are_canonical_json(filled: Store) -> None:
    with filled.read() as session:
        body = log.bodies(session, 3, 1)[0].body
    assert body == '{"kind":"event","text":"é \u2028","value":3}'
    assert json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == body


def test_every_leaf_is_included_in_every_later_head(filled: Store) -> None:
    with filled.read() as session:
        leaves = [entry.body.encode() for entry in log.bodies(session, 0, 100)]
        for size in range(1, SIZE + 1):
            root = log.root(session, size)
            assert root == SHA256_TREE.root(leaves[:size])
            for index in range(size):
                SHA256_TREE.check_inclusion(
                    leaves[index], index, size, log.tree(session).inclusion_proof(index, size), root
                )


@holds("Every head is a prefix of every later head", by="ledger/books/log.py:tree", against=Threat.REWRITTEN_LOG)
def test_every_head_is_a_prefix_of_every_later_one(filled: Store) -> None:
    with filled.read() as session:
        roots = {size: log.root(session, size) for size in range(SIZE + 1)}
        for first in range(1, SIZE + 1):
            for second in range(first, SIZE + 1):
                path = log.tree(session).consistency_proof(first, second)
                SHA256_TREE.check_consistency(first, second, roots[first], roots[second], path)


def test_a_proof_of_one_leaf_does_not_hold_for_another(filled: Store) -> None:
    with filled.read() as session:
        path, root = log.tree(session).inclusion_proof(4, SIZE), log.root(session, SIZE)
        other = log.bodies(session, 5, 1)[0].body.encode()
    with pytest.raises(InvalidTree):
        SHA256_TREE.check_inclusion(other, 4, SIZE, path, root)


def nodes(session: Session) -> list[tuple[int, bytes]]:
    return list(session.exec(select(LogNode.number, LogNode.hash).order_by(LogNode.number)))  # type: ignore[arg-type]


def test_roots_and_paths_are_those_of_pymerkle(filled: Store) -> None:
    theirs = InmemoryTree(algorithm="sha256")
    with filled.read() as session:
        for entry in log.bodies(session, 0, 100):
            theirs.append_entry(entry.body.encode())
        for size in range(1, SIZE + 1):
            assert log.root(session, size) == theirs.get_state(size)
            for index in range(size):
                assert (
                    log.tree(session).inclusion_proof(index, size) == theirs.prove_inclusion(index + 1, size).path[1:]
                )


def test_nodes_are_written_with_their_leaf_and_vanish_with_it(filled: Store) -> None:
    with filled.read() as session:
        before = nodes(session)
    assert [number for number, _ in before] == list(range(node_count(SIZE)))
    with pytest.raises(TypeError, match="not JSON serializable"), filled.write() as session:
        append(session, "event", value=append(session, "event"), text={1, 2})
    with filled.read() as session:
        assert (nodes(session), log.size(session)) == (before, SIZE)


def test_many_at_once_are_one_by_one(filled: Store, tmp_path: Path) -> None:
    with filled.read() as session:
        bodies, single = [(e.body, None) for e in log.bodies(session, 0, 100)], nodes(session)
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    with other.write() as session:
        assert log.extend(session, bodies[:5]) == 0
        assert log.extend(session, bodies[5:]) == 5
    with other.read() as session:
        assert (nodes(session), log.root(session, SIZE)) == (single, SHA256_TREE.root([b.encode() for b, _ in bodies]))


@contextmanager
def statements(store: Store) -> Iterator[list[int]]:
    """How many values each SELECT asked for."""
    asked: list[int] = []

    def note(_c: object, _cursor: object, statement: str, values: tuple[object, ...], *_rest: object) -> None:
        if statement.startswith("SELECT"):
            asked.append(len(values))

    event.listen(store.engine, "before_cursor_execute", note)
    yield asked
    event.remove(store.engine, "before_cursor_execute", note)


@holds(
    "A proof from a log of any size reads a few nodes",
    by="contracts/merkle/stored_tree.py:StoredTree",
    against=Threat.FLOOD,
)
def test_a_proof_from_a_long_log_asks_for_a_few_nodes_at_once(store: Store) -> None:
    """One look at all nodes, at most two for each of the 12 levels of 3,000 leaves; and for a root one at the size."""
    with store.write() as session:
        log.extend(session, [(f'{{"value":{i}}}', None) for i in range(3_000)])
    with store.read() as session:
        tree = log.tree(session)
        for call, looks in (
            (lambda: log.root(session, 2_999), 2),
            (lambda: tree.inclusion_proof(1_234, 2_999), 1),
            (lambda: tree.consistency_proof(1_717, 2_999), 1),
        ):
            with statements(store) as asked:
                call()
            assert len(asked) == looks
            assert max(asked) <= 24


def test_an_append_reads_only_the_nodes_that_it_completes(store: Store) -> None:
    with store.write() as session:
        log.extend(session, [("{}", None)] * 1_023)
        with statements(store) as asked:
            append(session, "event")
            append(session, "event")
    assert asked == [0, 10, 0]  # the size; ten siblings of leaf 1,023; the size again, and nothing for leaf 1,024


def test_what_is_said_about_a_proof_is_found_by_its_id(store: Store) -> None:
    with store.write() as session:
        for kind in ("commitment", "posted"):
            for proof in ("0xaa", "0xbb"):
                append(session, kind, proof=proof)
        append(session, "round-opened", run="0xaa")
    with store.read() as session:
        assert [e.index for e in log.about(session, ["0xaa"])] == [0, 2]
        assert [e.index for e in log.about(session, ["0xbb", "0xaa"])] == [0, 1, 2, 3]
        assert log.about(session, ["0xcc"]) == log.about(session, []) == []


@pytest.mark.parametrize("size", [0, 1])
def test_the_smallest_logs(store: Store, size: int) -> None:
    with store.write() as session:
        for _ in range(size):
            append(session, "event")
    with store.read() as session:
        leaves = [entry.body.encode() for entry in log.bodies(session, 0, 9)]
        assert (log.size(session), log.root(session, size)) == (size, SHA256_TREE.root(leaves))
        calls: tuple[Callable[[], object], ...] = (
            lambda: log.tree(session).inclusion_proof(size, size),
            lambda: log.tree(session).consistency_proof(0, size),
        )
        for call in calls:
            with pytest.raises(InvalidTree):
                call()
        if size:
            assert log.tree(session).inclusion_proof(0, 1) == log.tree(session).consistency_proof(1, 1) == []


def test_what_is_not_there_cannot_be_proven(filled: Store) -> None:
    with filled.read() as session:
        with pytest.raises(NotFound):
            log.root(session, SIZE + 1)
        with pytest.raises(InvalidTree):
            log.tree(session).inclusion_proof(SIZE, SIZE)
        with pytest.raises(InvalidTree):
            log.tree(session).consistency_proof(0, SIZE)
