"""docs/attacks.md says what the catalogue says, and nothing of cheats that are not in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.cheats.catalogue import CHEATS, GROUPS

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parent.parent.parent
MEASURED = "How far each is from honest work"


def _rows(title: str) -> list[str]:
    """Lines of the table under a heading, without its two head lines."""
    page = (ROOT / "docs" / "attacks.md").read_text()
    section = page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


@pytest.mark.parametrize("title", GROUPS)
def test_each_group_has_a_table_with_exactly_its_cheats(title: str) -> None:
    assert _rows(title) == [cheat.row() for cheat in GROUPS[title]]


def test_the_measured_table_covers_what_a_replay_sees_with_the_measured_numbers() -> None:
    lines = json.loads((ROOT / "benchmarks" / "results" / "cheats.json").read_text())["default"]["cheats"]
    measured = {(line["cheat"], line["steps"]): line["update"] for line in lines}
    shown = {row.split("`")[1]: row.split("|")[2:5] for row in _rows(MEASURED)}
    assert set(shown) == {name for name, _ in measured}
    assert {name for name, cheat in CHEATS.items() if cheat.seen_by_replay} - set(shown) == {"copied-trajectory"}
    for name, cells in shown.items():
        for steps, cell in zip((1, 4, 10), cells, strict=True):
            assert float(cell) == pytest.approx(measured[name, steps], rel=0.06), (name, steps)
