"""Histories 5000 to 9999 of the adversary break no invariant; the first half is in the module beside."""

from __future__ import annotations

import pytest

from tests.adversary.play import play_seeds

pytestmark = pytest.mark.unit

FIRST, BLOCK, BLOCKS = 5000, 1_000, 5


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_history_breaks_an_invariant(block: int) -> None:
    start = FIRST + block * BLOCK
    played = play_seeds(range(start, start + BLOCK))
    assert played.broken == []
    assert played.histories == BLOCK
