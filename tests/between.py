"""Somebody between us and a chain node, who answers in its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


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


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The address where it listens."""
    kind = type("Answering", (Between,), {"status": status, "body": body})
    server = HTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
