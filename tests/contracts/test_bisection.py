from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bisection import Bisection, BisectionOver, segment_bisection

pytestmark = pytest.mark.unit


@given(st.integers(0, 20), st.integers(1, 64), st.data())
def test_the_first_differing_step_is_found_in_log_many_moves(segment: int, steps: int, data: st.DataObject) -> None:
    first_wrong = data.draw(st.integers(segment * steps + 1, (segment + 1) * steps))
    state = segment_bisection(segment, steps)
    promised, moves = state.moves_left(), 0
    while not state.over:
        honest = state.middle.to_bytes(4)
        claimed = honest if state.middle < first_wrong else b"fake"
        state, moves = state.after(claimed, honest), moves + 2
    assert (state.agreed, state.disputed) == (first_wrong - 1, first_wrong)
    assert moves <= promised <= 2 * steps.bit_length()


def test_nothing_is_left_to_move_on_after_the_last_halving() -> None:
    with pytest.raises(BisectionOver):
        _ = Bisection(3, 4).middle
