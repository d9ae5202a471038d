"""The relay: what a client sees of each kind of gust, and that nothing stays of it."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from benchmarks.weather.lines.callers import caller
from benchmarks.weather.lines.gusts import WEB, Gust
from benchmarks.weather.lines.relay import Listening, Relay
from benchmarks.weather.lines.sky import Sky

pytestmark = pytest.mark.integration
BODY = b"x" * 5_000
Ask = Callable[..., httpx.Response]


class Echo(BaseHTTPRequestHandler):
    """Answers each request with BODY and what was posted, and counts them."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        Echo.asked += 1
        data = self.rfile.read(int(self.headers["Content-Length"])) + BODY
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Place:
    """A server, a relay before it, and a client whose connection is kept."""

    def __init__(self, client: str = "ada") -> None:
        self.sky, self.groups = Sky(), {"ada": os.getpgid(0)}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.relay = Relay(self.sky, lambda: self.groups)
        self.port = self.relay.listen(Listening("server", ("127.0.0.1", self.server.server_port), client))
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20, trust_env=False)

    def ask(self) -> httpx.Response:
        return self.http.post("/", content=b"hello")

    def blow(self, kind: str, amount: float = 0.0) -> Gust:
        gust = Gust(0.0, 1.0, "ada>server", kind, amount)
        self.relay.begin(gust)
        return gust

    def close(self) -> None:
        self.http.close()
        self.relay.close()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def place() -> Iterator[Place]:
    found = Place()
    yield found
    found.close()


def test_good_weather_changes_nothing(place: Place) -> None:
    assert [place.ask().content for _ in range(3)] == [b"hello" + BODY] * 3


@pytest.mark.parametrize("kind", [kind for kind in WEB if kind[0].isdigit()])
def test_an_answer_of_somebody_in_between(place: Place, kind: str) -> None:
    assert place.ask().status_code == 200
    gust, asked = place.blow(kind, 3.0), Echo.asked
    answer = place.ask()
    assert answer.status_code == int(kind[:3])
    assert b"hello" not in answer.content
    assert ("retry-after" in answer.headers) == (kind in ("503-later", "429"))
    assert answer.headers["content-type"] == ("text/html" if "html" in kind or kind == "504" else "text/plain")
    assert Echo.asked - asked == (kind == "502-late"), "only the late one reaches the server"
    place.sky.end(gust)
    assert place.ask().content == b"hello" + BODY
    assert place.sky.met[kind] == 1


@pytest.mark.parametrize(
    ("kind", "amount", "error"),
    [
        ("refused", 0, httpx.ReadError),
        ("empty", 0, httpx.RemoteProtocolError),
        ("reset", 300, httpx.ReadError),
        ("cut", 300, httpx.RemoteProtocolError),
        ("cut", 0, httpx.RemoteProtocolError),
    ],
)
def test_an_answer_that_breaks_off(place: Place, kind: str, amount: float, error: type[Exception]) -> None:
    assert place.ask().status_code == 200
    gust = place.blow(kind, amount)
    with pytest.raises(error):
        place.ask()
    place.sky.end(gust)
    assert place.ask().content == b"hello" + BODY


@pytest.mark.parametrize("kind", ["slow", "silence", "delay"])
def test_weather_that_holds_up_loses_nothing(place: Place, kind: str) -> None:
    gust = place.blow(kind, 0.3)
    threading.Timer(0.5, place.sky.end, [gust]).start()
    begun = time.monotonic()
    assert place.ask().content == b"hello" + BODY
    assert time.monotonic() - begun > 0.15


def test_an_answer_is_slow_at_the_rate_of_a_bad_line(place: Place) -> None:
    place.blow("slow")
    begun = time.monotonic()
    assert len(place.ask().content) == 5_005
    assert time.monotonic() - begun > 0.2, "23 kB/s"


def test_who_comes_to_a_shared_address_is_told_apart() -> None:
    """A gust over one party's way to a mirror leaves the others alone."""
    place = Place(client="")
    try:
        place.blow("502")
        assert place.ask().status_code == 502
        place.groups = {"ben": os.getpgid(0)}
        with httpx.Client(base_url=place.http.base_url, trust_env=False) as other:
            assert other.post("/", content=b"hello").status_code == 200
    finally:
        place.close()


def test_the_kernel_says_whose_connection_it_is(place: Place) -> None:
    with socket.create_connection(("127.0.0.1", place.port)) as made:
        port = made.getsockname()[1]
        assert caller(port, place.groups) == "ada"
        assert caller(port, {"ada": 1}) == ""
    assert caller(1, place.groups) == ""


def test_a_server_that_is_down_is_a_bad_gateway(place: Place) -> None:
    place.server.shutdown()
    place.server.server_close()
    assert place.ask().status_code == 502


class Plain:
    """A server of bytes that sends back what it gets, behind a relay."""

    def __init__(self, sky: Sky) -> None:
        self.relay = Relay(sky, dict)
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        target = ("127.0.0.1", self._listener.getsockname()[1])
        self.port = self.relay.listen(Listening("database", target, "server", http=False))

    def _serve(self) -> None:
        while True:
            try:
                made, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(made,), daemon=True).start()

    @staticmethod
    def _echo(made: socket.socket) -> None:
        try:
            while data := made.recv(4096):
                made.sendall(data)
        except OSError:
            pass
        made.close()

    def close(self) -> None:
        self.relay.close()
        self._listener.close()


def test_a_line_of_bytes_is_broken_while_it_stands() -> None:
    sky = Sky()
    plain = Plain(sky)
    try:
        with socket.create_connection(("127.0.0.1", plain.port)) as made:
            made.sendall(b"hello")
            assert made.recv(10) == b"hello"
            plain.relay.begin(Gust(0, 1, "server>database", "reset"))
            with pytest.raises(ConnectionResetError):
                made.recv(10)
        sky.begin(cut := Gust(0, 1, "server>database", "cut", 3.0))
        with socket.create_connection(("127.0.0.1", plain.port)) as made:
            sky.end(Gust(0, 1, "server>database", "reset"))
            made.sendall(b"hello")
            assert (made.recv(10), made.recv(10)) == (b"hel", b"")
        sky.end(cut)
    finally:
        plain.close()


def test_requests_in_chunks_are_read_whole(place: Place) -> None:
    from benchmarks.weather.lines.relay import _request

    async def read(data: bytes) -> bytes | None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await _request(reader)

    whole = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert asyncio.run(read(whole + b"GET")) == whole
    assert asyncio.run(read(b"")) is None
    with pytest.raises(EOFError):
        asyncio.run(read(whole[:-4]))
