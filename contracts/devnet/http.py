"""The HTTP side of the embedded chain: JSON-RPC by POST, one thread a connection, and the block clock."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AddressFamily
from types import TracebackType
from typing import Any

from contracts.devnet.chain import CHAIN_ID, Devnet
from contracts.process.listening import binding, family_of, url_of

_MAX_BODY = 16 * 2**20


class DevnetServer:
    """Serves `chain` on host:port (0 picks a free port) and mines a block each `block_time` seconds.

    Raises PortRefused.
    """

    def __init__(self, chain: Devnet, host: str, port: int, block_time: float) -> None:
        self.chain = chain
        with binding(host, port):
            self._http = _server_of(family_of(host))((host, port), _handler(chain))
        self._stop = threading.Event()
        self._block_time = block_time
        self._threads = [
            threading.Thread(target=self._http.serve_forever, daemon=True),
            threading.Thread(target=self._tick, daemon=True),
        ]
        self.url = url_of(host, self._http.server_address[1])

    def __enter__(self) -> DevnetServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._http.shutdown()
        self._http.server_close()

    def _tick(self) -> None:
        while not self._stop.wait(self._block_time):
            self.chain.mine()


def _server_of(family: AddressFamily) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = family
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A caller that hangs up is no fault of the chain's: nothing is told of it."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    return Server


def serve(
    host: str = "127.0.0.1",
    port: int = 8545,
    block_time: float = 1.0,
    funded: Iterable[str] = (),
    *,
    stop: threading.Event,
    chain_id: int = CHAIN_ID,
    started: Callable[[str, int], None] = lambda _url, _chain: None,
) -> None:
    """Serve a fresh chain over HTTP until `stop`; `started` gets its address and chain id. `block_time` in seconds.

    Raises PortRefused.
    """
    with DevnetServer(Devnet(funded, chain_id=chain_id), host, port, block_time) as server:
        started(server.url, chain_id)
        stop.wait()


def _handler(chain: Devnet) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # one write an answer, at once: header and body apart would each wait 40 ms for the other's acknowledgement
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _MAX_BODY:
                self.close_connection = True
                return self._answer(413, b"")
            try:
                request = json.loads(self.rfile.read(length))
            except ValueError:
                error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}
                return self._answer(200, json.dumps(error).encode())
            return self._answer(200, json.dumps(chain.handle(request)).encode())

        def do_OPTIONS(self) -> None:
            self._answer(204, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            for name, value in (
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Allow-Headers", "Content-Type"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged."""

    return Handler
