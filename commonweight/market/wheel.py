"""A wheel of the renter's own, served to its machines by the command that rents them, under a name that nobody guesses.

Only a machine that others reach can do that: its own address is public, or the renter names the address at which a
proxy or a router hands requests on. What is served is one file, pinned by its digest in each machine's script.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from typing import Any

from commonweight.market.errors import MarketError
from contracts.process.listening import binding

_NAME = re.compile(r"[A-Za-z0-9_.+!-]+\.whl")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ELSEWHERE = ("192.0.2.1", 9)
"""An address of no machine (RFC 5737), to which nothing is sent: the system says from which of its own it would."""
IDLE_SECONDS, WHOLE_SECONDS = 10, 120
"""Without a byte, and for a connection in all: a letter now and then keeps no place for days."""
MOST_CONNECTIONS = 64
"""At a time; the others are cut. The port is open to anybody, and the process behind it ends machines: with all of its
files open it could ask no provider for anything."""


class WheelUnserved(MarketError):
    """A local wheel that no rented machine could fetch."""

    code = "wheel-unserved"


@dataclass(frozen=True)
class Package:
    """What pip installs on a machine, and the SHA-256 that it must have (hex), empty where it is not known."""

    what: str
    sha256: str = ""


@contextmanager
def reachable(what: str, sha256: str, url: str, port: int) -> Iterator[Package]:
    """The package as machines get it: as it is, unless it is a wheel on this disk, which is served while the block
    lasts. `url` is where machines reach `port` of this machine, empty for its own public address.

    Raises WheelUnserved and PortRefused.
    """
    sha256 = sha256.lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise WheelUnserved(f"{sha256[:70]!r} is no SHA-256: 64 hexadecimal digits")
    file = Path(what)
    if file.suffix != ".whl" or not file.is_file():
        if sha256 and "://" not in what:
            raise WheelUnserved(f"pip checks the SHA-256 of a wheel by its address, and {what[:60]!r} is a requirement")
        yield Package(what, sha256)
        return
    data = file.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if sha256 and sha256 != found:
        raise WheelUnserved(f"{file} has the SHA-256 {found}, and not {sha256}")
    if not _NAME.fullmatch(file.name):
        raise WheelUnserved(f"{file.name[:60]!r} is no name of a wheel")
    base = url.rstrip("/") or _own_address()
    path = f"/{token_hex(16)}/{file.name}"
    with binding("", port):
        server = _Bounded(("", port), _handler(path, data))
    if not url:
        base = f"{base}:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield Package(f"{base}{path}", found)
    finally:
        server.shutdown()
        server.server_close()


def _own_address() -> str:
    """Raises WheelUnserved where this machine has no public one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(_ELSEWHERE)
            own = str(asked.getsockname()[0])
        except OSError:
            own = "127.0.0.1"
    if not ipaddress.ip_address(own).is_global:
        raise WheelUnserved(
            f"rented machines do not reach this one ({own}): name --package-url where they do, or put the wheel on a "
            "web server and give its address"
        )
    return f"http://{own}"


class _Bounded(ThreadingHTTPServer):
    """So many connections at a time, each for so long."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread, where there is room."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, cut when its time is over."""
        end = threading.Timer(WHOLE_SECONDS, _cut, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: strangers break off as they like."""


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _handler(path: str, data: bytes) -> type[BaseHTTPRequestHandler]:
    class OneFile(BaseHTTPRequestHandler):
        timeout = IDLE_SECONDS

        def do_GET(self) -> None:
            """The wheel at its own path, and nothing else."""
            if self.path != path:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: its path is known to the machines alone."""

    return OneFile
