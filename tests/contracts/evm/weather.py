"""A chain node behind somebody who answers in its place now and then."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.between import listening

Handle = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Gust:
    """What comes instead of an answer; a status of 0 is a connection that breaks."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class GustyNode:
    """`weather` of a request is what comes in place of its answer, None for the answer. `asked` are all methods."""

    handle: Handle
    weather: Callable[[Mapping[str, Any]], Gust | None] = lambda _request: None
    asked: list[str] = field(default_factory=list)

    def count(self, method: str) -> int:
        """How often it was asked for."""
        return self.asked.count(method)


def gusts(*found: Gust | None) -> Callable[[Mapping[str, Any]], Gust | None]:
    """One after the other, and then fair weather."""
    left, lock = list(found), threading.Lock()

    def weather(_request: Mapping[str, Any]) -> Gust | None:
        with lock:
            return left.pop(0) if left else None

    return weather


@contextmanager
def serving(node: GustyNode) -> Iterator[str]:
    """The address where it listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            node.asked.append(request["method"])
            gust = node.weather(request)
            if gust is None:
                gust = Gust(200, json.dumps(node.handle(request)).encode())
            if gust.status == 0:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(gust.status)
            for name, value in {**gust.headers, "Content-Length": str(len(gust.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(gust.body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with listening(Handler) as url:
        yield url
