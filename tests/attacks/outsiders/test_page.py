"""The page names every way of outsiders, and exactly the tests that play those that are still open."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
FOLDER = "tests/attacks/outsiders"
WAYS = {f"F{number}" for number in range(1, 33)} - {"F23"}  # no way has that number
Row = dict[str, str]


def rows() -> list[Row]:
    """The table, by its head."""
    section = (ROOT / "docs" / "attacks.md").read_text().split("## Ways of outsiders\n", 1)[1].split("\n## ", 1)[0]
    head, _, *lines = [line for line in section.splitlines() if line.startswith("|")]
    return [dict(zip(_cells(head), _cells(line), strict=True)) for line in lines]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def named(row: Row) -> set[str]:
    """Tests in the last column, as file:name."""
    return set(re.findall(rf"`{FOLDER}/([^`]+:[^`]+)`", row["test"]))


@cache
def written() -> dict[str, str | None]:
    """All tests of the folder as file:name, and the way that one marked `still_open` plays."""
    found: dict[str, str | None] = {}
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{file.name}:{node.name}"] = _way(node)
    return found


def _way(test: ast.FunctionDef) -> str | None:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "still_open":
            return str(ast.literal_eval(mark.args[0])).split(":")[0]
    return None


def test_every_way_has_one_row_and_no_cell_is_empty() -> None:
    ids = [row["id"] for row in rows()]
    assert len(ids) == len(set(ids))
    assert {name for name in ids if name.startswith("F")} == WAYS
    for row in rows():
        assert all(row.values()), row
        assert row["state"] in ("open", "closed"), row


def test_every_named_test_exists() -> None:
    for row in rows():
        assert named(row) <= set(written()), row["id"]
        assert row["state"] == "closed" or named(row), row["id"]
        assert FOLDER in row["test"], row["id"]


def test_open_rows_are_those_with_tests_that_fail_and_name_all() -> None:
    fail = defaultdict(set)
    for test, way in written().items():
        if way is not None:
            fail[way].add(test)
    assert {row["id"]: named(row) for row in rows() if row["state"] == "open"} == fail


def test_every_open_way_is_told_in_its_docstring() -> None:
    for file in sorted(HERE.glob("test_open_*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and (way := _way(node)) is not None:
                assert str(ast.get_docstring(node)).startswith(f"{way}: "), node.name
                assert len(node.name) <= 60, node.name
