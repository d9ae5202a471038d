"""A server is not to be believed: weather is waited out, other bytes are not taken for a blob."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from contracts.wire.network import Network
from tests.verifier.mirror.world import raw_server
from tests.wire import sample
from trainer import client
from trainer.client import OCTETS, ApiClient, ApiProblem, ApiUnreachable, BlobCorrupt, OtherApi

pytestmark = pytest.mark.integration
NETWORK = sample(Network, chain_id=31337)
Answer = bytes | Callable[[socket.socket], None]
Serve = Callable[..., ApiClient]
JSON, PROBLEM, HTML = "application/json", "application/problem+json", "text/html"


def answer(status: int, body: bytes, kind: str = JSON, **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    more += f"Connection: close\r\nContent-Type: {kind}\r\n"
    head = f"HTTP/1.1 {status} X\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def problem(status: int, code: str, kind: str = PROBLEM) -> bytes:
    return answer(status, json.dumps({"code": code, "detail": "why"}).encode(), kind)


def reset(connection: socket.socket) -> None:
    """The other side hangs up in the middle, without a word."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def cut(connection: socket.socket) -> None:
    """An answer that is shorter than it says."""
    connection.sendall(answer(200, b'{"size": 7}')[:-4])


GOOD = answer(200, b"7")
STORMS: dict[str, Answer] = {
    "502 with a page": answer(502, b"<html>Bad Gateway</html>", HTML),
    "504": answer(504, b"", HTML),
    "503 of ours": problem(503, "chain-unavailable"),
    "500 of ours": problem(500, "internal-error"),
    "429 of a proxy": answer(429, b"slow down", "text/plain", Retry_After="0"),
    "408 of ours": problem(408, "slow-peer"),
    "a page": answer(200, b"<html>sign in</html>", HTML),
    "a login": answer(302, b"", HTML, Location="https://login.example/"),
    "404 of a proxy": answer(404, b"<html>", HTML),
    "a code of another API": problem(403, "rate-limited"),
    "our code, another type": problem(409, "vote-closed", JSON),
    "nothing": lambda connection: connection.close(),
    "a reset": reset,
    "a cut": cut,
    "packed twice": answer(200, gzip.compress(gzip.compress(b"8")), Content_Encoding="gzip, gzip"),
    "depth": answer(200, b"[" * 200_000),
}


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT", 0.003)
    monkeypatch.setattr(client, "_backoff", lambda _state: 0.001)


def take_body(connection: socket.socket, request: bytes) -> None:
    """All of a request: a connection that ends with bytes unread is reset, and its answer may be lost with it."""
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *([0-9]+)", head, re.IGNORECASE)
    while length is not None and len(body) < int(length[1]):
        part = connection.recv(65_536)
        if not part:
            return
        body += part


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that is honest about its network and then answers in turn, the last one for ever."""
    open_servers: list[Callable[[], object]] = []

    def make(*answers: Answer, patience: float = 20.0, cache: Path | None = None) -> ApiClient:
        left, said = list(answers), list[str]()

        def speak(connection: socket.socket, head: bytes) -> None:
            if b"/v1/network " in head.split(b"\r\n")[0]:
                connection.sendall(answer(200, json.dumps(NETWORK).encode()))
                return
            take_body(connection, head)
            now = left.pop(0) if len(left) > 1 else left[0]
            connection.sendall(now) if isinstance(now, bytes) else now(connection)

        server = raw_server(speak)
        made = ApiClient(server.__enter__(), cache=cache, patience=patience, say=said.append)
        open_servers.append(lambda: server.__exit__(None, None, None))
        made.said = said  # type: ignore[attr-defined]
        return made

    yield make
    for close in open_servers:
        close()


@pytest.mark.parametrize("storm", STORMS.values(), ids=STORMS.keys())
@pytest.mark.parametrize("method", ["get", "post"])
def test_weather_is_waited_out(serve: Serve, storm: Answer, method: str) -> None:
    api = serve(storm, storm, GOOD)
    assert (api.get("/x") if method == "get" else api.post("/x", {})) == 7
    begun, ended = api.said  # type: ignore[attr-defined]
    assert "does not answer" in begun
    assert "answers again" in ended


@pytest.mark.parametrize("storm", STORMS.values(), ids=STORMS.keys())
def test_a_blob_comes_after_weather(serve: Serve, storm: Answer) -> None:
    data = b"the bytes"
    api = serve(storm, answer(200, data, OCTETS))
    assert api.blob(blake3(data).hexdigest()) == data


def test_a_refusal_of_ours_is_final_and_said_once(serve: Serve) -> None:
    api = serve(problem(409, "vote-closed"), GOOD)
    with pytest.raises(ApiProblem) as caught:
        api.post("/x", {})
    assert (caught.value.status, caught.value.code, caught.value.detail) == (409, "vote-closed", "why")
    assert api.said == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("storm", "code", "word"),
    [
        ("a login", "api-unreachable", "302"),
        ("a page", "api-unreachable", "sign in"),
        ("nothing", "api-unreachable", "Protocol"),
        ("503 of ours", "chain-unavailable", "why"),
        ("500 of ours", "internal-error", "why"),
    ],
)
def test_lasting_weather_ends_with_what_was_seen(serve: Serve, storm: str, code: str, word: str) -> None:
    with pytest.raises((ApiUnreachable, ApiProblem), match=word) as caught:
        serve(STORMS[storm], patience=0.05).get("/x")
    assert caught.value.code == code


def test_a_pause_beyond_the_patience_is_not_made(serve: Serve) -> None:
    """An answer may ask for an hour: a command does not sit there."""
    api = serve(answer(503, b"", HTML, Retry_After="3600"), GOOD)
    with pytest.raises(ApiUnreachable):
        api.get("/x")


def test_a_pause_until_a_date_that_no_clock_has_is_none(serve: Serve) -> None:
    """Before: a trace of the stack, by one line of whoever stands in between."""
    storm = answer(503, b"", HTML, Retry_After=f"Mon, 01 Jan {10**20} 00:00:00 GMT")
    with pytest.raises(ApiUnreachable):
        serve(storm, patience=0.05).get("/x")


@pytest.mark.parametrize("number", ["Infinity", "-1e999", "NaN"])
def test_an_answer_with_a_number_that_is_none_is_weather(serve: Serve, number: str) -> None:
    api = serve(answer(200, b'{"size": %s}' % number.encode()), answer(200, b'{"size": 7, "rate": 1.5}'))
    assert api.get("/x") == {"size": 7, "rate": 1.5}


def test_the_proxy_of_the_environment_is_named(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    api = serve(STORMS["502 with a page"], patience=0.05)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    with pytest.raises(ApiUnreachable, match=r"proxy http://proxy\.example:3128"):
        api.get("/x")


@pytest.mark.parametrize("network", [b"{}", b"[1]", b'{"chain_id": "x", "deployment": {"model_registry": ""}}'])
def test_another_api_behind_the_address_is_named(network: bytes) -> None:
    with (
        raw_server(lambda connection, _head: connection.sendall(answer(200, network))) as url,
        pytest.raises(OtherApi, match="check --api"),
    ):
        ApiClient(url)


def test_bytes_that_are_not_of_their_name_are_refused(serve: Serve) -> None:
    with pytest.raises(BlobCorrupt):
        serve(answer(200, b"other bytes", OCTETS)).blob("0" * 64)


def test_a_spoilt_cache_is_not_read(serve: Serve, tmp_path: Path) -> None:
    """A disk flips bits as a network does: what was kept is fetched again."""
    data = b"the bytes"
    name = blake3(data).hexdigest()
    api = serve(answer(200, data, OCTETS), cache=tmp_path)
    assert api.blob(name) == data
    (tmp_path / name).write_bytes(b"spoilt")
    assert api.blob(name) == data
    assert (tmp_path / name).read_bytes() == data


def test_an_answer_without_an_end_is_read_up_to_a_bound(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    api = serve(answer(200, b"[" + b"1," * 600 + b"1]"))
    monkeypatch.setattr(client, "MOST_BYTES", 1_000)
    with pytest.raises(ApiProblem, match="more than 1000 bytes"):
        api.get("/anything")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("all_proxy", "socks5://127.0.0.1:1", "socks5://127.0.0.1:1"),
        ("http_proxy", "ssh://x", "ssh://x"),
        ("SSL_CERT_FILE", "/nowhere", "SSL_CERT_FILE"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    if name == "all_proxy" and importlib.util.find_spec("socksio"):
        pytest.skip("this machine speaks SOCKS")
    with pytest.raises(ApiUnreachable, match=said):
        ApiClient("http://127.0.0.1:1")


@pytest.mark.parametrize("url", ["http://[::1", "http://a\nb"])
def test_what_is_no_address_is_not_asked(url: str) -> None:
    with pytest.raises(ApiUnreachable, match="cannot be asked"):
        ApiClient(url)
