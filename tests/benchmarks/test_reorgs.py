"""A slice of the benchmark: reorgs under load, and the bar holds. The whole one: `make bench-reorgs`."""

from __future__ import annotations

import pytest

from benchmarks.reorgs import CLAIMS_PER_REORG, trial
from tests.holds import Threat, holds

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]


@holds(
    "After reorgs the state equals that of a reader of the final chain alone",
    by="ledger/chainread/reorgs.py:track",
    against=Threat.BAD_CHAIN,
)
def test_five_reorgs_end_in_the_state_of_an_indexer_without_them() -> None:
    """`trial` compares events, decisions, transfers and balances, and that every claim was paid once."""
    found = trial(reorgs=5, seed=3)
    assert (found["reorgs"], found["claims"], found["equal"]) == (5, 5 * CLAIMS_PER_REORG, True)
    assert found["states"] == {"final": found["claims"]}
    assert found["rewound"] >= 3
    assert found["events"] > 2 * found["claims"]
