"""docs/invariants.md is what the marks on tests make, and each mark names code and tests that exist."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.holds import Threat, holds
from tests.invariants import PAGE, ROOT, invariants, page

pytestmark = pytest.mark.unit


def test_the_page_is_what_the_marks_make() -> None:
    """`python -m tests.invariants` writes it."""
    assert PAGE.read_text() == page()


def test_every_mark_names_code_and_tests_that_exist() -> None:
    for mark in invariants():
        for named in (mark.by, mark.test, mark.also):
            assert not named or _exists(named), f"{mark.statement}: {named}"


def test_every_marked_function_is_run_as_a_test() -> None:
    """A mark on a helper would hold nothing."""
    wrong = [mark for mark in invariants() if not mark.test.rpartition(":")[2].startswith("test_")]
    assert wrong == []


def test_no_mark_is_missed_by_the_page() -> None:
    """All uses of the decorator are read, also those in classes or under another name."""
    files = (ROOT / "tests").rglob("*.py")
    used = sum(len(re.findall(r"^\s*@holds\(", file.read_text(), re.MULTILINE)) for file in files)
    assert used == len(invariants()) > 180


def test_statements_are_whole_sentences_each_made_once() -> None:
    found = Counter(mark.statement for mark in invariants())
    assert [statement for statement, times in found.items() if times > 1] == []
    for statement in found:
        assert re.match(r"[A-Z]|k |viem", statement), statement
        assert not statement.endswith("."), statement


def test_every_threat_has_an_invariant() -> None:
    assert {mark.against for mark in invariants()} == set(Threat)


def test_a_mark_leaves_the_test_as_it_is() -> None:
    def unmarked() -> int:
        return 7

    marked = holds("A mark marks", by="tests/holds.py:holds", against=Threat.CRASH)(unmarked)
    assert marked() == 7
    (mark,) = marked.pytestmark  # type: ignore[attr-defined]
    assert (mark.name, mark.args, mark.kwargs["against"]) == ("holds", ("A mark marks",), Threat.CRASH)


def _exists(named: str) -> bool:
    path, _, name = named.partition(":")
    return (ROOT / path).exists() and name in _names(ROOT / path)


@cache
def _names(file: Path) -> frozenset[str]:
    """Functions of a file, classes, and methods as Class.method; functions of a contract."""
    text = file.read_text()
    if file.suffix == ".sol":
        return frozenset(re.findall(r"\bfunction (\w+)", text))
    found: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{method.name}" for method in node.body if isinstance(method, ast.FunctionDef)}
    return frozenset(found)
