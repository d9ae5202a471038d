"""A run whose work is real: verifiers that hold bytes and sign heads, a server that takes messages, on loopback.

`Village` is the log; `Server` and `House` (a verifier's real mirror) serve it; `act` has the verifiers do all that the
machine asks of them now.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from blake3 import blake3
from eth_account.signers.local import LocalAccount
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.ids import Address, ProofId, RunId, as_address, to_hex
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import GrowingTree
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import digest
from contracts.protocol.architecture import theta_layout
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.rules import duties
from contracts.protocol.log.codec import canonical, slug
from contracts.protocol.log.signed import Envelope
from contracts.tensors.state_layout import inner_digest
from contracts.tensors.tensorfile import Tensors, pack, state_digest, unpack
from contracts.tlog.bundles import format_bundle
from contracts.tlog.checkpoint import Checkpoint, sign_checkpoint
from contracts.tlog.cosignature import cosign
from contracts.tlog.keys import SignatureType, SigningKey
from contracts.tlog.mirror import EntryPackage, UploadHeader, format_upload
from contracts.tlog.note import SignedNote
from contracts.tlog.subtree import subtree_proof
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import WIDTH, Tile, parse_tile
from contracts.tlog.witness import AddCheckpoint
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL, SignedRun, hashed, key
from trainer.data.corpus import Corpus
from trainer.data.text import load_corpus
from trainer.model.state import initial_theta, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.outer import merge, zero_momentum
from verifier.mirror.http.routes import Mirror
from verifier.mirror.http.uploads import add_checkpoint, add_entries
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.announced import BlobOrigin, OuterSizes, announced_by
from verifier.mirror.store.blobs import BlobStore
from verifier.mirror.store.copy import Cosigner, LogCopy
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import Reader

ORIGIN = "log.example/village"
OPERATOR = SigningKey(b"\7" * 32)
LOG = OPERATOR.verifier(ORIGIN, SignatureType.NOTE)
NODE = key("the node")
PAYOUT = key("the node's wallet").address


def log_key(verifier: str) -> SigningKey:
    """A verifier's key of cosignatures."""
    return SigningKey(hashed("log key", verifier))


def write_text(folder: Path) -> Path:
    """A text to train on."""
    path = folder / "text.txt"
    path.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
    return path


class Village(SignedRun):
    """The log of one run, with a tree over it. Threads may share it. `judged` is the profile of its verifiers, where it
    is not this process's."""

    def __init__(self, text: Path, rounds: int = 1, judged: bytes = b"", **terms: Any) -> None:
        self.judged = judged
        self.corpus: Corpus = load_corpus([text])
        self.tree = GrowingTree()
        self.lock = threading.RLock()
        super().__init__(nodes=0, verifiers=3, k=2, rounds=rounds, **({"minNodes": 1} | terms))

    def add(self, entry: facts.Rules | facts.Block | Envelope) -> list[Derived]:
        """As it is, with the tree."""
        with self.lock:
            found = super().add(entry)
            new = self.leaves[self.tree.size :]
            self.tree.append(SHA256_TREE.leaf_hash(text.encode()) for text in new)
            return found

    def send(self, message: Message, author: LocalAccount, **beside: Any) -> list[Derived]:
        """As it is, anchors with a key of cosignatures."""
        if isinstance(message, messages.VerifierAnchor):
            profile = self.judged or configure_determinism(self.config.leading.profile).digest()
            message = replace(message, logKey=log_key(message.verifier).public, profile=profile)
        return super().send(message, author, **beside)

    def head(self, size: int | None = None, root: bytes | None = None) -> SignedNote:
        """As the operator signs it; with `root`, of another log."""
        size = self.tree.size if size is None else size
        return sign_checkpoint(Checkpoint(ORIGIN, size, root or self.tree.root(size)), OPERATOR)

    def cosigned(self, verifier: int, size: int | None = None, root: bytes | None = None) -> bytes:
        """As a verifier shows it."""
        note, name = self.head(size, root), self.verifiers[verifier].address
        return note.adding(cosign(note.text, name, log_key(name), 1_700_000_000)).format()

    def tile(self, tile: Tile) -> bytes:
        """As a log serves it."""
        with self.lock:
            if tile.entries:
                texts = self.leaves[tile.index * WIDTH : tile.index * WIDTH + tile.width]
                return format_bundle([text.encode() for text in texts])
            return tile_bytes(self.tree.stored.fetch, tile)

    def upload(self, start: int) -> bytes:
        """The entries from `start` on, as they reach a mirror."""
        header = UploadHeader(ORIGIN, start, self.tree.size)
        found = []
        for place in header.packages():
            entries = tuple(text.encode() for text in self.leaves[place.start : place.end])
            proof = subtree_proof(self.tree.stored, place.base, place.end, self.tree.size)
            found.append(EntryPackage(entries, tuple(proof)))
        return format_upload(header, found)

    def author_of(self, proof: ProofId) -> Address:
        """The node of a proof; any where the log does not know it yet."""
        with suppress(CommonweightError):
            return self.follower.author(proof)
        return as_address(NODE.address)

    def _create(self, changes: dict[str, Any]) -> None:
        self.config = replace(self.config, corpus_digest=self.corpus.digest)
        theta = initial_theta(self.config)
        start = {
            "genesis": state_digest(theta),
            "momentum": state_digest(zero_momentum(theta)),
            "inner": inner_digest(start_tensors(theta, None)),
            "profiles": (configure_determinism(self.config.leading.profile).digest(),),
        }
        super()._create(start | changes)


def deployment(first: tuple[str, ...] = ()) -> Deployment:
    """Of the village."""
    none = as_address("0x" + "00" * 20)
    return Deployment(
        DOMAIN.chain_id,
        1,
        "village",
        to_hex(MODEL),
        key("creator").address,
        none,
        none,
        none,
        none,
        as_address("0x" + "cd" * 20),
        none,
        as_address(DOMAIN.verifying_contract),
        log=LOG.vkey(),
        mirrors=first,
    )


def problem(code: str, detail: str, status: int) -> Response:
    """A refusal as the server sends it."""
    body = {"code": code, "detail": detail, "status": status}
    return JSONResponse(body, status, media_type="application/problem+json")


@dataclass
class Server:
    """Takes messages into the log and serves it. `hides`: says yes to every message of nodes and enters none;
    `weather` answers in its place while there is one."""

    village: Village
    hides: bool = False
    weather: Callable[[Request], Response | None] = lambda request: None
    blobs: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    mirrors: list[dict[str, Any]] = field(default_factory=list)
    shown: Village | None = None
    """Another log that it shows."""

    def app(self) -> Starlette:
        """Routes of 0.2.0, as far as a node uses them."""
        return Starlette(
            routes=[
                Route("/log/checkpoint", self._answer(self._checkpoint)),
                Route("/log/{path:path}", self._answer(self._tile)),
                Route("/v1/messages", self._answer(self._message), methods=["POST"]),
                Route("/v1/blobs/{digest}", self._answer(self._blob), methods=["GET", "PUT"]),
                Route("/v1/mirrors", self._answer(self._mirrors)),
            ]
        )

    def enter(self, text: str) -> Response:
        """A message into the log, unless it is hidden."""
        self.messages.append(text)
        if self.hides:
            return JSONResponse({"digest": "0x", "index": None, "entered": 0})
        with self.village.lock:
            if text in self.village.leaves:
                return JSONResponse({"digest": "0x", "index": self.village.leaves.index(text), "entered": 0})
            try:
                signed = Reader(DOMAIN, self.village.author_of).read(text.encode())
                body = json.loads(text)
                signatures = tuple(bytes.fromhex(s[2:]) for s in body["signatures"])
                self.village.add(Envelope(signed.message, signatures, body["beside"]))
            except CommonweightError as error:
                why = error.__cause__ if isinstance(error.__cause__, CommonweightError) else error
                return problem(why.code, why.detail, why.status)
        return JSONResponse({"digest": signed.digest, "index": 0, "entered": 1})

    def _answer(self, inner: Callable[[Request, bytes], Response]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            data = await request.body()
            storm = self.weather(request)
            return storm if storm is not None else await run_in_threadpool(inner, request, data)

        return answer

    def _checkpoint(self, _: Request, __: bytes) -> Response:
        village = self.shown or self.village
        with village.lock:
            return Response(village.head().format())

    def _tile(self, request: Request, _: bytes) -> Response:
        return Response((self.shown or self.village).tile(parse_tile(request.path_params["path"])))

    def _message(self, _: Request, data: bytes) -> Response:
        return self.enter(data.decode())

    def _blob(self, request: Request, data: bytes) -> Response:
        digest = request.path_params["digest"]
        if request.method == "PUT":
            if blake3(data).hexdigest() != digest:
                return problem("blob-mismatch", "other bytes", 422)
            self.blobs[digest] = data
            return JSONResponse({"blob": digest})
        found = self.blobs.get(digest)
        return problem("not-found", "no such blob", 404) if found is None else Response(found)

    def _mirrors(self, _: Request, __: bytes) -> Response:
        return JSONResponse({"mirrors": self.mirrors, "evidence": []})


@dataclass
class House:
    """A verifier with its real mirror: `look` signs the log's head and takes over what nodes handed."""

    village: Village
    number: int
    mirror: Mirror
    url: str = ""
    _announced: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, village: Village, number: int, folder: Path) -> House:
        """The verifier of that number."""
        name = str(village.verifiers[number].address)
        names = [str(v.address) for v in village.verifiers]
        reader = Reader(DOMAIN, village.author_of)
        found = Mirror(
            name,
            reader,
            MessageStore(folder / "messages.db", reader, lambda claim: True),
            BlobStore(folder / "blobs", lambda _: 10**9),
            AddressBook(folder / "addresses.db", reader, lambda verifier: verifier in names, loopback=True),
            LogCopy(folder / "log", LOG, Cosigner(name, log_key(name), lambda: 1_700_000_000)),
            lambda: names,
        )
        return cls(village, number, found)

    @property
    def name(self) -> str:
        """The verifier's address."""
        return str(self.village.verifiers[self.number].address)

    def look(self) -> None:
        """Sign the head of the whole log, and announce what messages announce."""
        self.sign(self.village)
        for held in self.mirror.messages.held():
            self._announce(held.signed.message)
        for text in list(self.village.leaves):
            if '"kind":"commitment"' in text or '"kind":"state-opening"' in text:
                self._announce(self.mirror.reader.read(text.encode()).message)

    def sign(self, village: Village) -> None:
        """The head of a log, as tlog-mirror has it."""
        with village.lock:
            copy = self.mirror.copy
            pending = copy.pending()
            old, size = (pending.checkpoint.size if pending else 0), village.tree.size
            if size > old:
                proof = tuple(village.tree.stored.consistency_proof(old, size)) if old else ()
                add_checkpoint(copy, AddCheckpoint(old, proof, village.head()))
                add_entries(copy, BytesIO(village.upload(copy.size)).read)

    def know(self, other: House) -> None:
        """Another one's signed address."""
        self.mirror.book.take(self.mirror.reader.read(canonical(address_of(other)["message"]).encode()))

    def handed(self) -> list[str]:
        """Texts of the messages that it holds."""
        return [held.signed.text for held in self.mirror.messages.held()]

    def _announce(self, message: Message) -> None:
        place = BlobOrigin(as_address(str(NODE.address)), RunId(to_hex(self.village.run)), 1)
        for found in announced_by(message, place, OuterSizes(0, 0)):
            if found.digest not in self._announced:
                self._announced.add(found.digest)
                self.mirror.blobs.announce(found)


class Council:
    """The verifiers: they do what the machine asks of them, on the bytes that their mirrors and the server have."""

    def __init__(self, village: Village, server: Server, houses: list[House]) -> None:
        self.village, self.server, self.houses = village, server, houses
        self.lends: tuple[str, ...] = ()
        """Kinds of messages that the mirrors bring into the log."""
        self.replayed: list[tuple[str, int]] = []

    def act(self) -> None:
        """Heads, handing on, and one duty of each verifier."""
        for house in self.houses:
            house.look()
            self._enter(house)
        with self.village.lock:
            for verifier in self.village.verifiers:
                duty = next(iter(duties.of_verifier(self.village.state, verifier.address)), None)
                if duty is not None:
                    self._do(verifier, duty)
            waiting = [r for run in self.village.state.runs.values() for r in run.rounds.values()]
            if any(r.phase.value == "closed" and r.beacon is None and len(r.seen) >= 2 for r in waiting):
                self.village.block()

    def blob(self, digest: bytes) -> bytes | None:
        """Bytes that any mirror or the server has."""
        name = digest.hex()
        for house in self.houses:
            if house.mirror.blobs.has(name):
                return house.mirror.blobs.read(name)
        return self.server.blobs.get(name)

    def _enter(self, house: House) -> None:
        """What a mirror holds goes into the log, whoever runs the server."""
        hides, self.server.hides = self.server.hides, False
        try:
            for text in house.handed():
                if kind_of(text) in self.lends and text not in self.village.leaves:
                    self.server.enter(text)
        finally:
            self.server.hides = hides

    def _do(self, verifier: LocalAccount, duty: duties.VerifierDuty) -> None:
        village = self.village
        if isinstance(duty, duties.Hold):
            made = self._commitment(duty.proof)
            if self.blob(made.gradientBlob) is not None:
                proofs = (bytes.fromhex(duty.proof[2:]),)
                village.send(messages.Has(village.run, made.round, verifier.address, proofs), verifier)
        elif isinstance(duty, duties.See):
            seen = messages.Seen(village.run, duty.round, verifier.address, duty.index, village.root_at(duty.index))
            village.send(seen, verifier)
        elif isinstance(duty, duties.Reveal):
            village.show_secret(verifier)
        elif isinstance(duty, duties.Read):
            self._read(verifier, duty)
        elif isinstance(duty, duties.Trace):
            trace = messages.TraceReveal(bytes.fromhex(duty.proof[2:]), verifier.address, hashed("trace", duty.proof))
            village.send(trace, verifier)
        elif isinstance(duty, duties.Combine):
            self._combine(verifier, duty)

    def _read(self, verifier: LocalAccount, duty: duties.Read) -> None:
        """True on all whose bytes are there."""
        openings = self._openings(duty.proof)
        sides = {side for segment in duty.segments for side in (segment, segment + 1)}
        if all(side in openings and self.blob(openings[side].blob) is not None for side in sides):
            self.replayed += [(duty.proof, segment) for segment in duty.segments]
            self.village.say(duty.proof, verifier)

    def _combine(self, verifier: LocalAccount, duty: duties.Combine) -> None:
        config, current = self.village.config, self.village.round
        made = [self._commitment(name) for name in current.merge_set.proofs]  # type: ignore[union-attr]
        layout = theta_layout(config)
        gradients: list[Tensors] = [unpack(self.blob(m.gradientBlob) or b"", layout) for m in made]
        theta, momentum = merge(
            *self._outer(current.number), gradients, config.rate("outer_lr"), config.rate("outer_momentum")
        )
        packed = (pack(theta), pack(momentum))
        names = [blake3(data).digest() for data in packed]
        self.server.blobs |= {name.hex(): data for name, data in zip(names, packed, strict=True)}
        message = messages.Merge(
            self.village.run,
            duty.round,
            verifier.address,
            self.village.merge_root,
            state_digest(theta),
            state_digest(momentum),
            names[0],
            names[1],
            5,
        )
        self.village.send(message, verifier)

    def _outer(self, number: int) -> tuple[Tensors, Tensors]:
        theta = initial_theta(self.village.config)
        assert number == 1, "only the first round is merged here"
        return theta, zero_momentum(theta)

    def _commitment(self, proof: str) -> messages.Commitment:
        found = [m for m in self._sent(messages.Commitment) if to_hex(digest(m, DOMAIN)) == proof]
        made = found[0]
        assert isinstance(made, messages.Commitment)
        return made

    def _openings(self, proof: str) -> dict[int, messages.StateOpening]:
        found = self._sent(messages.StateOpening)
        shown = [m for m in found if isinstance(m, messages.StateOpening) and to_hex(m.proof) == proof]
        return {m.boundary: m for m in shown}

    def _sent(self, kind: type[Message]) -> list[Message]:
        reader = Reader(DOMAIN, self.village.author_of)
        texts = [text for text in self.village.leaves if f'"kind":"{slug(kind)}"' in text]
        return [reader.read(text.encode()).message for text in texts]


NODES = ("enrolment", "leave", "return", "commitment", "state-opening", "pledge-reveal")
"""Kinds of a node's messages that stand in the log."""


def kind_of(text: str) -> str:
    """Of a message as it travels."""
    return str(json.loads(text)["kind"])


def address_of(house: House) -> dict[str, Any]:
    """A verifier's signed address, as a list of mirrors has it."""
    message = messages.MirrorAddress(as_address(house.name), house.url, 1)
    envelope = house.village.envelope(message, house.village.verifiers[house.number])
    body = {"kind": slug(type(message)), **envelope.body()}
    return {"verifier": house.name, "url": house.url, "message": body}
