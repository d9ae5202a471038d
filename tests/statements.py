"""The statements that a piece of work sends to a database, what each reads, and how each would be looked up."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, event

_LOOKS = re.compile(r"\s*(SELECT\b.*\bFROM\b|UPDATE\b|DELETE\b)", re.DOTALL)

BY_INDEX = "SET LOCAL enable_seqscan = off"
"""PostgreSQL reads a table whole as long as it is small: what it does with a large one is asked."""


@dataclass
class Told:
    """Statements that were sent, with their parameters."""

    statements: list[tuple[str, Any]] = field(default_factory=list)

    def looked_up(self) -> list[tuple[str, Any]]:
        """Those that look for rows, each text once."""
        return list({text: (text, given) for text, given in self.statements if _LOOKS.match(text)}.values())


@contextmanager
def told(engine: Engine) -> Iterator[Told]:
    """What goes to a database while the block lasts."""
    found = Told()

    def sent(_connection: Any, _cursor: Any, text: str, given: Any, _context: Any, many: bool) -> None:
        found.statements.append((text, given[0] if many else given))

    event.listen(engine, "before_cursor_execute", sent)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", sent)


@contextmanager
def instructions(engine: Engine) -> Iterator[Callable[[], int]]:
    """How many instructions SQLite's machine has taken so far, while the block lasts: as many on any computer."""
    count = [0]

    def step() -> None:
        count[0] += 1

    def watch(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(step, 1)

    event.listen(engine, "checkout", watch)
    try:
        yield lambda: count[0]
    finally:
        event.remove(engine, "checkout", watch)
        engine.dispose()  # connections that are still watched


def scans(connection: Connection, statement: str, given: Any) -> list[str]:
    """Tables that a statement reads from one end to the other, whatever it looks for."""
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
        return [found for row in plan if (found := _scanned(str(row[-1])))]
    connection.exec_driver_sql(BY_INDEX)
    (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", given).one()
    return [node["Relation Name"] for node in _nodes(plan[0]["Plan"]) if _reads_all(node)]


def _scanned(line: str) -> str | None:
    """SCAN is all of it; over an index that has open rows alone it is all that is open."""
    found = re.fullmatch(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", line.strip())
    if found is None or (found[2] or "").endswith(("_open", "_unweighed")):
        return None
    return found[1]


def _reads_all(node: dict[str, Any]) -> bool:
    if node["Node Type"] == "Seq Scan":
        return True
    if not node["Node Type"].startswith("Index") or node["Index Name"].endswith(("_open", "_unweighed")):
        return False
    return "Index Cond" not in node and "Filter" in node


def rows_read(connection: Connection, statement: str, given: Any) -> int:
    """Rows of tables that PostgreSQL looks at for a SELECT, whether they are what is asked for or not."""
    connection.exec_driver_sql(BY_INDEX)
    (plan,) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given).one()
    leaves = [node for node in _nodes(plan[0]["Plan"]) if "Relation Name" in node or "Index Name" in node]
    return sum(round((node["Actual Rows"] + _removed(node)) * node["Actual Loops"]) for node in leaves)


def _removed(node: dict[str, Any]) -> float:
    names = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(float(node.get(name, 0)) for name in names)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)
