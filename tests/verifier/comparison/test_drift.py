"""What is remembered of a node's residuals: each segment once, and no more names than may come again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verifier.comparison.drift import SEEN, Drift

pytestmark = pytest.mark.unit


def test_a_segment_counts_once_whatever_happened_between(tmp_path: Path) -> None:
    file, gap = tmp_path / "node.json", {"theta.w": np.ones(8)}
    drift = Drift.none()
    assert drift.add_once("1/0", gap)
    drift.save(file)
    again = Drift.load(file)
    assert not again.add_once("1/0", gap)
    assert again.add_once("1/1", gap)
    assert (again.rounds, [path.name for path in tmp_path.iterdir()]) == (2, ["node.json"])


def test_names_of_segments_do_not_grow_with_the_rounds() -> None:
    drift = Drift.none()
    for number in range(SEEN + 5):
        drift.add_once(f"{number}/0", {})
    assert len(drift.seen) == SEEN
    assert not drift.add_once(f"{SEEN + 4}/0", {})
