from __future__ import annotations

import pytest

from benchmarks import diloco
from benchmarks.diloco import Cell, cells, losses, summary
from trainer.data.text import default_corpus

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("kind", ["diloco", "parallel", "solo"])
def test_a_short_cell_learns(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diloco, "STEPS", 40)
    found = list(losses(Cell(kind, 1 if kind == "solo" else 2, 20, 1), default_corpus(400_000)))
    assert len(found) == 2
    assert found[1] < found[0] < 5.6


def test_the_normal_case_comes_first_and_all_come() -> None:
    every = list(map(str, cells([1, 2], [4, 8])))
    assert every[:2] == ["diloco of 4, H = 500, seed 1", "parallel of 4, seed 1"]
    assert len(set(every)) == len(every) == 2 * 5 + 2 * 2


def test_a_summary_compares_with_as_many_nodes() -> None:
    cell = {
        "diloco of 4, H = 500, seed 1": {"losses": [3.0, 2.0]},
        "diloco of 4, H = 500, seed 2": {"losses": [3.0, 2.2]},
        "parallel of 4, seed 1": {"losses": [2.0]},
        "diloco of 8, H = 500, seed 1": {"losses": [1.0]},
    }
    found = summary(cell, [4, 8])
    assert found["loss"]["diloco of 4, H = 500"] == 2.1
    assert found["to data parallel"] == {"diloco of 4, H = 500": 1.05}
