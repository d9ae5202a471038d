"""docs/invariants.md, made from the marks on tests: `python -m tests.invariants` writes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.holds import Threat

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "invariants.md"
HEAD = """# Invariants

An invariant is a statement that is always true. Each row names the code that enforces it and a test that fails without
that code. The rows are grouped by threat.

This page is generated from the marks `@holds` on the tests. `python -m tests.invariants` writes it,
and a test compares. `pytest -m holds` runs the tests that are named here.
"""


@dataclass(frozen=True)
class Invariant:
    """One mark: the statement, the code that enforces it, the threat, the marked test and another one (or "").

    Code and tests are written as `path/to/file.py:name`.
    """

    statement: str
    by: str
    against: Threat
    test: str
    also: str

    def row(self) -> str:
        """Its line of the page."""
        tests = ", ".join(f"`{test}`" for test in (self.test, self.also) if test)
        return f"| {self.statement} | `{self.by}` | {tests} |"


def invariants() -> list[Invariant]:
    """All marks, in the order of the code that enforces them."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    found = [mark for file in files for mark in _marks(file)]
    return sorted(found, key=lambda mark: (mark.by, mark.statement))


def page() -> str:
    """The text of the page."""
    found = invariants()
    parts = [HEAD]
    for threat in Threat:
        rows = [mark.row() for mark in found if mark.against is threat]
        parts.append(
            "\n".join([f"## {threat.value}\n", "| invariant | enforced by | held by |", "|---|---|---|", *rows, ""])
        )
    return "\n".join(parts)


def _marks(file: Path) -> Iterator[Invariant]:
    text = file.read_text()
    if "holds(" not in text:
        return
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            test = f"{file.relative_to(ROOT)}:{node.name}"
            yield from (_invariant(mark, test) for mark in node.decorator_list if _is_mark(mark))


def _is_mark(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "holds"


def _invariant(decorator: ast.expr, test: str) -> Invariant:
    call = cast(ast.Call, decorator)
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    threat = Threat[cast(ast.Attribute, named["against"]).attr]
    also = str(ast.literal_eval(named["also"])) if "also" in named else ""
    return Invariant(str(ast.literal_eval(call.args[0])), str(ast.literal_eval(named["by"])), threat, test, also)


if __name__ == "__main__":
    PAGE.write_text(page())
