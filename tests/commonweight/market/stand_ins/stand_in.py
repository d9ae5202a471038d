"""The ground of all stand-ins: a real HTTP server whose calls can be made to fail, before or after their effect."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.between import listening


class Fault(StrEnum):
    """What goes wrong with a call: its effect takes place before the `AFTER_` faults, and not with the others."""

    UNAVAILABLE = "503"
    CUT = "cut"
    HTML = "html"
    TOO_OFTEN = "429"
    SLOW = "slow"
    AFTER_UNAVAILABLE = "effect, then 503"
    AFTER_CUT = "effect, then cut"
    AFTER_HALF = "effect, then half an answer"


AFTER = (Fault.AFTER_UNAVAILABLE, Fault.AFTER_CUT, Fault.AFTER_HALF)


@dataclass
class Request:
    """A call as the server saw it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class StandIn:
    """A provider. A subclass answers by `answer`; `faults` are met once each by the next call that fits."""

    requests: list[Request] = field(default_factory=list)
    faults: list[tuple[str, str, Fault]] = field(default_factory=list)
    slow_seconds: float = 0.5
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and body of one call, bytes for what is no JSON; called under the lock."""
        raise NotImplementedError

    def fail(self, method: str, path: str, how: Fault) -> None:
        """The next call of that method whose path begins so meets a fault."""
        self.faults.append((method, path, how))

    def calls(self, method: str, path: str) -> list[Request]:
        """The calls so far of that method whose path begins so."""
        return [one for one in self.requests if one.method == method and one.path.startswith(path)]

    def fault_of(self, request: Request) -> Fault | None:
        """The fault that this call meets."""
        for entry in self.faults:
            method, path, how = entry
            if request.method == method and request.path.startswith(path):
                self.faults.remove(entry)
                return how
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        request = Request(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            dict(self.headers),
            json.loads(data) if data else None,
        )
        with self.stand_in.lock:
            self.stand_in.requests.append(request)
            how = self.stand_in.fault_of(request)
            done = self.stand_in.answer(request) if how is None or how in AFTER or how is Fault.SLOW else (0, None)
        self.close_connection = True
        if how is Fault.SLOW:
            time.sleep(self.stand_in.slow_seconds)
        if how in (Fault.CUT, Fault.AFTER_CUT):
            return
        self._write(how, *done)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    def _write(self, how: Fault | None, status: int, body: Any) -> None:
        if how in (Fault.UNAVAILABLE, Fault.AFTER_UNAVAILABLE):
            status, body = 503, {"message": "try again later"}
        elif how is Fault.TOO_OFTEN:
            status, body = 429, {"detail": "API requests too frequent"}
        page = body if isinstance(body, bytes) else json.dumps(body).encode()
        page = b"<html>busy</html>" if how is Fault.HTML else page
        self.send_response(502 if how is Fault.HTML else status)
        self.send_header("Content-Type", "text/html" if how is Fault.HTML else "application/json")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Connection", "close")
        if how is Fault.TOO_OFTEN:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(page[: len(page) // 2] if how is Fault.AFTER_HALF else page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def standing(stand_in: StandIn) -> Iterator[StandIn]:
    """The server on loopback, with its address in `url`."""
    with listening(type("Handler", (_Handler,), {"stand_in": stand_in})) as url:
        stand_in.url = url
        yield stand_in
