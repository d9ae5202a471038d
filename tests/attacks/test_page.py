"""docs/attacks.md says what the catalogue and the simulator say, and nothing of cheats that are not in them."""

from __future__ import annotations

import json
import re

import pytest

from contracts.protocol.judge.facts import Reason
from contracts.protocol.judge.state import Stage
from tests.adversary.mutants import MUTANTS
from tests.adversary.sim.strategies import STRATEGIES
from tests.adversary.test_service import SEEDS
from tests.attacks.page import ROOT, exists, lines, named, rows
from trainer.cheats.catalogue import CHEATS, CODES, GROUPS

pytestmark = pytest.mark.unit
MEASURED = "How far each is from honest work"
SERVICE = "tests/adversary/test_service.py:test_the_service_does_what_the_simulator_does"


@pytest.mark.parametrize("title", GROUPS)
def test_each_group_has_a_table_with_exactly_its_cheats(title: str) -> None:
    assert lines(title) == [cheat.row() for cheat in GROUPS[title]]


def test_every_outcome_is_a_reason_an_end_or_a_code() -> None:
    codes = set(re.findall(r"^\| `([a-z-]+)` ", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE))
    assert codes >= CODES
    for cheat in CHEATS.values():
        assert cheat.outcome in {*Reason, Stage.OUT, *CODES}, cheat.name
        assert set(re.findall(r"J\d+", cheat.stopped_by)) <= rules_of_the_judge(), cheat.name
        assert cheat.stopped_by.startswith("J"), cheat.name


def test_the_measured_table_has_each_cheat_that_a_replay_detects() -> None:
    found = json.loads((ROOT / "benchmarks" / "results" / "cheats.json").read_text())["default"]["cheats"]
    measured = {(line["cheat"], line["steps"]): line["update"] for line in found}
    shown = {row.split("`")[1]: row.split("|")[2:5] for row in lines(MEASURED)}
    assert set(shown) == {name for name, _ in measured}
    assert {name for name, cheat in CHEATS.items() if cheat.seen_by_replay} - set(shown) == {"copied-trajectory"}
    for name, cells in shown.items():
        for steps, cell in zip((1, 4, 10), cells, strict=True):
            assert float(cell) == pytest.approx(measured[name, steps], rel=0.06), (name, steps)


def rules_of_the_judge() -> set[str]:
    """All that docs/judge.md names."""
    return set(re.findall(r"\bJ\d+\b", (ROOT / "docs" / "judge.md").read_text()))


def test_every_strategy_has_its_row() -> None:
    assert [row["strategy"].strip("`") for row in rows("Strategies")] == list(STRATEGIES)


def test_a_strategys_rules_and_invariants_match_the_mutants() -> None:
    """A machine without the rule breaks the invariant."""
    held = {mutant.rule for mutant in MUTANTS.values()}
    for row in rows("Strategies"):
        name, said, breaks = row["strategy"].strip("`"), set(row["rule"].split(", ")), row["invariant"].split(", ")
        shown = [mutant for mutant in MUTANTS.values() if name in mutant.strategies]
        assert said <= rules_of_the_judge(), name
        assert all(re.fullmatch(r"I[1-9]", found) for found in breaks), name
        if shown:
            assert said & held <= {mutant.rule for mutant in shown}, name
            assert set(breaks) <= {found for mutant in shown for found in mutant.breaks}, name


def test_a_strategy_that_the_service_plays_says_so() -> None:
    for row in rows("Strategies"):
        assert (SERVICE in named(row["test"])) == (row["strategy"].strip("`") in SEEDS), row["strategy"]


@pytest.mark.parametrize(
    ("title", "column"),
    [
        ("Strategies", "test"),
        ("On the chain", "held by"),
        ("What fresh eyes found on the contracts and the relayer", "held by"),
    ],
)
def test_every_row_names_a_test_that_exists(title: str, column: str) -> None:
    for row in rows(title):
        assert all(row.values()), row
        assert named(row[column]), row
        assert all(exists(test) for test in named(row[column])), row
