"""Clients of the server that send a byte and then nothing: each ends, and nobody else waits for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from commonweight.demo.processes import free_port
from commonweight.terminal.lifetime import Stop
from commonweight.terminal.serving import serve_until
from contracts.mirrors import timed_protocol
from contracts.mirrors.timed_protocol import TimedProtocol
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.integration
MANY = 200


@contextmanager
def served(of_address: int = 64) -> Iterator[int]:
    """The port of a server with one route."""
    stop, port = Stop(), free_port()
    app = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("here"))])
    thread = threading.Thread(target=serve_until, args=(stop, app, "127.0.0.1", port, of_address), daemon=True)
    thread.start()
    until(lambda: _answers(port))
    try:
        yield port
    finally:
        stop._set(stop._wake or (lambda: None))
        thread.join(timeout=20)


def _answers(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/").text == "here"
    return False


def crowd(port: int, count: int) -> list[socket.socket]:
    """Connections that send one byte each."""
    made = []
    for _ in range(count):
        made.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        with suppress(OSError):
            made[-1].sendall(b"G")
    return made


def test_many_that_send_one_byte_each_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimedProtocol, "idle_seconds", 1.0)
    monkeypatch.setattr(timed_protocol, "TICK_SECONDS", 0.2)
    with served() as port:
        held = crowd(port, MANY)
        assert _answers(port), "nobody waits for them"
        for one in held:
            one.settimeout(PATIENCE_SECONDS)
            with suppress(ConnectionError):
                assert one.recv(1) == b"", "it is ended, and says nothing"
            one.close()


@pytest.mark.parametrize(("of_address", "kept"), [(5, 5), (0, 12)])
def test_an_address_has_its_part_of_the_connections(
    monkeypatch: pytest.MonkeyPatch, of_address: int, kept: int
) -> None:
    """Behind a proxy on another machine all are one address: 0 lets them be."""
    monkeypatch.setattr(timed_protocol, "network_of", lambda _host: "192.0.2.1")
    monkeypatch.setattr(TimedProtocol, "idle_seconds", 600.0)
    with served(of_address) as port:
        held = crowd(port, 12)
        assert until(lambda: sum(map(_is_open, held)) == kept)
        assert _answers(port), "who asks at once has the place of one that hardly moves"
        for one in held:
            one.close()


def _is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False
