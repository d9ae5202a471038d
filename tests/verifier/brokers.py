"""Real brokers for the tests: Redis and RabbitMQ from the system's packages, on free loopback ports in a folder.

Where a server is not installed its tests are skipped by name; COMMONWEIGHT_REQUIRE_BROKERS=1 makes that a failure.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
from kombu import Connection

START_SECONDS = 120.0
# Debian's rabbitmq-server on the path insists on its own user; the script that it wraps runs as anybody
SEARCH = os.pathsep.join(("/usr/lib/rabbitmq/bin", os.environ.get("PATH", os.defpath), "/usr/sbin"))


@contextmanager
def no_server(_folder: Path) -> Iterator[str]:
    """The folder broker: an empty address."""
    yield ""


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis that keeps nothing on disk, as it comes without AOF."""
    port = free_port()
    with running(redis_command(port, folder), folder, f"redis://127.0.0.1:{port}/0") as address:
        yield address


def redis_command(port: int, folder: Path) -> list[str]:
    """How that Redis is started."""
    options = f"--port {port} --bind 127.0.0.1 --save '' --appendonly no --dir {folder}"
    return [need("redis-server"), *options.replace("''", "").split(" ")]


@contextmanager
def rabbitmq_server(folder: Path) -> Iterator[str]:
    """A RabbitMQ node with an Erlang port mapper of its own, so that nothing stays behind."""
    server, mapper = need("rabbitmq-server"), need("epmd")
    port, mapper_port = free_port(), free_port()
    (folder / "empty.conf").touch()
    environment = {
        "HOME": folder,
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": free_port(),
        "RABBITMQ_MNESIA_BASE": folder / "mnesia",
        "RABBITMQ_LOG_BASE": folder / "log",
        "RABBITMQ_CONF_ENV_FILE": folder / "empty.conf",
        "RABBITMQ_CONFIG_FILE": folder / "empty.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
        "RABBITMQ_PID_FILE": folder / "pid",
        "ERL_EPMD_PORT": mapper_port,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
    }
    plain = {name: str(value) for name, value in environment.items()}
    mapping = subprocess.Popen([mapper, "-port", str(mapper_port), "-address", "127.0.0.1"], start_new_session=True)
    try:
        with running([server], folder, f"amqp://guest:guest@127.0.0.1:{port}//", plain) as address:
            yield address
    finally:
        stop(mapping)


BROKERS: Mapping[str, Callable[[Path], AbstractContextManager[str]]] = {
    "folder": no_server,
    "redis": redis_server,
    "rabbitmq": rabbitmq_server,
}


def need(program: str) -> str:
    """Where a program is; skips the test by its name, or fails where brokers are required."""
    found = shutil.which(program, path=SEARCH)
    if found is not None:
        return found
    if os.environ.get("COMMONWEIGHT_REQUIRE_BROKERS") == "1":
        pytest.fail(f"needs {program}")
    pytest.skip(f"needs {program}")


@contextmanager
def running(
    command: list[str], folder: Path, address: str, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A server process until it answers at the address, and until the end of the block."""
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | dict(environment or {}),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        await_answer(process, address, folder / "server.log")
        yield address
    finally:
        stop(process)


def await_answer(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Until the server takes connections; fails with the end of its log."""
    end = time.monotonic() + START_SECONDS
    while not _answers(address):
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"{process.args!r} does not answer:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and what it started; nothing that it holds is wanted."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(address: str) -> bool:
    connection = Connection(address, connect_timeout=2)
    try:
        connection.connect()
        connection.default_channel.queue_declare("probe", durable=False, auto_delete=True)
    except Exception:
        return False
    finally:
        with suppress(Exception):
            connection.release()
    return True
