"""A run of real training behind a small server, and verifier processes over HTTP: one process, no workers.

The operator is honest and enters all that the machine takes; a test says when blocks come.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from eth_account.signers.local import LocalAccount
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.ids import Address, ProofId, RunId, as_address, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE, SHA256_TREE
from contracts.merkle.stored_tree import GrowingTree
from contracts.messages import for_log as messages
from contracts.messages.signatures import digest, sign
from contracts.mirrors.tickets import Tickets
from contracts.mirrors.urls import NOWHERE
from contracts.protocol.configuration.profiles import SEVERAL, AdmittedProfile, profiles_text
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.state import Phase, Stage, State
from contracts.protocol.log.codec import canonical, slug
from contracts.protocol.log.signed import Envelope
from contracts.tensors.state_layout import inner_digest, theta_digest
from contracts.tensors.tensorfile import pack, state_digest
from contracts.tlog.keys import SignatureType
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL, SignedRun, key
from tests.verifier.honest import TINY
from tests.verifier.mirror.world import OPERATOR, ORIGIN, Operator, serving
from tests.verifier.town import REGISTRY
from trainer.data.batches import batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import Share, share_of
from trainer.data.text import load_corpus
from trainer.model.state import initial_theta, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.outer import zero_momentum
from trainer.steps.settled import settle
from trainer.steps.trajectory import Trajectory, run_inner
from verifier.duties.progress import VerifierProgress
from verifier.mirror.store.parsing import Reader
from verifier.replay import question
from verifier.replay.combining import combine
from verifier.replay.files import BytesMissing, Folder
from verifier.replay.holding import HOLD, measure
from verifier.replay.replaying import JUDGE, judge_segment
from verifier.service.service import VerifierProcess
from verifier.settings import BLOBS, MERGED, VerifierSettings


class RealRun(SignedRun):
    """Nodes train; verifiers anchor themselves. In a `mixed` run the first node computes in this machine's exact
    profile and all others in the portable one."""

    def __init__(self, text: Path, mixed: bool = False, **options: Any) -> None:
        self.mixed = mixed
        self.corpus: Corpus = load_corpus([text])
        self.trained: dict[tuple[str, int], Trajectory] = {}
        super().__init__(**options)

    def _create(self, changes: dict[str, Any]) -> None:
        self.config = replace(TINY, corpus_digest=self.corpus.digest, rounds=self.config.rounds)
        self.theta = initial_theta(self.config)
        names = ("exact", "portable") if self.mixed else ("exact",)
        self.profiles = tuple(configure_determinism(name).digest() for name in names)
        if self.mixed:
            listed = map(AdmittedProfile, names, map(to_hex, self.profiles))
            self.config = replace(self.config, profile=SEVERAL, profiles=profiles_text(listed))
        joiner = start_tensors(self.theta, None)
        terms = messages.RunTerms(
            model=MODEL,
            creator=self.creator.address,
            config=self.config.digest(),
            genesis=theta_digest(joiner),
            emission=10**21,
            roundsPerEpoch=1,
            minNodes=len(self.nodes),
            maxNodes=8,
            panel=0,
            samples=2,
            auditFloor=1_000_000,
            nodeStake=0,
            beaconSpan=30,
            rootSeconds=600,
            behindRounds=3,
            canaries=1,
            canaryWindow=10,
            periodSeconds=60,
            leaseSeconds=20,
            leastRate=10**6,
            profiles=self.profiles,
            momentum=state_digest(zero_momentum(self.theta)),
            inner=inner_digest(joiner),
            nonce=1,
        )
        self.run = digest(replace(terms, **changes), DOMAIN)
        self.send(replace(terms, **changes), self.creator, config=self.config.to_json())
        for node in self.nodes:
            payout = key(f"wallet of {node.address}").address
            self.send(messages.Enrolment(self.run, node.address, payout, 1, self.profile(node), 1), node)

    def profile(self, node: LocalAccount) -> bytes:
        """The profile in which a node computes."""
        return self.profiles[min(self.nodes.index(node), len(self.profiles) - 1)]

    def _share(self, node: LocalAccount) -> Share:
        return share_of(node.address, list(self.round.listed))

    def work(self, node: LocalAccount) -> Trajectory:
        """An honest node's round, trained once."""
        place = (node.address, self.round.number)
        if place not in self.trained:
            seed = bytes.fromhex(self.round.data_seed[2:])
            batches = batch_source(self.corpus, self.config, seed, self.round.number, self._share(node))
            config = self.config.under(to_hex(self.profile(node)))
            done = run_inner(config, start_tensors(self.theta, None), batches)
            self.trained[place] = settle(self.theta, done)
        return self.trained[place]

    def entries(self, node: LocalAccount, number: int) -> list[bytes]:
        return list(self.work(node).boundary_entries)

    def commitment(self, node: LocalAccount) -> messages.Commitment:
        data = pack(self.work(node).pseudo_gradient)
        return replace(
            super().commitment(node),
            gradient=self.work(node).pseudo_gradient_digest,
            gradientBlob=name_of(data),
            gradientSize=len(data),
            profile=self.profile(node),
        )

    def opening(self, proof: ProofId, boundary: int, entries: list[bytes]) -> messages.StateOpening:
        node = next(n for n in self.nodes if n.address == self.state.proofs[proof].commitment.node)
        data = self.work(node).packed_state(boundary)
        entry, name = entries[boundary], name_of(data)
        return messages.StateOpening(bytes.fromhex(proof[2:]), boundary, entry[:32], entry[32:], name, len(data))


def name_of(data: bytes) -> bytes:
    from blake3 import blake3

    return bytes(blake3(data).digest())


@dataclass
class RunChain:
    """The chain of a run: all its blocks are final."""

    run: RealRun
    blocks: dict[int, Block] = field(default_factory=dict)

    def final(self) -> tuple[int, int]:
        return self.run.number, self.run.time

    def newest_time(self) -> int:
        return self.run.time

    def block(self, state: State, number: int) -> Block:
        return self.blocks[number]


class Town:
    """The operator's server, verifier processes, and a node that hands all to one mirror."""

    def __init__(self, folder: Path, stack: ExitStack, hidden: int | None = None, **options: Any) -> None:
        self.public_urls = {} if hidden is None else {hidden: NOWHERE}
        text = folder / "text.txt"
        text.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
        self.folder, self.stack, self.lock = folder, stack, threading.RLock()
        self.run = RealRun(text, **options)
        self.text, self.tree = text, GrowingTree()
        self.chain = RunChain(self.run)
        self.signatures: list[tuple[str, dict[str, Any]]] = []
        self.addresses: dict[str, Any] = {}
        self.dropped: set[tuple[str, str]] = set()
        """Kinds of messages, and whose, that the operator does not enter."""
        self.known: set[str] = set()
        self.hangs = threading.Event()
        """While it is set, nobody who brings a message gets an answer."""
        self.gave_up: list[str] = []
        """Requests whose client waited no longer."""
        self.heard: set[str] = set()
        """Digests of all that came, entered or not."""
        self._reader = Reader(DOMAIN, self._author)
        self._note_blocks()
        self.url = stack.enter_context(serving(self._app()))
        self.said: dict[str, list[VerifierProgress]] = {}
        self.processes = [self.process(number) for number in range(len(self.run.verifiers))]

    def process(self, number: int) -> VerifierProcess:
        """A verifier of that number, serving; its jobs are done at once, in this process."""
        account = self.run.verifiers[number]
        said = self.said.setdefault(account.address, [])
        made = VerifierProcess(self.settings(number), said.append, self.chain)
        made.world.work = LocalWork(made.settings.folder, self.run.corpus)  # type: ignore[assignment]
        return self.stack.enter_context(made)

    def settings(self, number: int) -> VerifierSettings:
        other = as_address("0x" + "cd" * 20)
        deployment = Deployment(
            chain_id=DOMAIN.chain_id,
            block=0,
            name="m",
            model=to_hex(MODEL),
            deployer=self.run.creator.address,
            token=other,
            timelock=other,
            governor=other,
            verifier_registry=REGISTRY,
            distributor=other,
            splitter=other,
            model_registry=as_address(DOMAIN.verifying_contract),
            log=OPERATOR.verifier(ORIGIN, SignatureType.NOTE).vkey(),
        )
        secret = to_hex(self.run.verifiers[number].key)
        folder = self.folder / f"verifier {number}"
        return VerifierSettings(
            api_url=self.url,
            rpc_url="http://127.0.0.1:9",
            deployment=deployment,
            run=RunId(to_hex(self.run.run)),
            key=secret,
            folder=folder,
            data=(self.text,),
            look_seconds=0.01,
            public_url=self.public_urls.get(number, ""),
        )

    # -- the node and the chain ---------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One look of every verifier, what the nodes do then, and a block where one is due."""
        for process in self.processes:
            process.step()
        self._wait_for_couriers()
        with self.lock:
            state = self.run.state.runs[RunId(to_hex(self.run.run))]
            if state.round and self.run.round.phase is Phase.OPEN:
                for node in self.run.nodes:
                    self._commit(node)
            self._answer()
            if not state.round or (self.run.round.phase is Phase.CLOSED and len(self.run.round.seen) == 3):
                self.block()

    def _wait_for_couriers(self) -> None:
        """What the verifiers said reaches the server beside their duties."""
        end = time.monotonic() + 10
        said = [signed.digest for process in self.processes for signed in process.world.voice.held()]
        while not self.heard.issuperset(said) and not self.hangs.is_set() and time.monotonic() < end:
            time.sleep(0.005)

    def block(self, *events: Any) -> None:
        with self.lock:
            self.run.block(*events)
            self._note_blocks()

    def hand(self, message: Any, author: LocalAccount, blob: bytes = b"", **beside: Any) -> None:
        """A node hands a message, and the bytes that it names, to the first mirror."""
        envelope = Envelope(message, (sign(message, DOMAIN, bytes(author.key)),), beside)
        text = canonical({"kind": slug(type(message)), **envelope.body()})
        with httpx.Client(base_url=self.processes[0].url, timeout=10, verify=False) as client:
            client.post("/messages", content=text)
            if blob:
                name = name_of(blob).hex()
                ticket = Tickets(author, DOMAIN).headers(name, self.processes[0].address)
                client.put(f"/blobs/{name}", content=blob, headers=ticket)

    def _commit(self, node: LocalAccount) -> None:
        if node.address in self.run.round.proofs:
            return
        message, entries = self.run.commitment(node), self.run.entries(node, 1)
        paths = {
            name: [to_hex(n) for n in KECCAK_TREE.inclusion_proof(entries, place)]
            for name, place in (("first_path", 0), ("last_path", len(entries) - 1))
        }
        self.hand(message, node, pack(self.run.work(node).pseudo_gradient), **paths)

    def _answer(self) -> None:
        for name, proof in self.run.state.proofs.items():
            node = next(n for n in self.run.nodes if n.address == proof.commitment.node)
            entries = self.run.entries(node, 1)
            asked = {side for number in proof.segments for side in (number, number + 1)} - proof.opened
            if proof.stage is Stage.READING:
                for boundary in sorted(asked):
                    opening = self.run.opening(name, boundary, entries)
                    data = self.run.work(node).packed_state(boundary)
                    self.hand(opening, node, data, path=self.run.path(entries, boundary))
            if proof.stage in (Stage.SPOKEN, Stage.VOID) and proof.pledge is None:
                salt = self.run.pledge(node, 1).salt
                self.hand(messages.PledgeReveal(bytes.fromhex(name[2:]), salt, 2**32 - 1), node)

    # -- the server ---------------------------------------------------------------------------------------------------

    def _app(self) -> Starlette:
        operator = self._operator()

        async def message(request: Request) -> Response:
            data = await request.body()
            while self.hangs.is_set():
                if await request.is_disconnected():
                    self.gave_up.append(request.url.path)
                    return Response()
                await asyncio.sleep(0.01)
            return await run_in_threadpool(self._take, data)

        async def mirrors(_request: Request) -> Response:
            shown = [{"verifier": v, "url": None, "message": body} for v, body in self.addresses.items()]
            return JSONResponse({"mirrors": shown, "evidence": []})

        async def signature(request: Request) -> Response:
            self.signatures.append((request.url.path, await request.json()))
            return JSONResponse({})

        routes = [
            Route("/v1/messages", message, methods=["POST"]),
            Route("/v1/mirrors", mirrors),
            Route("/v1/epochs/{number}/signatures", signature, methods=["POST"]),
        ]
        return Starlette(routes=[*routes, *operator.app().routes[:2]])

    def _operator(self) -> Operator:
        operator = Operator([], self.tree)
        run, lock = self.run, self.lock
        head = operator.head

        def newest(size: int | None = None) -> Any:
            with lock:
                new = [leaf.encode() for leaf in run.leaves[self.tree.size :]]
                operator.entries += new
                self.tree.append(SHA256_TREE.leaf_hash(entry) for entry in new)
                return head(size)

        operator.head = newest  # type: ignore[method-assign]
        return operator

    def _take(self, data: bytes) -> Response:
        try:
            with self.lock:
                signed = self._reader.read(data)
                self.heard.add(signed.digest)
                body = json.loads(signed.text)
                if isinstance(signed.message, messages.MirrorAddress):
                    self.addresses[signed.signers[0]] = body
                elif (body["kind"], signed.signers[0]) not in self.dropped:
                    if signed.digest in self.known:
                        return JSONResponse({"digest": signed.digest})
                    signatures = tuple(bytes.fromhex(text[2:]) for text in body["signatures"])
                    self.run.add(Envelope(signed.message, signatures, body["beside"]))
                    self.known.add(signed.digest)  # what was refused may come again, and be heard
        except CommonweightError as error:
            return JSONResponse({"code": error.code, "detail": error.detail}, error.status)
        return JSONResponse({"digest": signed.digest})

    def _author(self, proof: ProofId) -> Address:
        return self.run.follower.author(proof)

    def _note_blocks(self) -> None:
        last = self.run.state.block
        assert last is not None
        self.chain.blocks[last.number] = last


@dataclass
class LocalWork:
    """What workers do, at once."""

    folder: Path
    corpus: Corpus
    false: set[int] = field(default_factory=set)

    def ask(self, request: question.ReplayRequest[Any, Any], *_needs: Any) -> Any:
        files = Folder(self.folder / BLOBS)
        try:
            if request.task is HOLD:
                return measure(request.question, files)
            if request.task is JUDGE:
                return judge_segment(request.question, files, self.corpus)
            return combine(request.question, files, self.corpus, self.folder / MERGED)
        except BytesMissing:
            return None

    def keep(self, subjects: Collection[str]) -> None:
        """Nothing is kept."""


@contextmanager
def town(folder: Path, **options: Any) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(folder, stack, **options)
