"""Revisions of the database (Alembic): forward only, since a ledger forgets nothing. See ledger/storage/schema.py."""
