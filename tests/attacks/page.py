"""docs/attacks.md as its tests read it: tables by their headings, and the tests that it names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
Row = dict[str, str]


def lines(title: str) -> list[str]:
    """Lines of the table under a heading, without its two head lines."""
    return _table(title)[2:]


def rows(title: str) -> list[Row]:
    """The same, each cell under its head."""
    head, _, *found = _table(title)
    return [dict(zip(_cells(head), _cells(line), strict=True)) for line in found]


def named(cell: str) -> set[str]:
    """The tests that a cell names, as path:name."""
    return set(re.findall(r"`([^`]+\.(?:py|sol):\w+)`", cell))


def exists(test: str) -> bool:
    """Whether there is such a test."""
    path, name = test.rsplit(":", 1)
    file = ROOT / path
    if not file.exists():
        return False
    return name in functions_of(file) if file.suffix == ".py" else f"function {name}(" in file.read_text()


@cache
def functions_of(file: Path) -> dict[str, ast.FunctionDef]:
    """The test functions of a module."""
    body = ast.parse(file.read_text()).body
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def _table(title: str) -> list[str]:
    page = (ROOT / "docs" / "attacks.md").read_text()
    section = page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("|")]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
