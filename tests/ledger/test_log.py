"""The transparency log against the positional tree, and canonical leaves."""

from __future__ import annotations

import json

import pytest

from contracts.errors import InvalidTree
from contracts.positional_tree import SHA256_TREE
from ledger import log
from ledger.errors import NotFound
from ledger.store import Store

pytestmark = pytest.mark.unit
SIZE = 13


@pytest.fixture
def filled(store: Store) -> Store:
    with store.write() as session:
        for value in range(SIZE):
            assert log.append(session, "event", value=value, text="é \u2028") == value
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
                SHA256_TREE.check_inclusion(leaves[index], index, size, log.inclusion(session, index, size), root)


def test_every_head_is_a_prefix_of_every_later_one(filled: Store) -> None:
    with filled.read() as session:
        roots = {size: log.root(session, size) for size in range(SIZE + 1)}
        for first in range(1, SIZE + 1):
            for second in range(first, SIZE + 1):
                path = log.consistency(session, first, second)
                SHA256_TREE.check_consistency(first, second, roots[first], roots[second], path)


def test_a_proof_of_one_leaf_does_not_hold_for_another(filled: Store) -> None:
    with filled.read() as session:
        path, root = log.inclusion(session, 4, SIZE), log.root(session, SIZE)
        other = log.bodies(session, 5, 1)[0].body.encode()
    with pytest.raises(InvalidTree):
        SHA256_TREE.check_inclusion(other, 4, SIZE, path, root)


def test_what_is_not_there_cannot_be_proven(filled: Store) -> None:
    with filled.read() as session:
        with pytest.raises(NotFound):
            log.root(session, SIZE + 1)
        with pytest.raises(InvalidTree):
            log.inclusion(session, SIZE, SIZE)
        with pytest.raises(InvalidTree):
            log.consistency(session, 0, SIZE)
