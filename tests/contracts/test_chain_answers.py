"""What comes from the address of a chain node and is no answer of one: it fails as a lost connection does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from requests.exceptions import RequestException

from commonweight.failures import RpcUnreachable, as_refusal
from contracts.chain import connect

pytestmark = pytest.mark.integration
PAGE = b"<html>Sign in to use this network</html>"


class Between(BaseHTTPRequestHandler):
    """Answers each request with `status` and `body`."""

    status, body = 200, b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Between)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, PAGE),
        (200, b""),
        (200, b'{"jsonrpc": "2.0", "id"'),
        (200, b"[" * 100_000),
        (200, b"\xff\xfe"),
        (200, b"null"),
        (200, b'{"detail": "another API"}'),
        (502, PAGE),
        (503, b""),
        (504, b'{"error": "busy"}'),
        (429, b"slow down"),
        (408, b""),
    ],
)
def test_what_is_no_answer_of_a_chain_node_is_a_lost_connection(
    url: str, status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Between, "status", status)
    monkeypatch.setattr(Between, "body", body)
    with pytest.raises(RequestException) as raised:
        connect(url).eth.block_number  # noqa: B018
    assert isinstance(as_refusal(raised.value), RpcUnreachable)


def test_an_answer_of_a_chain_node_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Between, "body", b'{"jsonrpc": "2.0", "id": 0, "result": "0x10"}')
    assert connect(url).eth.block_number == 16
