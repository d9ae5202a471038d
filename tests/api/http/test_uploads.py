"""Uploads that never end: they keep to a few places, to a file and to a rate, and keep nobody's bytes out."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import httpx
import pytest
from blake3 import blake3

from contracts.mirrors import arrival
from contracts.mirrors.slots import OF_KEY
from tests.api.routes.test_blobs import DATA, announce, ticket
from tests.deployed import verifier_keys
from tests.house import House
from tests.verifier.mirror.world import everything, serving

pytestmark = pytest.mark.integration
NAME = blake3(DATA).hexdigest()


@pytest.fixture
def served(house: House) -> Iterator[tuple[House, str]]:
    """A server on a socket; a node has committed to DATA as its gradient."""
    house.start()
    announce(house, DATA)
    with serving(house.client.app) as url:
        yield house, url


def opened(url: str, head: str) -> socket.socket:
    host = httpx.URL(url)
    raw = socket.create_connection((host.host, host.port or 80), timeout=8)
    raw.sendall(f"{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode())
    return raw


def put(url: str, length: int | None = len(DATA), ticket: Mapping[str, str] | None = None) -> socket.socket:
    """A connection that sends the head of an upload, and nothing after it."""
    raw = opened(url, f"PUT /v1/blobs/{NAME}")
    raw.sendall("".join(f"{name}: {text}\r\n" for name, text in (ticket or {}).items()).encode())
    raw.sendall((f"Content-Length: {length}\r\n\r\n" if length is not None else "\r\n").encode())
    return raw


def answered(uploads: list[socket.socket], count: int) -> list[socket.socket]:
    """The connections on which something came, as soon as there are so many."""
    deadline = time.monotonic() + 4
    while len(found := select.select(uploads, [], [], 0.01)[0]) < count:
        assert time.monotonic() < deadline
    return found


def test_uploads_that_never_end_hold_a_few_places_and_nobody_up(served: tuple[House, str]) -> None:
    house, url = served
    slots = house.client.app.state.uploads.slots  # type: ignore[attr-defined]
    with ExitStack() as held:
        uploads = [held.enter_context(put(url, ticket=ticket(house))) for _ in range(12)]
        ended = answered(uploads, 12 - OF_KEY)
        assert all(b" 503 " in answer and b"mirror-busy" in answer for answer in map(everything, ended))
        assert len(slots) == OF_KEY
        assert httpx.put(f"{url}/v1/blobs/{NAME}", content=DATA, headers=ticket(house)).json() == {"blob": NAME}
        assert len(slots) == OF_KEY - 1
    deadline = time.monotonic() + 5
    while len(slots):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_strangers_end_no_upload_and_hold_no_place(served: tuple[House, str]) -> None:
    """Garbage and heads alone, without a ticket and with whatever one can have: the node's own upload goes on."""
    house, url = served
    slots = house.client.app.state.uploads.slots  # type: ignore[attr-defined]
    with put(url, ticket=ticket(house)) as honest, ExitStack() as held:
        honest.sendall(DATA[:1])
        while not len(slots):
            time.sleep(0.01)
        stolen = [
            {},
            ticket(house, receiver=verifier_keys()[0].address),
            ticket(house, until=1),
            ticket(house, blob=b"1" * 32),
        ]
        uploads = [held.enter_context(put(url, ticket=headers)) for headers in stolen * 5]
        assert all(b" 422 " in answer or b" 403 " in answer for answer in map(everything, uploads))
        assert len(slots) == 1
        honest.sendall(DATA[1:])
        assert b" 200 " in everything(honest)


def test_what_is_here_is_answered_before_its_bytes_are_sent(served: tuple[House, str]) -> None:
    house, url = served
    assert httpx.put(f"{url}/v1/blobs/{NAME}", content=DATA, headers=ticket(house)).status_code == 200
    with put(url) as raw:
        assert b" 200 " in everything(raw)


@pytest.mark.parametrize(
    ("length", "status", "code"),
    [
        (None, b" 411 ", b"length-required"),
        (len(DATA) + 1, b" 413 ", b"blob-too-large"),
        (len(DATA) - 1, b" 422 ", b"blob-mismatch"),
    ],
)
def test_a_wrong_length_is_refused_before_a_byte_is_sent(
    served: tuple[House, str], length: int | None, status: bytes, code: bytes
) -> None:
    _, url = served
    with put(url, length) as raw:
        answer = everything(raw)
    assert status in answer
    assert code in answer


@pytest.mark.parametrize("head", [f"PUT /v1/blobs/{NAME}", "POST /v1/messages"])
def test_a_body_that_does_not_come_is_ended(
    served: tuple[House, str], head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "BEGIN_SECONDS", 0.2)
    with opened(served[1], head) as raw:
        raw.sendall("".join(f"{name}: {text}\r\n" for name, text in ticket(served[0]).items()).encode())
        raw.sendall(f"Content-Length: {len(DATA)}\r\n\r\n".encode())
        answer = everything(raw)
    assert b" 408 " in answer
    assert b"slow-peer" in answer
