"""The shape of a database: its revision, and how it comes to the newest one. Two processes may open it at once."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlmodel import SQLModel

from ledger.errors import DatabaseMissing, SchemaNewer, SchemaUnknown
from ledger.storage import append_only, guard_operation
from ledger.storage.database import coded, connect

WRITERS_LOCK = 7417
"""The PostgreSQL advisory lock that a writer holds until its transaction ends."""
MIGRATIONS = Path(__file__).parent / "migrations"
_ALEMBIC = threading.Lock()  # its environment is one for the whole process


def config(connection: Connection | None = None) -> Config:
    """The configuration of Alembic's own commands."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def head() -> str:
    """The newest revision that this release knows."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None
    return revision


def revision_of(url: str) -> str | None:
    """The revision of the database at an address; nothing is made there. Raises DatabaseUnreachable."""
    engine = connect(url)
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").is_file():
        return None
    try:
        with coded():
            return current(engine)
    finally:
        engine.dispose()


def made_revision(url: str) -> str | None:
    """As `revision_of`, of a database that is there. Raises DatabaseMissing and DatabaseUnreachable."""
    engine = connect(url)
    try:
        with coded():
            require_made(engine)
            return current(engine)
    finally:
        engine.dispose()


def require_made(engine: Engine) -> None:
    """Raises DatabaseMissing where no ledger was begun: without a file, or a table. Makes neither."""
    name = engine.url.render_as_string()
    if engine.dialect.name == "sqlite":
        file = engine.url.database
        if file not in (None, "", ":memory:") and not Path(str(file)).is_file():
            raise DatabaseMissing(f"there is no {file}: check --folder and --database-url; `serve` makes a database")
        name = str(file)
    if current(engine) is None:
        with engine.connect() as connection:
            empty = not set(inspect(connection).get_table_names()) & set(SQLModel.metadata.tables)
        if empty:
            raise DatabaseMissing(f"{name} is empty: check --folder and --database-url; `serve` makes its tables")


def current(engine: Engine) -> str | None:
    """The revision of a database; None where there is none, or no tables."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> None:
    """Bring a database to the newest revision; one that is there is not locked. Raises SchemaNewer, SchemaUnknown."""
    if current(engine) == head():
        return
    with engine.connect() as connection:
        lock(connection)
        with _ALEMBIC:
            _upgrade(connection)
        connection.commit()


def lock(connection: Connection, beside: str = "") -> None:
    """Begin a transaction beside which no other writes; PostgreSQL evaluates the column `beside` on the way."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("BEGIN IMMEDIATE"))
        return
    columns = ", ".join(filter(None, (f"pg_advisory_xact_lock({WRITERS_LOCK})", beside)))
    connection.execute(text(f"SELECT {columns}"))


def differences(connection: Connection) -> list[str]:
    """Differences between a database and the code, triggers included."""
    context = MigrationContext.configure(connection, opts={"render_item": guard_operation.render_type})
    return [repr(difference) for difference in compare_metadata(context, SQLModel.metadata)]


def _upgrade(connection: Connection) -> None:
    """Upgrade under the lock: another process may have been first."""
    revision = MigrationContext.configure(connection).get_current_revision()
    revisions = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if revision is not None and revision not in revisions:
        raise SchemaNewer(f"the database has revision {revision}, which this release does not know; use the newer one")
    if revision is None and set(inspect(connection).get_table_names()) & set(SQLModel.metadata.tables):
        _adopt(connection)
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    command.upgrade(config(connection), "head")


def _adopt(connection: Connection) -> None:
    """Take over a database that was made before there were revisions, if its tables are those of today."""
    for table, keys in append_only.wanted_guards().items():
        if inspect(connection).has_table(table):
            append_only.guard(connection, table, keys)
    changes = differences(connection)
    if changes:
        raise SchemaUnknown(f"the database has no revision and its tables are not this release's: {changes[0]}")
    command.stamp(config(connection), "head")
