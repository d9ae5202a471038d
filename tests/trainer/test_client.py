"""A server is not to be believed: what it answers cannot end a worker, and other bytes are not taken for a blob."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from blake3 import blake3

from trainer import client
from trainer.client import ApiClient, ApiProblem, BlobCorrupt

pytestmark = pytest.mark.integration
NETWORK = {"chain_id": 31337, "deployment": {"model_registry": "0x" + "ab" * 20, "verifier_registry": "0x" + "cd" * 20}}
Serve = Callable[..., ApiClient]


@pytest.fixture
def hostile() -> Iterator[Serve]:
    """A server that is honest about its network and answers everything else with the given bytes."""
    servers: list[ThreadingHTTPServer] = []

    def serve(body: bytes, status: int = 200, cache: Path | None = None) -> ApiClient:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path == "/v1/network"
                self.send_response(200 if known else status)
                self.end_headers()
                self.wfile.write(json.dumps(NETWORK).encode() if known else body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return ApiClient(f"http://127.0.0.1:{server.server_address[1]}", cache=cache)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b"<html>", b"\xff"])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_no_json_is_a_refusal_and_not_the_end(hostile: Serve, body: bytes, status: int) -> None:
    with pytest.raises(ApiProblem) as caught:
        hostile(body, status).get("/runs")
    assert caught.value.code == "http-error"


def test_a_refusal_that_is_no_problem_document_is_a_refusal(hostile: Serve) -> None:
    with pytest.raises(ApiProblem) as caught:
        hostile(b"[1]", 502).get("/runs")
    assert (caught.value.status, caught.value.code) == (502, "http-error")


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(hostile: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [httpx.Response(503), httpx.Response(503), httpx.Response(200, json=7), httpx.Response(409)]
    api = hostile(b"", 200)
    monkeypatch.setattr(api, "_call", lambda *_, **__: answers.pop(0))
    assert api.post("/proofs", {}) == 7
    with pytest.raises(ApiProblem):
        api.post("/proofs", {})
    assert answers == []


def test_bytes_that_are_not_of_their_name_are_refused(hostile: Serve) -> None:
    with pytest.raises(BlobCorrupt):
        hostile(b"other bytes", 200).blob("0" * 64)


def test_a_spoilt_cache_is_not_read(hostile: Serve, tmp_path: Path) -> None:
    """A disk flips bits as a network does: what was kept is fetched again."""
    data = b"the bytes"
    name = blake3(data).hexdigest()
    client = hostile(data, 200, tmp_path)
    assert client.blob(name) == data
    (tmp_path / name).write_bytes(b"spoilt")
    assert client.blob(name) == data
    assert (tmp_path / name).read_bytes() == data


def test_an_answer_without_an_end_is_read_up_to_a_bound(hostile: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    api = hostile(b"[" + b"1," * 600 + b"1]")
    monkeypatch.setattr(client, "MOST_BYTES", 1_000)
    with pytest.raises(ApiProblem, match="more than 1000 bytes"):
        api.get("/anything")
