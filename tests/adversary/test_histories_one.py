"""Histories 0 to 4999 of the adversary break no invariant; the other half is in the module beside, for two workers."""

from __future__ import annotations

import pytest

from tests.adversary.play import play_seeds

pytestmark = pytest.mark.unit

FIRST, BLOCK, BLOCKS = 0, 1_000, 5


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_history_breaks_an_invariant(block: int) -> None:
    start = FIRST + block * BLOCK
    played = play_seeds(range(start, start + BLOCK))
    assert played.broken == []
    assert played.histories == BLOCK
