"""Kinds of columns that a ledger's tables are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import JSON, BigInteger, Column, Integer, Numeric, String, TypeDecorator, text
from sqlmodel import Field


class Units(TypeDecorator[int]):
    """uint256: NUMERIC(78,0) on PostgreSQL, a decimal string of 78 digits on SQLite (sorts as a number)."""

    impl = String
    cache_ok = True
    digits = 78

    def load_dialect_impl(self, dialect: Any) -> Any:
        """The column's type on this database."""
        return dialect.type_descriptor(Numeric(self.digits, 0) if dialect.name == "postgresql" else String(self.digits))

    def process_bind_param(self, value: int | None, dialect: Any) -> Any:
        """To the database."""
        if value is None or dialect.name == "postgresql":
            return value
        return f"{value:0{self.digits}d}"

    def process_result_value(self, value: Any, dialect: Any) -> int | None:  # noqa: ARG002 - SQLAlchemy's interface
        """From the database."""
        return None if value is None else int(value)


class Sums(Units):
    """As `Units`, with room for 10^18 of the largest amounts."""

    digits = 96
    cache_ok = True


def units(*default: int | None) -> Any:
    """A column of whole units; one whose default is None may be empty."""
    return Field(*default, sa_column=Column(Units, nullable=default == (None,)))


def sums() -> Any:
    """A column of a sum of many amounts, from 0 on."""
    return Field(0, sa_column=Column(Sums, nullable=False))


def only_where(condition: str) -> Mapping[str, Any]:
    """Options of an index over the few rows that are still open: other rows are not in it, and cost nothing.

    A query has to say the same, as text: a plan may be made before the parameters of a statement are known.
    """
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def large(*default: int | None, **options: Any) -> Any:
    """A whole number of 64 bits: PostgreSQL's INTEGER ends at 2^31, SQLite's does not. `options` as of `Field`."""
    kind = BigInteger().with_variant(Integer, "sqlite")  # BIGINT is no row id there
    named = {"autoincrement": False} if options.get("primary_key") else {}
    return Field(*default, sa_type=kind, sa_column_kwargs=named, **options)


Document: TypeAlias = dict[str, Any]
"""The value of a JSON column: a document for people, or the arguments of an event."""


def document(**options: Any) -> Any:
    """A JSON column. `options` as of `Field`."""
    return Field(sa_column=Column(JSON, nullable=False), **options)
