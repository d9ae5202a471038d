"""Somebody between us and a chain node, who answers in its place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Between(BaseHTTPRequestHandler):
    """Answers each request with `status` and `body`."""

    status, body = 200, b""

    def do_POST(self) -> None:
        """Whatever was asked."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def answering(status: int, body: bytes) -> AbstractContextManager[str]:
    """The address where it listens."""
    return listening(type("Answering", (Between,), {"status": status, "body": body}))


@contextmanager
def listening(kind: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address where requests are handled so, each in a thread of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
