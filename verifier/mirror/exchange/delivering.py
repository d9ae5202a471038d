"""Deliveries of this verifier's mirror to others, each target by a courier of its own: no duty waits for any of them.

The server gets the messages that the log lacks, this verifier's own first; every mirror gets its address, again and
again, since a server could else hide a verifier by keeping the address to itself. A verifier that cannot be reached
brings its own messages and blobs to all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.mirrors.loop import EventThread
from contracts.mirrors.peer import ERROR_BYTES, Peer, Reply
from contracts.mirrors.tickets import Tickets
from contracts.mirrors.urls import NOWHERE
from contracts.protocol.log.envelope import BESIDE_THE_LOG
from trainer.exchange.handing import Courier, Parcel, ParcelRefusal
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.blobs import BlobStore
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import SignedMessage

LONGEST_WAIT, AGAIN = 4.0, 8.0
"""Seconds: most between two tries to hand a message on, and until the server gets missing messages once more."""
SERVER = ""


@dataclass(frozen=True)
class StoredBlob:
    """A blob of a store, for a courier."""

    blobs: BlobStore
    name: str

    def read_bytes(self) -> bytes:
        """Hashed anew. Raises NotHeld and StoreUnusable."""
        return self.blobs.read(self.name)


@dataclass(frozen=True)
class DeliveryTarget:
    """The paths at which a target takes messages and blobs. `receiver` is the target's name in the blobs' tickets."""

    peer: Peer
    receiver: str
    tickets: Tickets
    messages: str = "/messages"
    blobs: str = "/blobs/"

    async def post(self, data: bytes) -> Reply:
        """Bring a message."""
        return await self.peer.post(self.messages, data, ERROR_BYTES)

    async def put(self, name: str, data: bytes, seconds: float) -> Reply:
        """Bring a blob, under a ticket of its own."""
        ticket = await asyncio.to_thread(self.tickets.headers, name, self.receiver, self.peer.clock())
        return await self.peer.put(f"{self.blobs}{name}", data, seconds, ticket)


@dataclass
class _Target:
    url: str
    courier: Courier
    task: asyncio.Task[None]


class Deliveries:
    """Couriers of one verifier on an event loop. `own` is its address, and the server's target has its tickets."""

    def __init__(
        self,
        own: str,
        loop: EventThread,
        server: DeliveryTarget,
        book: AddressBook,
        messages: MessageStore,
        blobs: BlobStore,
    ) -> None:
        self._own = own
        self._loop = loop
        self._server = server
        self._book = book
        self._messages = messages
        self._blobs = blobs
        self._targets: dict[str, _Target] = {}
        self._given: dict[str, Parcel] = {}

    def give_blob(self, name: str) -> None:
        """Offer a blob to all mirrors, for the case that this one cannot be reached."""
        self._given[name] = Parcel(name, file=StoredBlob(self._blobs, name))
        self.offer()

    def offer(self) -> None:
        """Offer all parcels that others want now; a parcel of before that is not among them is no longer brought."""
        self._loop.soon(self._take, self._for_server(), self._for_mirrors())

    async def tend(self, peers: Mapping[str, Peer]) -> None:
        """Have a courier for the server and for each mirror that can be reached now, and for no other."""
        targets = {SERVER: self._server} | {
            v: DeliveryTarget(peer, v, self._server.tickets) for v, peer in peers.items()
        }
        for name, current in list(self._targets.items()):
            if name not in targets or targets[name].peer.url != current.url:
                current.task.cancel()
                del self._targets[name]
        for name, target in targets.items():
            if name not in self._targets:
                again = AGAIN if name == SERVER else None
                courier = Courier(name, target.post, target.put, _ignore, LONGEST_WAIT, again)
                self._targets[name] = _Target(target.peer.url, courier, asyncio.create_task(courier.run()))

    def _take(self, server: Sequence[Parcel], mirrors: Sequence[Parcel]) -> None:
        for name, target in self._targets.items():
            target.courier.offer(server if name == SERVER else mirrors)

    def _for_server(self) -> list[Parcel]:
        kinds = tuple(BESIDE_THE_LOG.values())
        messages = [held.signed for held in self._messages.held() if not isinstance(held.signed.message, kinds)]
        messages.sort(key=lambda signed: self._own not in signed.signers)
        return [*self._address(), *map(_parcel, messages)]

    def _for_mirrors(self) -> list[Parcel]:
        address = self._book.newest().get(self._own)
        if address is None or address.url != NOWHERE:
            return self._address()
        own = [held.signed for held in self._messages.held() if self._own in held.signed.signers]
        self._given = {name: parcel for name, parcel in self._given.items() if self._blobs.has(name)}
        return [*self._address(), *map(_parcel, own), *self._given.values()]

    def _address(self) -> list[Parcel]:
        address = self._book.newest().get(self._own)
        return [Parcel(address.digest, address.text)] if address is not None and address.text else []


def _parcel(signed: SignedMessage) -> Parcel:
    return Parcel(signed.digest, signed.text)


def _ignore(_refusal: ParcelRefusal) -> None:
    """Other targets have the parcel as well: a refused one is brought again later."""
