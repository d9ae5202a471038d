"""One verifier of a run in real messages, and everything around it: its replica follows what `SignedRun` writes.

Workers answer what a test says, the server takes what it is told to take, and clocks move when they are moved.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from contracts.chain.deployment import Deployment
from contracts.ids import RunId, as_address, to_hex
from contracts.messages.signatures import Domain
from contracts.protocol.judge.rules.duties import VerifierDuty, of_verifier
from contracts.protocol.log.codec import canonical, slug
from contracts.protocol.log.signed import Envelope
from contracts.wire.requests import CosignatureBody
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL, SignedRun
from tests.verifier.stand_ins import FakeChain, FakeCopy, chain_of
from verifier.duties.progress import VerifierProgress
from verifier.duties.world import World
from verifier.mirror.exchange.handing_on import Answer, Look, MirrorAnswer
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import Reader
from verifier.mirror.store.stopwatch import Stopwatch
from verifier.quorum.bringing import Bringer, subjects
from verifier.quorum.store import DueMessage, QuorumStore
from verifier.replay.question import ReplayRequest
from verifier.replica.errors import ServerRefused
from verifier.replica.replica import Replica
from verifier.service.welcome import AnnouncedBlobs, Announcer, Welcome
from verifier.settings import VerifierSettings
from verifier.signing.memory import Memory
from verifier.signing.secrets import RoundSecrets
from verifier.signing.voice import Voice

REGISTRY = as_address("0x" + "ef" * 20)
LONGEST = 100.0


@dataclass
class FakeServer:
    """Takes signatures while it is up."""

    up: bool = True
    closed: bool = False
    taken: list[tuple[str, CosignatureBody]] = field(default_factory=list)

    def close(self) -> None:
        self.closed = True

    def signature(self, path: str, body: CosignatureBody) -> None:
        if not self.up:
            raise ServerRefused("down")
        self.taken.append((path, body))


@dataclass
class FakeWork:
    """Answers by name of the question, None while there is none; `slow` names those that workers gave up."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    slow: set[str] = field(default_factory=set)

    def ask(self, request: ReplayRequest[Any, Any], *_needs: Any) -> Any:
        self.asked.append((request.subject, request.name, request.question))
        found = self.answers.get(request.name)
        return found(request.question) if callable(found) else found

    def outlasted(self, request: ReplayRequest[Any, Any]) -> bool:
        return request.name in self.slow


@dataclass
class FakeContracts:
    """Notes what it is asked to bring to the chain."""

    place: int = 0
    brought: list[DueMessage] = field(default_factory=list)

    def bring(self, signed: DueMessage) -> str:
        self.brought.append(signed)
        return "done"

    def turn(self) -> int:
        return self.place


@dataclass
class Party:
    """A verifier of the run, and everything around it."""

    made: SignedRun
    world: World
    chain: FakeChain
    server: FakeServer
    work: FakeWork
    welcome: Welcome
    clock: list[float]
    sent: list[bytes]
    said: list[VerifierProgress]
    k: int = 2
    contracts: FakeContracts = field(default_factory=FakeContracts)

    def bringer(self, others: dict[str, str] | None = None, patience: float = 600.0) -> Bringer:
        """What brings its signatures on their way, by this party's clock."""
        world = self.world
        return Bringer(
            address=world.address,
            store=world.quorum,
            server=self.server,
            due=self._due_on_chain,
            others=lambda: others or {},
            is_verifier=self.welcome.is_verifier,
            chain=self.contracts,
            say=lambda event, detail: self.said.append(VerifierProgress(event, detail=detail)),
            patience=patience,
            loopback=True,
            clock=lambda: self.clock[0],
        )

    def _due_on_chain(self) -> set[str]:
        with self.world.replica.reading() as state:
            return subjects(state)

    def follow(self) -> None:
        """Read what the log has by now."""
        copy = cast(FakeCopy, self.world.copy)
        copy.leaves[:] = [leaf.encode() for leaf in self.made.leaves]
        self.chain.blocks = chain_of(self.made.leaves, DOMAIN).blocks
        self.world.replica.admit(len(copy.leaves))
        held = [held.signed.digest for held in self.world.messages.held()]
        self.world.messages.drop(self.world.replica.entered(held))
        self.world.messages.drop_where(lambda claim: not self.welcome.is_welcome(claim))

    def due(self, kind: type[Any]) -> list[Any]:
        """What the machine awaits of this verifier."""
        with self.world.replica.reading() as state:
            found: list[VerifierDuty] = list(of_verifier(state, self.world.address))
        return [duty for duty in found if isinstance(duty, kind)]

    def enter(self) -> None:
        """The operator enters everything that this verifier sent."""
        for held in self.world.messages.held():
            signed = held.signed
            body = json.loads(signed.text)
            signatures = tuple(bytes.fromhex(text[2:]) for text in body["signatures"])
            self.made.add(Envelope(signed.message, signatures, body["beside"]))
        self.follow()

    def hold(self, text: str) -> None:
        """Another mirror's message comes."""
        self.world.messages.take(text.encode())

    def look(self, answered: int = 2, outcome: MirrorAnswer = MirrorAnswer.ANSWERED, holds: int = 10**6) -> Look:
        """A look at which so many others answered, who have so many entries."""
        others = [v.address for v in self.made.verifiers if v.address != self.world.address][:answered]
        return Look(
            Answer("", "", outcome), tuple(Answer(name, "", MirrorAnswer.ANSWERED, "", holds) for name in others)
        )

    def pass_time(self, seconds: float) -> None:
        """On the chain and here."""
        self.clock[0] += seconds
        self.chain.now += int(seconds)


def make_party(folder: Path, made: SignedRun, index: int = 0) -> Party:
    """The verifier of that number."""
    account, copy = made.verifiers[index], FakeCopy([])
    chain, server, work = FakeChain(), FakeServer(), FakeWork()
    clock, sent, said = [1_000.0], list[bytes](), list[VerifierProgress]()
    replica = Replica(made.functions, DOMAIN, chain, folder / "failed.json")
    replica.over(copy)
    reader = Reader(DOMAIN, replica.author_of)
    welcome = Welcome(replica)
    messages = MessageStore(folder / "messages.db", reader, welcome.is_welcome)
    announcer = Announcer(replica, messages)
    book = AddressBook(folder / "book.db", reader, welcome.is_verifier, True)
    world = World(
        settings=settings(folder, made, account.key),
        functions=made.functions,
        chain=chain,
        secrets=RoundSecrets(folder / "verifier.secret", account.address),
        memory=Memory(folder / "said.db"),
        replica=replica,
        copy=cast(Any, copy),
        messages=messages,
        blobs=AnnouncedBlobs(folder / "blobs", welcome.budget, announcer),
        stopwatch=Stopwatch(folder / "presence.db", lambda: chain.now, lambda: clock[0], LONGEST),
        voice=Voice(
            account,
            DOMAIN,
            reader,
            messages,
            book,
            sent.append,
            lambda detail: said.append(VerifierProgress("refused", detail=detail)),
        ),
        work=cast(Any, work),
        quorum=QuorumStore(folder / "signatures.db", Domain(DOMAIN.chain_id, REGISTRY), lambda: clock[0]),
        report=said.append,
    )
    party = Party(made, world, chain, server, work, welcome, clock, sent, said)
    party.follow()
    return party


def settings(folder: Path, made: SignedRun, key: bytes) -> VerifierSettings:
    """Of the deployment that `SignedRun` is of."""
    model_registry, other = DOMAIN.verifying_contract, as_address("0x" + "cd" * 20)
    deployment = Deployment(
        chain_id=DOMAIN.chain_id,
        block=0,
        name="m",
        model=to_hex(MODEL),
        deployer=made.creator.address,
        token=other,
        timelock=other,
        governor=other,
        verifier_registry=REGISTRY,
        distributor=other,
        splitter=other,
        model_registry=as_address(model_registry),
    )
    return VerifierSettings(
        api_url="http://127.0.0.1:9",
        rpc_url="http://127.0.0.1:9",
        deployment=deployment,
        run=RunId(to_hex(made.run)),
        key=to_hex(key),
        folder=folder,
    )


def text_of(made: SignedRun, message: Any, author: Any, **beside: Any) -> str:
    """A message as it travels."""
    envelope = made.envelope(message, author, **beside)
    return canonical({"kind": slug(type(message)), **envelope.body()})
