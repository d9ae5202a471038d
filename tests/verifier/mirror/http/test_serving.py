"""Clients of a mirror that are slow, hang up, or hold connections open: each ends, and nobody else waits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from blake3 import blake3

from contracts.ids import as_address
from contracts.mirrors.slots import Slots
from contracts.mirrors.timed_protocol import TimedProtocol
from contracts.tlog.mirror import origin_hash
from tests.holds import Threat, holds
from tests.verifier.mirror.http.test_routes import DATA, NAME, fill
from tests.verifier.mirror.world import NODE, ORIGIN, VERIFIERS, Operator, blob, everything, has, serving, ticket
from verifier.mirror.http import incoming
from verifier.mirror.http.routes import Mirror, mirror_app

pytestmark = pytest.mark.integration


class Hasty(TimedProtocol):
    """Half a second in the place of ten."""

    idle_seconds = 0.5


@pytest.fixture
def hasty(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(incoming, "IDLE_SECONDS", 0.5)
    monkeypatch.setattr("contracts.mirrors.timed_protocol.TICK_SECONDS", 0.2)
    with serving(mirror_app(mirror), Hasty) as url:
        yield "127.0.0.1", int(url.rpartition(":")[2])


def put(name: str, **changes: Any) -> str:
    """The head of an upload of as many bytes as DATA has, under a ticket."""
    headers = "".join(f"{header}: {text}\r\n" for header, text in ticket(name, **changes).items())
    return f"PUT /blobs/{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(DATA)}\r\n{headers}\r\n"


def drips(raw: socket.socket, data: bytes) -> bool:
    """Send a byte now and then; whether all of them were taken."""
    for letter in data:
        try:
            raw.sendall(bytes([letter]))
        except OSError:
            return False
        time.sleep(0.1)
    return True


def test_a_client_that_says_nothing_is_ended(hasty: tuple[str, int]) -> None:
    begun = time.monotonic()
    with socket.create_connection(hasty, timeout=8) as raw:
        assert everything(raw) == b""
    assert time.monotonic() - begun < 5


def test_a_client_that_drips_its_head_is_ended(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=8) as raw:
        assert not drips(raw, b"GET /mirrors HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 100)


@pytest.mark.parametrize("route", ["POST /messages", "POST /add-entries", f"PUT /blobs/{NAME}"])
def test_a_client_that_sends_no_body_is_told_and_ended(hasty: tuple[str, int], mirror: Mirror, route: str) -> None:
    mirror.blobs.announce(blob(DATA))
    with socket.create_connection(hasty, timeout=8) as raw:
        head = put(NAME) if "PUT" in route else f"{route} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
        raw.sendall(f"{head}x".encode())
        answer = everything(raw)
    assert b" 408 " in answer
    assert b"slow-peer" in answer


def test_a_client_that_drips_its_body_is_ended(hasty: tuple[str, int], mirror: Mirror) -> None:
    mirror.blobs.announce(blob(DATA))
    with socket.create_connection(hasty, timeout=8) as raw:
        raw.sendall(put(NAME).encode())
        assert not drips(raw, b"x" * 60)


def test_a_client_that_does_not_read_is_ended(hasty: tuple[str, int], mirror: Mirror) -> None:
    data = bytes(3 * 10**7)
    name = blake3(data).hexdigest()
    mirror.blobs.announce(blob(data))
    with mirror.blobs.receive(name) as receiving:
        receiving.write(data)
        receiving.finish()
    with socket.create_connection(hasty, timeout=8) as raw:
        raw.sendall(f"GET /blobs/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(1.5)
        assert len(everything(raw)) < len(data)


def test_a_client_that_hangs_up_leaves_nothing(client: httpx.Client, mirror: Mirror, tmp_path: Path) -> None:
    mirror.blobs.announce(blob(DATA))
    url = httpx.URL(client.base_url)
    with socket.create_connection((url.host, url.port or 80), timeout=5) as raw:
        raw.sendall(f"{put(NAME)}xx".encode())
        time.sleep(0.2)
    deadline = time.monotonic() + 5
    while any((tmp_path / "blobs" / "coming").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert client.put(f"/blobs/{NAME}", content=DATA, headers=ticket(NAME)).status_code == 200


def test_connections_that_do_nothing_shut_nobody_out(
    hasty: tuple[str, int], mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sends a head, and then nothing. One in the middle of a request that the mirror works for stays."""
    monkeypatch.setattr("contracts.mirrors.crowding.CONNECTIONS", 8)
    working, end = threading.Event(), threading.Event()

    def slow() -> list[str]:
        working.set()
        end.wait(5)
        return []

    mirror.verifiers = slow
    busy = socket.create_connection(hasty, timeout=8)
    busy.sendall(b"GET /mirrors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert working.wait(5)
    head = f"POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len(DATA)}\r\n\r\n"
    crowd = [socket.create_connection(hasty, timeout=8) for _ in range(20)]
    for raw in crowd:
        with suppress(OSError):
            raw.sendall(head.encode())
    url = f"http://{hasty[0]}:{hasty[1]}"
    assert [httpx.get(f"{url}/messages").status_code for _ in range(3)] == [200] * 3
    end.set()
    assert b" 200 " in everything(busy)
    for raw in (busy, *crowd):
        raw.close()


def begin_uploads(client: httpx.Client, head: str, count: int) -> list[socket.socket]:
    """Connections that send this head of an upload, and nothing after it."""
    url, made = httpx.URL(client.base_url), []
    for _ in range(count):
        made.append(socket.create_connection((url.host, url.port or 80), timeout=5))
        made[-1].sendall(head.encode())
    return made


def wait_for(slots: Slots, count: int) -> None:
    deadline = time.monotonic() + 5
    while len(slots) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_slow_uploads_do_not_hold_up_the_others(
    client: httpx.Client, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as are taken wait in the middle of a body: one more takes the place of the slowest."""
    monkeypatch.setattr("contracts.mirrors.slots.YOUNG", 0.0)
    open_ = begin_uploads(client, f"POST /add-entries HTTP/1.1\r\nHost: x\r\nContent-Length: {len(DATA)}\r\n\r\n", 4)
    try:
        wait_for(mirror.uploads, 4)
        assert fill(client, Operator().grow(20)).status_code == 200
        assert b"mirror-busy" in everything(open_[0])
        assert client.post("/messages", content=has(1)).status_code == 200
    finally:
        for raw in open_:
            raw.close()


def test_no_stranger_shuts_a_verifiers_entries_out(
    client: httpx.Client, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers without a key hold what places they have, each as fast as a node: before, they had all of them."""
    monkeypatch.setattr("contracts.mirrors.slots.FAIR_RATE", 0)
    networks = iter(f"192.0.2.{number}" for number in range(100))
    monkeypatch.setattr("verifier.mirror.http.routes.network_of", lambda _host: next(networks))
    head = f"POST /add-entries HTTP/1.1\r\nHost: x\r\nContent-Length: {len(DATA)}\r\n\r\n"
    open_ = begin_uploads(client, head, 20)
    try:
        wait_for(mirror.uploads, 4)
        operator = Operator().grow(20)
        assert fill(client, operator).status_code == 503, "one more stranger"
        log = origin_hash(ORIGIN)
        carried = client.post("/add-entries", content=operator.upload(), headers=ticket(log, by=VERIFIERS[1]))
        assert carried.status_code == 200
        other_receiver = ticket(log, as_address(str(VERIFIERS[2].address)), VERIFIERS[1])
        for bad in (ticket(log, by=NODE), ticket("11" * 32, by=VERIFIERS[1]), other_receiver):
            assert client.post("/add-entries", content=operator.upload(), headers=bad).status_code == 403
    finally:
        for raw in open_:
            raw.close()


@holds(
    "Uploads of strangers do not block a verifier's own downloads",
    by="verifier/mirror/store/blobs.py:BlobStore.receive",
    against=Threat.FLOOD,
)
def test_slow_uploads_keep_no_honest_blob_out(client: httpx.Client, mirror: Mirror) -> None:
    """The node's own, and another key's: each has its few places, and whoever is quicker has one of them."""
    others = [bytes([number]) * len(DATA) for number in range(8)]
    names = [blake3(data).hexdigest() for data in others]
    mirror.blobs.announce(blob(DATA))
    for data in others:
        mirror.blobs.announce(blob(data, as_address(str(VERIFIERS[-1].address))))
    mirror.verifiers = list
    open_ = [raw for name in names for raw in begin_uploads(client, put(name, by=VERIFIERS[-1]), 5)]
    open_ += begin_uploads(client, put(NAME), 5)
    try:
        wait_for(mirror.slots, 8)
        assert client.put(f"/blobs/{NAME}", content=DATA, headers=ticket(NAME)).status_code == 200
        assert len(mirror.slots) <= 8
    finally:
        for raw in open_:
            raw.close()


def test_a_blob_that_is_here_is_answered_before_its_bytes_come(client: httpx.Client, mirror: Mirror) -> None:
    mirror.blobs.announce(blob(DATA))
    assert client.put(f"/blobs/{NAME}", content=DATA, headers=ticket(NAME)).status_code == 200
    (raw,) = begin_uploads(client, put(NAME), 1)
    with raw:
        assert b" 200 " in everything(raw)
