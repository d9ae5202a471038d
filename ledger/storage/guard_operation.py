"""`make_append_only(table, keys)` as a step of a migration; autogenerate writes it where a table lacks its triggers."""

from __future__ import annotations

from typing import Any, Literal

from alembic import op
from alembic.autogenerate import comparators, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import UpgradeOps
from alembic.util import DispatchPriority

from ledger.storage.append_only import Keys, guard, unguarded, wanted_guards
from ledger.storage.tables import Units


class GuardOp(MigrateOperation):
    """Make a table append-only; `keys` are its columns that no two rows have alike."""

    def __init__(self, table: str, keys: Keys) -> None:
        self.table = table
        self.keys = keys

    def reverse(self) -> MigrateOperation:
        """Nothing is ever taken back: downgrades are not written."""
        return self

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """As `compare_metadata` reports it."""
        return "guard", self.table


def make_append_only(table: str, keys: Keys) -> None:
    """The function that a migration calls."""
    op.invoke(GuardOp(table, keys))


@Operations.implementation_for(GuardOp)
def _run(operations: Operations, operation: GuardOp) -> None:
    guard(operations.get_bind(), operation.table, operation.keys)


@comparators.dispatch_for("schema", priority=DispatchPriority.LAST)  # after the tables
def _compare(context: AutogenContext, upgrade: UpgradeOps, _schemas: Any) -> None:
    guards = wanted_guards()
    assert context.connection is not None
    upgrade.ops += [GuardOp(table, guards[table]) for table in unguarded(context.connection, guards)]


@renderers.dispatch_for(GuardOp)
def _render(_context: AutogenContext, operation: GuardOp) -> str:
    return f"make_append_only({operation.table!r}, {operation.keys!r})"


def render_type(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Types in a migration: written out, since the code's own may change."""
    if kind == "type" and isinstance(item, Units):
        return f"sa.String({item.digits}).with_variant(sa.Numeric({item.digits}, 0), 'postgresql')"
    if kind == "type" and type(item).__name__ == "AutoString":
        return "sa.String()"
    return False
