"""Payout roots and proofs are those of `@openzeppelin/merkle-tree`, so that any wallet can make its own."""

from __future__ import annotations

import random
from dataclasses import astuple
from typing import Any

import pytest

from contracts.ids import Address, as_address
from contracts.merkle.payout_tree import LEAF_TYPES, Payout, PayoutTree
from tests.cross.node import ask
from tests.holds import Threat, holds

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]


def payouts(count: int) -> list[Payout]:
    """Lines over the whole range of every field; the same at each run."""
    chance = random.Random(count)
    return [
        Payout(
            chain_id=chance.choice((1, 31337, 2**64)),
            distributor=_address(chance),
            epoch=chance.choice((1, 2**64 - 1)),
            index=index,
            account=_address(chance),
            kind=chance.choice((0, 1, 2, 3, 255)),
            amount=chance.choice((0, 1, 10**24, 2**256 - 1)),
        )
        for index in range(count)
    ]


def _address(chance: random.Random) -> Address:
    return as_address(f"0x{chance.getrandbits(160):040x}")


def _by_openzeppelin(lines: list[Payout]) -> dict[str, Any]:
    values = [[value if isinstance(value, str) else str(value) for value in astuple(line)] for line in lines]
    return dict(ask("merkle.js", {"types": LEAF_TYPES, "values": values}))


@holds(
    "An independent implementation computes the same payout root and proofs",
    by="contracts/merkle/payout_tree.py:PayoutTree",
    against=Threat.WRONG_PAY,
)
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 33])
def test_root_leaves_and_proofs_are_theirs(count: int) -> None:
    lines = payouts(count)
    theirs, tree = _by_openzeppelin(lines), PayoutTree.of([line.leaf() for line in lines])
    assert theirs["leaves"] == ["0x" + line.leaf().hex() for line in lines]
    assert theirs["root"] == "0x" + tree.root.hex()
    assert theirs["proofs"] == [["0x" + node.hex() for node in tree.proof(line.leaf())] for line in lines]
