"""Keys, signed messages, an operator's log and running mirrors that the tests of this folder share."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uvicorn
from blake3 import blake3
from eth_account import Account
from eth_account.signers.local import LocalAccount
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.ids import Address, RunId, as_address
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import GrowingTree
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, sign
from contracts.mirrors.tickets import LIFE, Tickets, UploadTicket
from contracts.mirrors.timed_protocol import TimedProtocol
from contracts.protocol.log.codec import canonical, slug
from contracts.protocol.log.signed import Envelope
from contracts.tlog.bundles import format_bundle
from contracts.tlog.checkpoint import Checkpoint, sign_checkpoint
from contracts.tlog.keys import SignatureType, SigningKey, VerifierKey
from contracts.tlog.mirror import EntryPackage, UploadHeader, format_upload
from contracts.tlog.note import SignedNote
from contracts.tlog.subtree import subtree_proof
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import WIDTH, Tile, parse_tile
from contracts.tlog.witness import AddCheckpoint
from verifier.mirror.http.routes import Mirror, mirror_app
from verifier.mirror.http.serving import mirror_server, port_of
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.announced import Announcement, BlobKind, BlobOrigin
from verifier.mirror.store.blobs import BlobStore
from verifier.mirror.store.copy import Cosigner, LogCopy
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import Reader

DOMAIN = Domain(31337, "0x" + "ab" * 20)
NODE, *VERIFIERS = (Account.from_key(bytes([i]) * 32) for i in range(1, 18))
RUN = b"\1" * 32
RUN_ID = RunId("0x" + RUN.hex())
READER = Reader(DOMAIN, lambda proof: NODE.address)
ORIGIN = "log.example/commonweight"
OPERATOR = SigningKey(b"\7" * 32)
LOG = OPERATOR.verifier(ORIGIN, SignatureType.NOTE)


def leaf(message: Message, key: LocalAccount, **beside: Any) -> bytes:
    """A message as it travels, signed."""
    envelope = Envelope(message, (sign(message, DOMAIN, bytes(key.key)),), beside)
    return canonical({"kind": slug(type(message)), **envelope.body()}).encode()


def has(number: int, key: LocalAccount = VERIFIERS[0]) -> bytes:
    """A message of a verifier, another one for each number."""
    return leaf(messages.Has(RUN, 1, key.address, (number.to_bytes(32, "big"),)), key)


def beat(step: int, key: LocalAccount = NODE) -> bytes:
    """A node's heartbeat."""
    return leaf(messages.LeaseRenewal(RUN, 1, key.address, step), key)


def address(url: str, sequence: int = 1, key: LocalAccount = VERIFIERS[0]) -> bytes:
    """A verifier's address."""
    return leaf(messages.MirrorAddress(key.address, url, sequence), key)


def blob(data: bytes, key: Address = NODE.address, size: int | None = None, round_number: int = 1) -> Announcement:
    """The announcement of these bytes."""
    place = BlobOrigin(key, RUN_ID, round_number)
    return Announcement(blake3(data).hexdigest(), BlobKind.STATE, len(data) if size is None else size, place)


def ticket(
    name: str, receiver: Address = VERIFIERS[0].address, by: LocalAccount = NODE, **changes: Any
) -> dict[str, str]:
    """The header under which a key brings a blob to a verifier."""
    made = UploadTicket(as_address(str(by.address)), bytes.fromhex(name), receiver, int(time.time()) + LIFE)
    return Tickets(by, DOMAIN).signed(replace(made, **changes))


@dataclass
class Operator:
    """A log and its key: heads, uploads and tiles of whatever entries it has."""

    entries: list[bytes] = field(default_factory=list)
    tree: GrowingTree = field(default_factory=GrowingTree)

    def grow(self, count: int, text: str = "entry") -> Operator:
        """More entries, which say what they are."""
        new = [f"{text} {place}".encode() for place in range(self.tree.size, self.tree.size + count)]
        self.entries += new
        self.tree.append(SHA256_TREE.leaf_hash(entry) for entry in new)
        return self

    def head(self, size: int | None = None) -> SignedNote:
        """The head of the first `size` entries, signed."""
        size = self.tree.size if size is None else size
        return sign_checkpoint(Checkpoint(ORIGIN, size, self.tree.root(size)), OPERATOR)

    def add_checkpoint(self, old: int = 0, size: int | None = None) -> AddCheckpoint:
        """A request to a mirror that knows `old` entries."""
        size = self.tree.size if size is None else size
        proof = tuple(self.tree.stored.consistency_proof(old, size)) if old else ()
        return AddCheckpoint(old, proof, self.head(size))

    def upload(self, start: int = 0, end: int | None = None, packages: int = 32) -> bytes:
        """The body of add-entries."""
        end = self.tree.size if end is None else end
        header = UploadHeader(ORIGIN, start, end)
        found = []
        for place in list(header.packages())[:packages]:
            proof = subtree_proof(self.tree.stored, place.base, place.end, end)
            found.append(EntryPackage(tuple(self.entries[place.start : place.end]), tuple(proof)))
        return format_upload(header, found)

    def tile(self, tile: Tile) -> bytes:
        """As a log serves it."""
        if tile.entries:
            return format_bundle(self.entries[tile.index * WIDTH : tile.index * WIDTH + tile.width])
        return tile_bytes(self.tree.stored.fetch, tile)

    def app(self, taken: list[bytes] | None = None) -> Starlette:
        """A server: the log below /log, and messages that are kept in `taken`."""

        async def checkpoint(request: Request) -> Response:
            return Response(self.head().format())

        async def tile(request: Request) -> Response:
            return Response(self.tile(parse_tile(request.path_params["path"])))

        async def message(request: Request) -> Response:
            (taken if taken is not None else []).append(await request.body())
            return Response(b"{}")

        routes = [Route("/log/checkpoint", checkpoint), Route("/log/{path:path}", tile)]
        return Starlette(routes=[*routes, Route("/messages", message, methods=["POST"])])


def cosigner(name: str = "mirror.example/v1", seed: int = 9) -> Cosigner:
    """A verifier's key and clock."""
    return Cosigner(name, SigningKey(bytes([seed]) * 32), lambda: 1_700_000_000)


def cosigner_key(name: str = "mirror.example/v1", seed: int = 9) -> VerifierKey:
    """Its public side."""
    return SigningKey(bytes([seed]) * 32).verifier(name, SignatureType.COSIGNATURE)


def make_mirror(
    folder: Path,
    is_welcome: Callable[[Any], bool] = lambda claim: True,
    budget: int = 10**9,
    admit: Callable[[int], None] = lambda size: None,
    seed: int = 9,
    is_verifier: Callable[[str], bool] | None = None,
    own: LocalAccount = VERIFIERS[0],
) -> Mirror:
    """A mirror that takes all that is well signed, unless it is told otherwise."""
    names = [str(key.address) for key in VERIFIERS]
    is_verifier = is_verifier or names.__contains__
    return Mirror(
        str(own.address),
        READER,
        MessageStore(folder / "messages.db", READER, is_welcome),
        BlobStore(folder / "blobs", lambda key: budget),
        AddressBook(folder / "addresses.db", READER, is_verifier, loopback=True),
        LogCopy(folder / "log", LOG, cosigner(seed=seed), admit),
        lambda: names,
    )


@contextmanager
def serving(app: Any, protocol: type[TimedProtocol] = TimedProtocol) -> Iterator[str]:
    """An application on a free port of loopback; its base url."""
    server = _Quick(mirror_server(app, "127.0.0.1", 0, protocol).config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port_of(server)}"
    finally:
        server.should_exit = True
        thread.join(timeout=5)


class _Quick(uvicorn.Server):
    """Ends as soon as it is told to, without a word to those who are connected."""

    async def main_loop(self) -> None:
        while not self.should_exit:
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()


@contextmanager
def mirror_on(mirror: Mirror) -> Iterator[str]:
    """A mirror on a free port."""
    with serving(mirror_app(mirror)) as url:
        yield url


@contextmanager
def raw_server(answer: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """A server of bare bytes: `answer` gets each connection and the head of its request, and may do as it likes.

    Each connection ends with its answer. A whole answer says `Connection: close`: a client that keeps
    connections would send its next request into one that is about to end.
    """

    def one(connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return
            data += part
        answer(connection, data)

    with bare_server(one) as url:
        yield url


@contextmanager
def bare_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of connections, each with a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            answer(connection)

    def run() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept would take one more
        listener.close()


def everything(raw: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    parts = []
    try:
        while part := raw.recv(2**20):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
