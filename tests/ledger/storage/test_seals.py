"""Every row of a played run carries its seal, and a flipped bit in any column of any sealed table breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import Session, SQLModel, select

from ledger.storage.seals import SealedRow, expected_seal, seal_of
from tests.house import House

pytestmark = pytest.mark.integration


def sealed_tables() -> list[type[SealedRow]]:
    return sorted((t for t in SealedRow.__subclasses__() if hasattr(t, "__table__")), key=lambda t: t.__name__)


def rows(session: Session) -> Iterator[SealedRow]:
    for table in sealed_tables():
        yield from session.exec(select(table))


def flipped(value: Any) -> Any:
    """The value with one bit changed, or the nearest thing to that for its type."""
    if value is None:
        return 0
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:] if value else "\x01"
    return [*value, 0] if isinstance(value, list) else {**value, "\x01": 0}


def test_all_rows_of_a_played_epoch_carry_their_seal(house: House) -> None:
    house.start().play_round()
    house.settle_epoch()
    with house.ledger.store.read() as session:
        found = list(rows(session))
        assert {type(row).__name__ for row in found} >= {
            "Transfer",
            "Resolution",
            "PayoutRow",
            "Epoch",
            "ClosingRow",
            "AnnouncedRow",
            "Cosignature",
            "Outgoing",
            "Attempt",
            "ChainEvent",
            "Cursor",
        }
        assert [row for row in found if row.seal != expected_seal(row)] == []


def test_a_flipped_bit_in_any_column_breaks_the_seal(house: House) -> None:
    house.start().play_round()
    house.settle_epoch()
    with house.ledger.store.read() as session:
        for row in rows(session):
            columns = {name: getattr(row, name) for name in type(row).model_fields}
            for name, value in columns.items():
                if name != "seal":
                    assert seal_of(str(row.__tablename__), columns | {name: flipped(value)}) != row.seal, (row, name)


def test_an_updated_row_is_sealed_anew(house: House) -> None:
    house.start().play_round()
    with house.ledger.store.read() as session:
        before = next(row for row in rows(session) if type(row).__name__ == "Epoch")
    house.settle_epoch()
    with house.ledger.store.read() as session:
        after = next(row for row in rows(session) if type(row).__name__ == "Epoch")
        assert after.seal != before.seal
        assert after.seal == expected_seal(after)


def test_every_table_is_sealed_but_the_log_and_its_documents() -> None:
    """The log is its own seal; fsck holds each document that people read against the log, from which it can be made
    anew at any time. Offers and reports of hosts carry signatures, which readers check."""
    tables = {name for name in SQLModel.metadata.tables if not name.startswith("alembic")}
    assert tables - {str(t.__tablename__) for t in sealed_tables()} == {
        "logentry",
        "lognode",
        "runview",
        "roundview",
        "proofview",
        "nodeview",
        "takenview",
        "creditview",
        "faultview",
        "hostoffer",
        "hostreport",
    }
