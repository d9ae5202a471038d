"""Opening a database: from nothing, at the newest revision, from before there were any, and from a newer release."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from ledger.errors import SchemaNewer, SchemaUnknown
from ledger.storage import append_only, schema
from ledger.storage.append_only import grants_for, unguarded, wanted_guards
from ledger.storage.database import connect
from ledger.storage.store import Store
from tests import postgres
from tests.databases import empty_database
from tests.ledger.leaves import append
from tests.ledger.storage.test_store import only_postgresql, sample

pytestmark = pytest.mark.integration
OPEN = "import sys; from ledger.storage.store import Store; Store(sys.argv[1])"


@pytest.fixture
def empty(database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a table."""
    with empty_database(database_kind, tmp_path) as url:
        yield url


def run(url: str, *statements: str) -> None:
    """As a program that is not ours would."""
    engine = connect(url)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()
    engine.dispose()


def tables(url: str) -> set[str]:
    """What there is."""
    engine = connect(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def differences(store: Store) -> list[str]:
    """Between a database and the code."""
    with store.engine.connect() as connection:
        found = schema.differences(connection)
    store.engine.dispose()
    return found


def test_the_migrations_make_what_the_models_say(empty: str) -> None:
    """`make migration` writes the revision that is missing where this fails."""
    store = Store(empty)
    assert schema.current(store.engine) == schema.head() == schema.revision_of(empty)
    assert tables(empty) == {*SQLModel.metadata.tables, "alembic_version"}
    assert differences(store) == []


def test_a_missing_trigger_or_column_is_a_difference(empty: str, database_kind: str) -> None:
    """So that the test above can fail."""
    store = Store(empty)
    trigger = 'transfer_no_INSERT"' if database_kind == "sqlite" else 'transfer_no_truncate" ON transfer'
    run(empty, f'DROP TRIGGER "{trigger}', "ALTER TABLE epoch ADD COLUMN more INTEGER")
    found = differences(store)
    assert len(found) == 2
    assert "'transfer'" in found[1]
    assert "more" in found[0]


def test_processes_that_open_an_empty_database_migrate_it_once(empty: str) -> None:
    """All at once."""
    opening = [
        subprocess.Popen([sys.executable, "-c", OPEN, empty], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate()[1] for process in opening]
    assert [process.returncode for process in opening] == [0, 0, 0], said
    assert differences(Store(empty)) == []


def test_opening_what_is_up_to_date_waits_for_no_writer(database: str) -> None:
    store = Store(database)
    with store.write():
        Store(database, wait=0.1).engine.dispose()
    store.engine.dispose()


def test_a_newer_database_is_refused_and_left_alone(database: str) -> None:
    run(database, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaNewer, match="9999"):
        Store(database)
    assert schema.revision_of(database) == "9999"


def test_a_database_from_before_revisions_is_taken_over(empty: str) -> None:
    """Its rows stay, its triggers are made."""
    cursor, engine = SQLModel.metadata.tables["cursor"], connect(empty)
    SQLModel.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(cursor.insert().values({c.name: sample(c) for c in cursor.columns} | {"block": 7}))
    engine.dispose()
    store = Store(empty)
    with store.engine.connect() as connection:
        assert unguarded(connection, wanted_guards()) == []
        assert connection.execute(text("SELECT block FROM cursor")).scalar_one() == 7
    assert differences(store) == []
    assert schema.revision_of(empty) == schema.head()


@pytest.mark.parametrize(
    "change", ["ALTER TABLE epoch DROP COLUMN ours", "ALTER TABLE epoch ADD COLUMN more INTEGER", "DROP TABLE epoch"]
)
def test_tables_that_are_not_ours_are_refused_and_left_alone(empty: str, change: str) -> None:
    engine = connect(empty)
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    run(empty, change)
    before = tables(empty)
    with pytest.raises(SchemaUnknown):
        Store(empty)
    assert tables(empty) == before
    assert schema.revision_of(empty) is None


def test_a_migration_that_fails_leaves_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both databases take back a table that was made in the transaction."""

    def fail(*_arguments: object) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        for name in ("_sqlite", "_postgres"):
            patched.setattr(append_only, name, fail)
        with pytest.raises(KeyboardInterrupt):
            Store(empty)
    assert tables(empty) == set()
    assert differences(Store(empty)) == []


def test_looking_makes_no_file(tmp_path: Path) -> None:
    assert schema.revision_of(f"sqlite:///{tmp_path / 'none.db'}") is None
    assert list(tmp_path.iterdir()) == []


@only_postgresql
def test_a_role_with_the_grants_can_run_a_ledger_and_no_more(database: str) -> None:
    """It owns no table, so it can neither drop a trigger nor empty what must only grow."""
    role = f"server_{database.rpartition('commonweight_')[2][:8]}"
    run(database, f'CREATE ROLE "{role}" LOGIN', *grants_for(role))
    store = Store(database.replace("//postgres@", f"//{role}@"))
    with store.write() as session:
        append(session, "event")
        session.execute(text("UPDATE lease SET expires = 0"))
    drop = "DROP TRIGGER transfer_append_only ON transfer"
    for forbidden in ("UPDATE transfer SET amount = 0", "TRUNCATE transfer", drop):
        with pytest.raises(Exception, match=r"permission denied|must be owner"), store.write() as session:
            session.execute(text(forbidden))
    store.engine.dispose()
    run(database, f'DROP OWNED BY "{role}"', f'DROP ROLE "{role}"')


@pytest.mark.skipif(postgres.URL_VARIABLE in os.environ, reason="the server is somebody else's")
def test_the_server_of_the_suite_ends_with_it() -> None:
    """Even when that is killed, and its folder goes too."""
    code = "import os, signal; from tests import postgres; print(postgres.server().query['host'], flush=True)"
    killed = [sys.executable, "-c", f"{code}; os.kill(os.getpid(), signal.SIGKILL)"]
    done = subprocess.run(killed, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder, end = Path(done.stdout.strip()), time.monotonic() + 60
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not folder.exists()
