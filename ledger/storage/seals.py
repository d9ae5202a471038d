"""A seal on every row: a hash over its columns, written with it, so that a bit that flips on a disk is found and named.

Seals find accidents. An operator who can write the database can write a seal as well: against that there are the log,
the chain and `commonweight fsck`, which derives the rows again from both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session as BaseSession
from sqlalchemy.orm import UOWTransaction
from sqlmodel import Field, SQLModel

SEAL_BYTES = 16


class SealedRow(SQLModel):
    """A table whose rows are sealed when they are flushed."""

    seal: str = Field(default="", exclude=True)


def seal_of(table: str, columns: Mapping[str, Any]) -> str:
    """32 hex digits over the table's name and all columns but the seal, as canonical JSON (BLAKE2b, RFC 7693)."""
    body = {name: value for name, value in columns.items() if name != "seal"}
    text = json.dumps([table, body], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=SEAL_BYTES).hexdigest()


def sealed(table: type[SealedRow], columns: Mapping[str, Any]) -> Mapping[str, object]:
    """A new row's columns with their seal, for inserts that go past the models; all columns must be given."""
    return {**columns, "seal": seal_of(str(table.__tablename__), columns)}


def expected_seal(row: SealedRow) -> str:
    """The seal that a row as it stands must carry."""
    return seal_of(str(row.__tablename__), {name: getattr(row, name) for name in type(row).model_fields})


@event.listens_for(BaseSession, "before_flush")
def _seal_changes(session: BaseSession, _context: UOWTransaction, _instances: Any) -> None:
    for row in (*session.new, *session.dirty):
        if isinstance(row, SealedRow):
            row.seal = expected_seal(row)
