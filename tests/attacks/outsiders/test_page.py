"""The page names every way of outsiders, exactly the tests that play them, and which of them are still open."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.adversary.sim.strategies import STRATEGIES
from tests.attacks.page import exists, functions_of, named, rows
from tests.attacks.test_page import rules_of_the_judge

pytestmark = pytest.mark.unit
HERE = Path(__file__).parent
FOLDER = "tests/attacks/outsiders"
TITLE = "Ways of outsiders"
WAYS = {f"F{number}" for number in range(1, 33)} - {"F23"}  # no way has that number
WRITTEN = {
    f"{FOLDER}/{file.name}:{name}": test
    for file in sorted(HERE.glob("test_*.py"))
    if file.name != "test_page.py"
    for name, test in functions_of(file).items()
}


def _open(test: ast.FunctionDef) -> str | None:
    """The way that a test marked `still_open` plays."""
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "still_open":
            return str(ast.literal_eval(mark.args[0])).split(":")[0]
    return None


def test_every_way_has_one_row_and_no_cell_is_empty() -> None:
    ids = [row["id"] for row in rows(TITLE)]
    assert len(ids) == len(set(ids))
    assert {name for name in ids if name.startswith("F")} == WAYS
    for row in rows(TITLE):
        assert all(row.values()), row
        assert row["state"] in ("open", "closed"), row


def test_every_row_names_known_rules_invariants_and_strategies() -> None:
    known = rules_of_the_judge()
    for row in rows(TITLE):
        assert set(row["rule"].split(", ")) <= known, row["id"]
        assert all(re.fullmatch(r"I[1-9]", found) for found in row["invariant"].split(", ")), row["id"]
        assert row["strategy"].strip("`") in STRATEGIES, row["id"]


def test_every_row_names_existing_functions_of_this_folder() -> None:
    for row in rows(TITLE):
        assert named(row["test"]) & set(WRITTEN), row["id"]
        assert all(exists(test) for test in named(row["test"])), row["id"]


def test_every_test_of_this_folder_has_its_row_and_names_it() -> None:
    """A test about a way begins its docstring with the ids of its rows."""
    by_test: dict[str, set[str]] = {}
    for row in rows(TITLE):
        for test in named(row["test"]) & set(WRITTEN):
            by_test.setdefault(test, set()).add(row["id"])
    assert set(by_test) == set(WRITTEN)
    for test, ids in by_test.items():
        said = str(ast.get_docstring(WRITTEN[test])).split(": ")[0]
        assert set(re.findall(r"\b[FX]\d+\b", said)) == ids, test


def test_open_rows_are_those_whose_tests_fail() -> None:
    fail = {test: way for test, node in WRITTEN.items() if (way := _open(node)) is not None}
    found = {row["id"]: named(row["test"]) & set(WRITTEN) for row in rows(TITLE) if row["state"] == "open"}
    assert {test: way for way, tests in found.items() for test in tests} == fail


@pytest.mark.parametrize(
    ("title", "least"),
    [
        ("What fresh eyes found", 23),
        ("What they found in what closed it", 20),
        ("What was found the third time", 13),
        ("What was found the fourth time", 9),
    ],
)
def test_what_fresh_eyes_found_stays_tested(title: str, least: int) -> None:
    found = rows(title)
    assert len(found) >= least
    for row in found:
        assert all(row.values()), row
        assert named(row["test"]), row
        assert all(exists(test) for test in named(row["test"])), row
