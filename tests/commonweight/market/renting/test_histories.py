"""A slice of the random histories of benchmarks/market_budgets.py: never over the budget, nothing left running."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commonweight.market.renting.histories import play
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


@holds(
    "Rented machines cost no more than their budget, whatever is booked ahead or billed late",
    by="commonweight/market/renting/budget.py:is_spent",
    against=Threat.LOST_FUNDS,
)
@pytest.mark.parametrize("seed", range(4))
def test_no_history_spends_more_than_its_budget(tmp_path: Path, seed: int) -> None:
    outcome = play(seed, tmp_path)
    assert outcome.spent <= outcome.budget
    assert (outcome.running, outcome.unfinished) == (0, 0)


def test_histories_rent_machines(tmp_path: Path) -> None:
    """Otherwise nothing was tried."""
    assert sum(play(seed, tmp_path).launches for seed in range(100, 102)) > 4
