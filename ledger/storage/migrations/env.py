"""Alembic's environment: it runs on the connection, and in the transaction, that ledger/storage/schema.py hands it."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from ledger.storage.guard_operation import render_type

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_item=render_type,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters little in place
)
with context.begin_transaction():
    context.run_migrations()
