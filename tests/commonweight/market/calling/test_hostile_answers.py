"""Answers that are made to hold the renter up, or to fill its memory: whoever cannot be ended goes on being paid."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from commonweight.market.calling import calls as calling
from commonweight.market.calling.allowance import allowed
from commonweight.market.calling.calls import Calls
from commonweight.market.errors import ProviderAway

pytestmark = pytest.mark.integration
LETTERS = 400
"""That a server which drips sends at most: twenty seconds of them."""


@contextmanager
def _answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers each connection so."""

    def serve(one: socket.socket) -> None:
        with one:
            try:
                one.recv(65_536)
                answer(one)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(one,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


class _Dripping:
    """A letter now and then, each in good time."""

    def __init__(self, before: bytes) -> None:
        self.before, self.sent, self.over = before, 0, threading.Event()

    def __call__(self, one: socket.socket) -> None:
        try:
            one.sendall(self.before)
            for _ in range(LETTERS):
                one.sendall(b"x")
                self.sent += 1
                time.sleep(0.05)
        finally:
            self.over.set()


@pytest.mark.parametrize(
    "before",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"'],
    ids=["head", "body"],
)
def test_no_answer_comes_letter_by_letter(before: bytes) -> None:
    """The time of a call is that of its head, too."""
    dripping = _Dripping(before)
    with _answering(dripping) as url, pytest.raises(ProviderAway) as refusal:
        Calls("Slow", url, {}, seconds=3.0).send("PUT", "/rent")
    assert refusal.value.sent
    assert dripping.over.wait(60)
    assert dripping.sent < LETTERS, "whoever asked waited for all of it"


def _packed(encoding: str, body: bytes) -> Callable[[socket.socket], None]:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return lambda one: one.sendall(head.encode() + body)


def test_a_packed_answer_is_read() -> None:
    with _answering(_packed("gzip", gzip.compress(b'{"a": 1}'))) as url:
        assert Calls("Packed", url, {}, seconds=5.0).send("GET", "/") == {"a": 1}


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "br", "deflate"])
def test_no_packed_answer_fills_the_memory(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "MOST_BYTES", 2**16)
    body = gzip.compress(b" " * 2**20 + b"{}")
    twice = gzip.compress(body) if encoding == "gzip, gzip" else body
    with _answering(_packed(encoding, twice)) as url, pytest.raises(ProviderAway, match=r"more than|nobody asked"):
        Calls("Bomb", url, {}, seconds=5.0).send("GET", "/")


def test_pages_without_end_are_bounded_together() -> None:
    """Each of them is small."""
    body = b'{"rows": [' + b"1," * 500 + b"1]}"
    plain = _packed("identity", body)
    with _answering(plain) as url, allowed(60.0, 10 * len(body)):
        calls = Calls("Endless", url, {}, seconds=5.0, budget=1.0)
        for _ in range(10):
            calls.send("GET", "/")
        with pytest.raises(ProviderAway, match="of one question"):
            calls.send("GET", "/")


def test_no_try_begins_when_the_question_has_no_time() -> None:
    asked: list[int] = []

    def busy(one: socket.socket) -> None:
        asked.append(1)
        one.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    with _answering(busy) as url, allowed(0.0), pytest.raises(ProviderAway):
        Calls("Busy", url, {}, seconds=5.0).get("/")
    assert not asked
