"""docs/judge.md names every fact, every derived entry and every rule, and says truly which rules have a mutant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.protocol.judge import entries, facts
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.facts import Fact, What
from contracts.protocol.log.leaf import kinds
from tests.adversary.mutants import MUTANTS

pytestmark = pytest.mark.unit

PAGE = (Path(__file__).parents[4] / "docs" / "judge.md").read_text()


def rows(title: str) -> list[list[str]]:
    """Cells of the table under a heading, without its two head lines."""
    section = PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_every_fact_has_a_row() -> None:
    assert [row[0] for row in rows("Facts")] == [kind.__name__ for kind in kinds(facts, Fact).values()]


def test_every_derived_entry_has_a_row() -> None:
    assert [row[0] for row in rows("Derived entries")] == [kind.__name__ for kind in kinds(entries, Derived).values()]


def test_everything_that_is_awaited_has_a_row() -> None:
    assert [row[0] for row in rows("Time-outs")] == list(What)


def test_a_rule_has_a_mutant_exactly_where_the_page_says_so() -> None:
    table = rows("The rules")
    assert {row[0] for row in table if row[4] == "yes"} == {mutant.rule for mutant in MUTANTS.values()}
    assert all(re.fullmatch(r"J\d+", row[0]) for row in table)
