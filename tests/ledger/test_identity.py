"""A database says whose it is: another model's, or this one's on another chain, is refused and stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlmodel import select

from api.app import create_app, open_ledger
from api.settings import ServerSettings
from contracts.chain.deployment import Deployment
from contracts.ids import as_address
from ledger.errors import DatabaseForeign, DatabaseMissing, DatabaseUnusable
from ledger.identity import require_own
from ledger.storage.store import Store
from ledger.storage.tables import IdentityRow
from tests import postgres
from tests.databases import empty_database
from tests.deployed import key_of
from tests.ledger.leaves import append
from tests.ledger.served_run import Served
from tests.ledger.service import rows
from tests.ledger.storage.test_store import only_postgresql

pytestmark = pytest.mark.integration
A, B, C, D, E, F, G, H = (as_address(f"0x{n:040x}") for n in range(8))
PLACE = Deployment(7, 1, "Tiny", "0x" + "aa" * 32, A, B, C, D, E, F, G, H, log="log+key")
OTHERS: dict[str, tuple[Callable[[Deployment], Deployment], str]] = {
    "chain": (lambda d: replace(d, chain_id=8), "is of chain 7, and the deployment is on chain 8"),
    "model": (lambda d: replace(d, model="0x" + "bb" * 32, name="Huge"), "is that of model Tiny .* is of Huge"),
    "distributor": (lambda d: replace(d, distributor=d.token), f"is of the registry {PLACE.verifier_registry}"),
    "log": (lambda d: replace(d, log="other"), "was begun with another deployment file of this model"),
}


def test_an_empty_database_becomes_the_models_once(store: Store) -> None:
    require_own(store, PLACE)
    require_own(store, PLACE, makes=False)
    require_own(store, replace(PLACE, mirrors=("0x1 http://a",)))
    with store.read() as session:
        assert [row.model for row in session.exec(select(IdentityRow))] == [PLACE.model]


@pytest.mark.parametrize("name", OTHERS)
def test_anothers_database_is_refused_and_left_alone(store: Store, name: str) -> None:
    require_own(store, PLACE)
    before = rows(store)
    change, words = OTHERS[name]
    with pytest.raises(DatabaseForeign, match=words) as refusal:
        require_own(store, change(PLACE))
    assert "check --deployment, --folder and --database-url" in refusal.value.detail
    assert rows(store) == before


def test_a_log_that_does_not_say_whose_it_is_is_taken_by_nobody(store: Store) -> None:
    with store.write() as session:
        append(session, "event")
    before = rows(store)
    with pytest.raises(DatabaseForeign, match="does not say whose"):
        require_own(store, PLACE)
    assert rows(store) == before


def test_who_only_reads_begins_no_database(store: Store) -> None:
    with pytest.raises(DatabaseMissing, match="nobody's yet"):
        require_own(store, PLACE, makes=False)
    with store.read() as session:
        assert session.exec(select(IdentityRow)).all() == []


def test_a_server_does_not_start_on_another_models_database(tmp_path: Path, database: str) -> None:
    """It answered with that one's name and the other's runs, and moved its cursor."""
    served, file = Served(), tmp_path / "deployment.json"
    settings = ServerSettings(
        rpc_url="http://127.0.0.1:9",
        deployment=file,
        operator_key=key_of("operator").key.hex(),
        database_url=database,
        blobs=tmp_path / "blobs",
        keeper=False,
    )
    file.write_text(served.deployment.to_json())
    create_app(settings).state.ledger.store.engine.dispose()
    before = rows(Store(database))
    file.write_text(replace(served.deployment, model="0x" + "bb" * 32, name="other").to_json())
    for opening in (create_app, open_ledger):
        with pytest.raises(DatabaseForeign, match="model m "):
            opening(settings)
    assert rows(Store(database)) == before


# -- a database that is not there


@pytest.fixture
def empty(database_kind: str, tmp_path: Path) -> Iterator[str]:
    with empty_database(database_kind, tmp_path) as url:
        yield url


def test_a_database_without_a_table_is_missing_and_stays_empty(empty: str) -> None:
    for _ in range(2):
        with pytest.raises(DatabaseMissing):
            Store(empty, makes=False)


def test_a_missing_file_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing, match=r"there is no .*none\.db: check --folder"):
        Store(f"sqlite:///{tmp_path / 'none.db'}", makes=False)
    assert list(tmp_path.iterdir()) == []


@only_postgresql
def test_a_database_that_the_server_lacks_is_reported_at_once(database: str) -> None:
    url = make_url(database).set(database="nowhere").render_as_string(hide_password=False)
    for makes in (True, False):
        with pytest.raises(DatabaseMissing, match=r'database "nowhere" does not exist: check --database-url'):
            Store(url, makes=makes)


@only_postgresql
def test_a_role_that_the_server_does_not_let_in_is_said_at_once(database: str) -> None:
    with pytest.raises(DatabaseUnusable, match=r'role "stranger" does not exist: check the role'):
        Store(database.replace("//postgres@", "//stranger@"))


@only_postgresql
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_an_encoding_that_holds_no_text_is_named(database: str, encoding: str) -> None:
    name = f"encoded_{encoding.lower()}"
    postgres.administer(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    try:
        with pytest.raises(DatabaseUnusable, match=f"{name} is encoded in {encoding}, and a ledger needs UTF8"):
            Store(postgres.server().set(database=name).render_as_string(hide_password=False))
    finally:
        postgres.administer(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"not a database, but long enough to look at " * 9)
    with pytest.raises(DatabaseUnusable, match=r"file is not a database: check the file's disk"):
        Store(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"not a database")
