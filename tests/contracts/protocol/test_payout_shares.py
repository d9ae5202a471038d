from __future__ import annotations

from dataclasses import replace

import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import InvalidPayout, InvalidTree
from contracts.ids import as_address
from contracts.merkle.payout_tree import Payout, PayoutTree, check_proof
from contracts.protocol.payout_shares import split
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit
WEIGHTS = st.dictionaries(st.text(max_size=4), st.integers(0, 10**30), min_size=1, max_size=12)


@holds("An epoch pays exactly its emission", by="contracts/protocol/payout_shares.py:split", against=Threat.WRONG_PAY)
@given(st.integers(0, 10**40), WEIGHTS.filter(lambda weights: sum(weights.values()) > 0))
@settings(max_examples=200, deadline=None)
def test_shares_add_up_and_are_within_a_unit_of_the_exact_ones(emission: int, weights: dict[str, int]) -> None:
    shares, total = split(emission, weights), sum(weights.values())
    assert sum(shares.values()) == emission
    assert all(abs(shares[key] * total - emission * weights[key]) < total for key in weights)
    assert all(shares[key] == 0 for key, weight in weights.items() if weight == 0)
    assert split(emission, dict(reversed(weights.items()))) == shares


def test_ties_go_by_key() -> None:
    assert split(2, {"c": 1, "a": 1, "b": 1}) == {"a": 1, "b": 1, "c": 0}


@pytest.mark.parametrize(("emission", "weights"), [(-1, {"a": 1}), (5, {"a": -1, "b": 2}), (5, {"a": 0}), (5, {})])
def test_impossible_split_is_refused(emission: int, weights: dict[str, int]) -> None:
    with pytest.raises(InvalidPayout):
        split(emission, weights)


def payouts(count: int) -> list[Payout]:
    return [Payout(31337, "0x" + "aa" * 20, 1, i, as_address(f"0x{i + 1:040x}"), 0, 10**18 + i) for i in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 16, 33])
def test_every_payee_can_prove_its_line_and_no_other_amount(count: int) -> None:
    lines = payouts(count)
    tree = PayoutTree.of([line.leaf() for line in lines])
    for line in lines:
        proof = tree.proof(line.leaf())
        check_proof(line.leaf(), proof, tree.root)
        with pytest.raises(InvalidTree):
            check_proof(replace(line, amount=line.amount + 1).leaf(), proof, tree.root)


def test_three_leaves_follow_the_array_layout() -> None:
    low, middle, high = sorted(line.leaf() for line in payouts(3))
    # five nodes: leaves at 4, 3, 2; node 1 joins 3 and 4, the root joins 1 and 2
    inner = keccak(min(low, middle) + max(low, middle))
    assert PayoutTree.of([middle, high, low]).root == keccak(min(inner, high) + max(inner, high))


def test_one_payee_twice_is_refused() -> None:
    with pytest.raises(InvalidTree, match="share"):
        PayoutTree.of([payouts(1)[0].leaf()] * 2)


def test_no_payee_is_refused() -> None:
    with pytest.raises(InvalidTree, match="at least one"):
        PayoutTree.of([])
