"""Uploads between machines of which one has its clock six hours off: the receiver's own clock judges its tickets."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from eth_account import Account

from contracts.errors import CommonweightError
from contracts.messages.signatures import Domain
from contracts.mirrors.peer import Peer
from contracts.mirrors.tickets import HEADER, TO_SERVER, Tickets, bringer
from tests.holds import Threat, holds
from trainer.exchange.network import SERVER, Endpoint
from verifier.mirror.exchange.delivering import DeliveryTarget

pytestmark = pytest.mark.integration

DOMAIN = Domain(31337, "0x" + "ab" * 20)
NODE = Account.from_key(b"\1" * 32)
BLOB = "5a" * 32
HOURS = 6 * 3600


@contextmanager
def receiver(ahead: float) -> Iterator[tuple[str, list[str]]]:
    """A server whose clock differs from ours, and what it says of each upload."""
    said: list[str] = []

    def clock() -> float:
        return time.time() + ahead

    class Takes(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(clock() if timestamp is None else timestamp, usegmt=True)

        def do_GET(self) -> None:
            self._answer(200)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            try:
                bringer(self.headers.get_all(HEADER, []), BLOB, TO_SERVER, DOMAIN, lambda _: True, clock)
                said.append("taken")
            except CommonweightError as error:
                said.append(error.code)
            self._answer(200 if said[-1] == "taken" else 403)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", said
    finally:
        server.shutdown()
        server.server_close()


@holds(
    "A wrong clock does not prevent an upload",
    by="contracts/mirrors/tickets.py:Tickets.headers",
    against=Threat.UNLIKE_MACHINES,
)
@pytest.mark.parametrize("ahead", [-HOURS, 0, HOURS, 10 * 365 * 86_400])
def test_a_clock_that_is_off_keeps_no_bytes_out(ahead: float) -> None:
    tickets = Tickets(NODE, DOMAIN)
    with receiver(ahead) as (url, said):

        async def bring() -> None:
            peer = Peer(url, loopback=True)
            await peer.get("/checkpoint", 100)
            await Endpoint(SERVER, peer, "/log", "/messages", "/blobs/", "/mirrors", tickets).put(BLOB, b"x", 10)
            await DeliveryTarget(peer, TO_SERVER, tickets).put(BLOB, b"x", 10)

        asyncio.run(bring())
    assert said == ["taken", "taken"]


def test_by_ones_own_clock_it_would_be_refused() -> None:
    with receiver(HOURS) as (url, said):

        async def bring() -> None:
            peer = Peer(url, loopback=True)
            await peer.put(f"/blobs/{BLOB}", b"x", 10, Tickets(NODE, DOMAIN).headers(BLOB, TO_SERVER))

        asyncio.run(bring())
    assert said == ["ticket-over"]


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Xxx 9999 99:99:99 GMT"])
def test_what_is_no_date_says_nothing(date: str) -> None:
    peer = Peer("http://127.0.0.1:9", loopback=True)
    peer._note(date)
    assert peer.clock() is None
