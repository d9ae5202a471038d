"""Answers of a chain node that never end, that break the transport's own parsers, and on which somebody hangs up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from requests.exceptions import Timeout

from contracts.chain.connection import connect, hang_up
from contracts.evm import transport
from contracts.evm.errors import ChainUnavailable
from contracts.evm.http import AskLater, OneNode
from tests.contracts.evm.weather import Gust, GustyNode, serving

pytestmark = pytest.mark.integration
HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "a status line": (HEAD[:9], b"x"),
    "headers": (HEAD, b"A: b\r\n"),
    "a body": (HEAD + b"Content-Length: 9999\r\n\r\n", b" "),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}
LENGTH = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{"a"\r\n'
PLACES = {
    "half an address": b"http://[",
    "no UTF-8": b"http://x/\xff\xfe",
    "a long label": b"http://" + b"a" * 70 + b".com/",
    "two dots": b"http://..a/",
    "no port": b"http://x:abc/",
}


@contextmanager
def speaking(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of somebody who takes a request and then speaks."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            speak(connection)

    def listen() -> None:
        while not over.is_set():
            with suppress(OSError):
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        over.set()


def dripping(head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        connection.settimeout(None)
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(0.05)

    return speak


@pytest.mark.parametrize(("head", "drop"), DRIPS.values(), ids=DRIPS)
@pytest.mark.timeout(60)
def test_what_comes_byte_by_byte_ends_in_time(head: bytes, drop: bytes) -> None:
    """Before, each of these held a keeper, or a thread of the server, for ever."""
    with speaking(dripping(head, drop)) as url, pytest.raises(ChainUnavailable, match="does not answer in time"):
        connect(url, timeout=0.4, patience=0.0).eth.block_number  # noqa: B018


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_redirect_to_nowhere_is_weather(place: bytes) -> None:
    """Before, most of these ended a process that was starting, in a stack trace."""
    said = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n"
    with speaking(lambda connection: connection.sendall(said)) as url, pytest.raises(ChainUnavailable):
        connect(url, patience=0.0).eth.block_number  # noqa: B018


def test_a_length_below_zero_is_weather() -> None:
    with speaking(lambda connection: connection.sendall(LENGTH)) as url, pytest.raises(ChainUnavailable):
        connect(url, patience=0.0).eth.block_number  # noqa: B018


def test_an_answer_without_end_is_left_as_a_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_BYTES", 10_000)
    node = GustyNode(lambda _request: None, lambda _request: Gust(200, b" " * 20_000))
    with serving(node) as url, pytest.raises(AskLater) as raised:
        OneNode(url, 30.0).ask("eth_blockNumber", [])  # type: ignore[arg-type]
    assert isinstance(raised.value.cause, Timeout)  # so that logs are asked for in smaller pieces


@pytest.mark.timeout(60)
def test_hanging_up_ends_the_pending_request_and_any_later_one() -> None:
    asked, over = threading.Event(), threading.Event()

    def silent(_connection: socket.socket) -> None:
        asked.set()
        over.wait()

    with speaking(silent) as url:
        w3, failed = connect(url, url, timeout=600.0, patience=600.0), list[Exception]()

        def ask() -> None:
            try:
                w3.eth.block_number  # noqa: B018
            except ChainUnavailable as error:
                failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        asked.wait()
        hang_up(w3, after=0.0)
        asking.join()
        assert failed
        with pytest.raises(ChainUnavailable):
            w3.eth.block_number  # noqa: B018
        over.set()
