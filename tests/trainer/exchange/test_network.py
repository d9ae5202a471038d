"""A node's sources that are slow: tiles, weights and bytes come from whoever has them, in time."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from blake3 import blake3

from contracts.mirrors.book import Book
from contracts.mirrors.peer import Limits, Peer, PeerUnreachable, Reply
from contracts.mirrors.tickets import HEADER, TO_SERVER, Tickets, bringer
from contracts.tlog.tiles import Tile
from tests.contracts.protocol.log.signed_run import DOMAIN
from tests.holds import Threat, holds
from tests.trainer.node.test_parts import ONE
from tests.trainer.world import deployment
from tests.verifier.mirror import hostile
from tests.verifier.mirror.world import raw_server
from tests.waiting import until
from trainer.exchange import getting, network
from trainer.exchange.handing import Courier, Parcel, ParcelRefusal
from trainer.exchange.network import SERVER, Endpoint, PeerNetwork

pytestmark = pytest.mark.integration

DATA = bytes(range(256)) * 40
NAME, OTHER = blake3(DATA).hexdigest(), blake3(b"other").hexdigest()


class Gives:
    """Says `data` to whoever asks for one of these paths."""

    def __init__(self, path: str, data: bytes) -> None:
        self._path, self._data = path, data
        self.asked: list[bytes] = []

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        self.asked.append(head.split()[1])
        if not head.startswith(f"GET {self._path}".encode()):
            connection.sendall(b"HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(hostile.OK + b"Content-Length: %d\r\n\r\n" % len(self._data) + self._data)


class Drips:
    """A byte again and again, to whoever asks for bytes, until the test ends."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.over = threading.Event()

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        self.asked.append(head.split()[1])
        connection.sendall(hostile.OK + b"Content-Length: 100000\r\n\r\n")
        while not self.over.is_set():
            connection.sendall(b"x")
            time.sleep(0.02)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((network, "GRACE"), (getting, "TILE_GRACE")):
        monkeypatch.setattr(module, name, 0.1)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(folder: Path, stack: ExitStack, server: hostile.Bad, mirror: hostile.Bad) -> PeerNetwork:
    """A node's network with a server and one mirror."""
    api, url = (stack.enter_context(raw_server(answer)) for answer in (server, mirror))
    book = Book(folder / "mirrors.json", DOMAIN, {ONE.address: url}, loopback=True)
    made = PeerNetwork(api, "log.example", book, 60.0, Tickets(ONE, DOMAIN), Limits(idle=30.0, call=30.0))
    stack.callback(made.close)
    made.start()
    return made


@holds(
    "A blob of a slow source is requested from a second source at the same time",
    by="contracts/mirrors/racing.py:first",
    against=Threat.FLOOD,
)
def test_weights_come_from_a_mirror_while_the_server_drips_them(tmp_path: Path, stack: ExitStack) -> None:
    drips = Drips()
    net = started(tmp_path, stack, drips, Gives(f"/blobs/{NAME}", DATA))
    assert net.blob(NAME, len(DATA)) == DATA
    assert net.blob(NAME, len(DATA)) == DATA
    assert drips.asked.count(b"/v1/blobs/" + NAME.encode()) == 1, "who failed is asked last"
    drips.over.set()


def test_a_name_that_is_dripped_keeps_no_other_name_from_coming(tmp_path: Path, stack: ExitStack) -> None:
    drips = Drips()
    net = started(tmp_path, stack, drips, Gives(f"/blobs/{NAME}", DATA))
    assert net.any_blob((OTHER, NAME), len(DATA)) == (NAME, DATA)
    assert net.blob(OTHER, len(DATA)) is None, "nobody has it, and the one that drips is not waited for"
    drips.over.set()


def test_who_drips_tiles_is_left_alone_for_a_while(tmp_path: Path, stack: ExitStack) -> None:
    drips = Drips()
    net = started(tmp_path, stack, drips, hostile.fails)
    read, tile = net.read(SERVER), Tile(0, 0, 1, False)
    with pytest.raises(PeerUnreachable, match="longer"):
        read(tile)
    with pytest.raises(PeerUnreachable, match="for a while"):
        net.read(SERVER)(tile)
    assert drips.asked.count(f"/log/{tile.path()}".encode()) == 1
    drips.over.set()


class Refuses(Peer):
    """Finds every ticket over, and keeps it."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", loopback=True)
        self.tickets: list[str] = []

    async def put(self, path: str, body: bytes, seconds: float, headers: Mapping[str, str]) -> Reply:
        self.tickets.append(headers[HEADER])
        return Reply(403, b'{"code":"ticket-over","detail":"set your clock"}', "application/problem+json")


@pytest.mark.parametrize(("name", "receiver"), [(SERVER, TO_SERVER), (str(ONE.address), str(ONE.address))])
def test_each_try_of_an_upload_has_a_ticket_of_its_own(
    name: str, receiver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, refusals, now = Refuses(), list[ParcelRefusal](), time.time()
    source = Endpoint(name, peer, "/log", "/messages", "/blobs/", "/mirrors", Tickets(ONE, DOMAIN))
    courier = Courier(name, source.post, source.put, refusals.append)
    (tmp_path / NAME).write_bytes(DATA)
    for later in (0, 60):
        monkeypatch.setattr("contracts.mirrors.tickets.time.time", lambda later=later: now + later)
        asyncio.run(courier.bring(Parcel(NAME, file=tmp_path / NAME)))
        assert bringer(peer.tickets[-1:], NAME, receiver, DOMAIN, lambda _: True) == ONE.address
    assert len(set(peer.tickets)) == 2
    assert [refusal.code for refusal in refusals] == ["ticket-over"] * 2


class Says:
    """One answer to who asks for the log's head; nothing is known of anything else."""

    def __init__(self, status: int, kind: str, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: {kind}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        self._answer = head.encode() + body

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        if b"/checkpoint" not in head:
            connection.sendall(b"HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(self._answer)


ROOT, SIGNATURE = (base64.b64encode(bytes(size)).decode() for size in (32, 68))
HEAD = f"log.example\n0\n{ROOT}\n\n\u2014 log.example {SIGNATURE}\n"


@pytest.mark.parametrize(
    ("says", "trouble"),
    [
        (Says(200, "text/plain", HEAD.encode()), None),
        (Says(404, "application/problem+json", b'{"code":"not-found","detail":"no head yet"}'), None),
        (Says(200, "text/html", b"<html>sign in</html>"), "answered with text/html instead of a head of the log"),
        (Says(302, "text/html", b""), "sent a redirect (302)"),
        (Says(502, "text/html", b"<html>"), "failed (502)"),
        (Says(404, "text/html", b"<html>"), "answered 404 with text/html"),
        (Says(429, "text/plain", b"slow down"), "answered 429 with text/plain"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_a_source_is_away_unless_it_answers_as_ours_do(
    says: Says, trouble: str | None, tmp_path: Path, stack: ExitStack
) -> None:
    net = started(tmp_path, stack, says, hostile.fails)
    while (found := net.troubles()[SERVER]) == "it was not asked yet":
        time.sleep(0.01)
    assert found == trouble
    assert (SERVER in net.notes()) is (trouble is None and says is not None and b"not-found" not in says._answer)


def test_a_server_of_another_model_is_named(tmp_path: Path, stack: ExitStack) -> None:
    """What it shows as the log is not even asked for."""
    body = json.dumps({"deployment": asdict(replace(deployment(), chain_id=99))}).encode()
    gives = Gives("/v1/network", body)
    api = stack.enter_context(raw_server(gives))
    book = Book(tmp_path / "mirrors.json", DOMAIN, {}, loopback=True)
    made = PeerNetwork(api, "log.example", book, 0.1, Tickets(ONE, DOMAIN), deployment=deployment())
    stack.callback(made.close)
    made.start()
    until(lambda: "serves another model" in str(made.troubles()[SERVER]))
    assert made.notes() == {}
    assert {asked for asked in gives.asked if asked.startswith(b"/log")} == set()
