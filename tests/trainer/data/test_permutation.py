from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.permutation import Permutation

pytestmark = pytest.mark.unit


@given(size=st.integers(1, 3000), key=st.binary(max_size=40))
def test_every_number_comes_once(size: int, key: bytes) -> None:
    found = Permutation(key, size)(np.arange(size))
    assert np.array_equal(np.sort(found), np.arange(size))


@given(size=st.integers(2, 2**60), place=st.integers(0, 2**60))
def test_a_place_does_not_depend_on_what_is_asked_with_it(size: int, place: int) -> None:
    permutation, place = Permutation(b"key", size), place % size
    alone = permutation(np.array([place]))
    assert 0 <= alone[0] < size
    assert alone[0] == permutation(np.array([size - 1, place, 0]))[1]


def test_keys_give_other_orders_and_no_order_is_the_plain_one() -> None:
    orders = [Permutation(bytes([key]), 1000)(np.arange(1000)) for key in range(20)]
    assert len({order.tobytes() for order in orders}) == 20
    for order in orders:
        assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.15


def test_neighbours_are_torn_apart_evenly() -> None:
    """Each tenth of the places gets about a tenth of each tenth of the numbers."""
    found = Permutation(b"even", 10_000)(np.arange(10_000))
    table = np.histogram2d(np.arange(10_000), found, bins=10)[0]
    assert table.min() > 60
    assert table.max() < 140
