"""A verifier process: a mirror that serves, a replica that follows, and duties, look by look.

No answer of the server, the chain or another mirror ends the process. Its words stand on its disk, so that a restart
goes on where it was.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3

from contracts.chain.connection import connect, hang_up
from contracts.errors import CommonweightError
from contracts.ids import NO_PROOF, Address, ProofId, from_hex
from contracts.messages.for_log import MirrorAddress
from contracts.messages.signatures import Domain
from contracts.mirrors.tickets import Tickets
from contracts.mirrors.urls import NOWHERE
from contracts.process.clock_watch import ClockWatch
from contracts.process.listening import listen, url_of
from contracts.process.outage import Troubles
from contracts.protocol.chain.reading import ChainReader
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.rules.duties import (
    Combine,
    ComeBack,
    Hold,
    LookAgain,
    Read,
    Reveal,
    See,
    SignEpoch,
    SignFault,
    Trace,
    VerifierDuty,
    of_verifier,
)
from contracts.recursion import bound_recursion
from verifier.duties import anchor, combine, come_back, epochs, faults, hold, lapse, read, reveal, see, trace
from verifier.duties.progress import VerifierProgress
from verifier.duties.world import World
from verifier.jobs.queue import make_app
from verifier.mirror.exchange.fetching import Fetcher
from verifier.mirror.exchange.handing_on import HandingOn
from verifier.mirror.exchange.pulling import Puller
from verifier.mirror.http.routes import Mirror, mirror_app
from verifier.mirror.http.serving import mirror_server, port_of
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.copy import Cosigner, LogCopy
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import Reader
from verifier.mirror.store.stopwatch import Stopwatch
from verifier.quorum.bringing import Bringer, subjects
from verifier.quorum.chain import QuorumContracts
from verifier.quorum.store import QuorumStore
from verifier.replay import asking
from verifier.replay.work import Work
from verifier.replica.chain import Chain, NewestTime, OwnChain
from verifier.replica.errors import ChainAway, LogFailed, LogWaits, NotPrepared
from verifier.replica.replica import Replica
from verifier.service.server import Server, door_of
from verifier.service.telling import Telling
from verifier.service.welcome import AnnouncedBlobs, Announcer, Welcome
from verifier.settings import VerifierSettings
from verifier.signing.memory import Memory
from verifier.signing.secrets import RoundSecrets
from verifier.signing.voice import Voice

T = TypeVar("T")
D = TypeVar("D")
logger = logging.getLogger(__name__)
LEAST_RATE = 100_000
"""Bytes a second below which another source is asked for a blob."""
LOOKS_LONG, LEAST_LOOK = 3.0, 2.0
"""The longest look: so many times the pause between two, and never fewer seconds than these. No answer is waited for
any longer, and no more of a look counts for a time-out."""


class VerifierProcess:
    """One verifier. `step` is one look and the duties after it; `run` steps until it is told to stop."""

    def __init__(
        self, settings: VerifierSettings, report: Callable[[VerifierProgress], None], chain: Chain | None = None
    ) -> None:
        bound_recursion()
        self.settings = settings
        self._report = report
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._troubles = Troubles(self._trouble)
        self._telling = Telling(settings, self._report, self._troubles)
        self._closed = False
        self._newest: int | None = None
        self._clock = ClockWatch(lambda detail: report(VerifierProgress("clock", detail=detail)))
        self._known_time = 0.0
        self._prepared: anchor.PreparedRun | None = None
        self._w3 = _reached(settings)
        self._open(
            chain or OwnChain(ChainReader(self._w3, settings.deployment), NewestTime(self._w3, settings.deployment))
        )

    @property
    def address(self) -> Address:
        """The verifier's address, with its checksum."""
        return self.world.address

    @property
    def url(self) -> str:
        """The mirror's address, NOWHERE where it cannot be reached; known once it serves."""
        settings = self.settings
        if settings.public_url:
            return settings.public_url
        return url_of(settings.host, port_of(self._server)) if settings.loopback else NOWHERE

    def run(self, stop: threading.Event) -> None:
        """Serve, and look until told to stop.

        Raises NotPrepared and WrongCorpus, since no replay here would stand, and GaveUp where the settings say so.
        """
        with self:
            while not stop.is_set():
                self.step()
                stop.wait(self.settings.look_seconds)

    def leave(self, seconds: float) -> None:
        """Before a stop: wait so many seconds at most for the chain node, which may be silent."""
        hang_up(self._w3, seconds)

    def __enter__(self) -> VerifierProcess:
        """Serve the mirror, in a thread of its own. Raises PortRefused."""
        listener = listen(self.settings.host, self.settings.port)
        self._server = mirror_server(mirror_app(self.mirror), self.settings.host, self.settings.port)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="mirror", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise NotPrepared(f"the mirror on {self.settings.host}:{self.settings.port} did not start")
            time.sleep(0.01)
        self._report(VerifierProgress("serving", detail=self.url))
        self._bringing = threading.Thread(target=self.bringer.run, args=(self._leaves,), name="bringer", daemon=True)
        self._bringing.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._leaves.set()
        self.world.quorum.news.set()
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._bringing.join(timeout=10)
        self.close()

    def close(self) -> None:
        """Let all files go. A second time does nothing."""
        if self._closed:
            return
        self._closed = True
        self._handing.close()
        self.world.replica.close()
        for part in (self.mirror.copy, self.mirror.messages, self.mirror.blobs, self.mirror.book):
            part.close()
        self.world.quorum.close()
        self.world.stopwatch.close()
        self.world.memory.close()

    def step(self) -> None:
        """Look at server and mirrors, read new entries, and do due duties. Raises GaveUp, NotPrepared, WrongCorpus."""
        self._guarded("the mirror's address", self._introduce, None)
        self._newest, away = self._newest_time()
        if self._newest is not None:
            self._clock.block(self._newest)
        look = self._handing.look()
        self._telling.tell(self.world, look, away, self._newest)
        self._guarded("what is kept", self._settle, None)
        watch = partial(lapse.watch, self.world, look, self._newest is not None)
        counts = self._guarded("time-outs", watch, lambda _entries: False)
        if self.world.replica.failure is None:
            self._do(counts)

    # -- a look ------------------------------------------------------------------------------------------------------

    def _introduce(self) -> None:
        """Sign this mirror's address when it changes; the address goes to server and mirrors again and again."""
        if self.world.address not in self._welcome.verifiers():
            return
        address = self.mirror.book.newest().get(self.address)
        if address is None or address.url != self.url or not address.text:
            with self.world.replica.reading() as state:
                sequence = max(state.size, address.sequence + 1 if address else 0)
            self.world.voice.say(MirrorAddress(self.address, self.url, sequence))

    def _newest_time(self) -> tuple[int | None, str | None]:
        """Time of the chain's newest block, or the reason why it is not known."""
        try:
            return self.world.chain.newest_time(), None
        except LogWaits as error:
            return None, error.why if isinstance(error, ChainAway) else error.detail

    def _settle(self) -> None:
        """Drop messages that the log has or has no place for, and forget rounds that ended in a final epoch."""
        world = self.world
        welcome = self._welcome
        world.messages.drop(world.replica.entered([held.signed.digest for held in world.messages.held()]))
        world.messages.drop_where(lambda claim: not welcome.is_welcome(claim))
        self._announcer.announce(world.blobs)
        self._announcer.keep(world.blobs)
        with world.replica.reading() as state:
            ended = {name: min(run.rounds, default=run.round + 1) - 1 for name, run in state.runs.items()}
            rounds = asking.rounds(state)
            proofs = set(state.proofs)
            subjects = asking.subjects(state, world.replica.collected)
        for name, last in ended.items():
            if last > self._ended.get(name, 0):
                self._ended[name] = last
                world.blobs.forget(name, last)
                world.stopwatch.forget(name, last)
                world.memory.keep(proofs, {asking.round_name(*key) for key in rounds})
                world.work.keep(subjects)
                combine.tidy(world, rounds)

    # -- duties ------------------------------------------------------------------------------------------------------

    def _do(self, counts: lapse.Counts) -> None:
        """Each duty by itself: one that fails keeps no other from being done."""
        world = self.world
        with world.replica.reading() as state:
            due = list(of_verifier(state, self.address))
        self._bind()
        duties: dict[str, Callable[[], None]] = {
            "bytes to hold": partial(hold.hold, world, _of(Hold, due)),
            "words of what was seen": partial(see.see, world, _of(See, due)),
            "the secret of a round": partial(reveal.reveal, world, _of(Reveal, due)),
            "a proof to read": partial(read.read, world, _of(Read, due)),
            "a proof to look at": partial(read.look, world, _of(LookAgain, due)),
            "a trace to show": partial(trace.show, world, _of(Trace, due)),
            "a merge": partial(combine.combine, world, _of(Combine, due)),
            "the return": partial(come_back.come_back, world, _of(ComeBack, due)),
            "an epoch to sign": partial(epochs.sign, world, _of(SignEpoch, due), counts),
            "a fault to sign": partial(faults.sign, world, _of(SignFault, due), counts),
            "what lapses": partial(lapse.lapse, world),
        }
        for name, duty in duties.items():
            self._guarded(name, duty, None)

    def _bind(self) -> None:
        """Raises NotPrepared and WrongCorpus."""
        self._prepared = self._prepared or self._guarded("text and weights", partial(anchor.prepare, self.world), None)
        if self._prepared is not None:
            self._guarded("the anchor", partial(anchor.anchor, self.world, self._prepared), None)

    def _guarded(self, name: str, duty: Callable[[], T], otherwise: T) -> T:
        """Do a duty; an error is reported, in few lines, and the duty tried again at the next look."""
        try:
            result = duty()
        except anchor.UNPREPARED:
            raise
        except ChainAway:  # reported as weather
            return otherwise
        except CommonweightError as error:
            self._troubles.failed(name, f"{error.code}: {error.detail}")
            return otherwise
        except Exception as error:
            if self._troubles.failed(name, repr(error)):
                logger.exception("%s: an answer that makes no sense", name)
            return otherwise
        self._troubles.ended(name)
        return result

    def _trouble(self, line: str) -> None:
        self._report(VerifierProgress("trouble", detail=line))

    # -- the beginning -----------------------------------------------------------------------------------------------

    def _open(self, chain: Chain) -> None:
        settings = self.settings
        deployment = self.settings.deployment
        folder = settings.folder
        mirror = settings.blobs.parent
        account = Account.from_key(settings.key)
        domain = Domain(deployment.chain_id, deployment.model_registry)
        functions = Protocol(
            deployment.chain_id, deployment.distributor, from_hex(deployment.model), deployment.deployer
        )
        secrets = RoundSecrets(folder / "verifier.secret", account.address)
        replica = Replica(functions, domain, chain, folder / "log-failed.json")
        reader = Reader(domain, replica.author_of)
        self._welcome = welcome = Welcome(replica)
        cosigner = Cosigner(account.address, secrets.log_key(), lambda: int(time.time()))
        copy = LogCopy(mirror, deployment.log_key(), cosigner, replica.admit, replica.advance, replica.judges)
        self._read_again(replica, copy)
        messages = MessageStore(mirror / "messages.db", reader, welcome.is_welcome, welcome.has_part)
        self._announcer = Announcer(replica, messages)
        blobs = AnnouncedBlobs(settings.blobs, welcome.budget, self._announcer)
        first = deployment.first_mirrors()
        book = AddressBook(mirror / "addresses.db", reader, welcome.is_verifier, settings.loopback, first)
        quorum = QuorumStore(folder / "signatures.db", Domain(deployment.chain_id, deployment.verifier_registry))
        self.mirror = Mirror(account.address, reader, messages, blobs, book, copy, welcome.verifiers, quorum.show)
        fetcher = Fetcher(blobs, self._wanted, LEAST_RATE)
        look_seconds = max(LOOKS_LONG * settings.look_seconds, LEAST_LOOK)
        puller = Puller(reader, messages, book, copy)
        self._handing = HandingOn(
            account.address,
            door_of(settings.api_url, deployment),
            book,
            copy,
            messages,
            puller,
            fetcher,
            blobs,
            Tickets(account, domain),
            seconds=look_seconds,
        )
        longest = settings.look_seconds + look_seconds
        stopwatch = Stopwatch(mirror / "presence.db", self._chain_time, time.monotonic, longest)
        self._app, self._ended = make_app(settings), dict[str, int]()
        self.world = World(
            settings=settings,
            functions=functions,
            chain=chain,
            secrets=secrets,
            memory=Memory(folder / "said.db"),
            replica=replica,
            copy=copy,
            messages=messages,
            blobs=blobs,
            stopwatch=stopwatch,
            voice=Voice(account, domain, reader, messages, book, self._hand, partial(self._failed, NO_PROOF)),
            work=Work(lambda: self._app.jobs, blobs.has, settings.attempts, self._failed),
            quorum=quorum,
            report=self._report,
            give_blob=lambda name: self._handing.give_blob(name),
        )
        self._leaves = threading.Event()
        self.bringer = self._bringer(account)

    def _bringer(self, account: LocalAccount) -> Bringer:
        """The bringer, which calls from a thread of its own, so that no duty waits for it."""
        settings = self.settings
        world = self.world
        return Bringer(
            address=world.address,
            store=world.quorum,
            server=Server(settings.api_url),
            due=self._due_on_chain,
            others=lambda: {
                v: address.url for v, address in self.mirror.book.newest().items() if address.url != NOWHERE
            },
            is_verifier=self._welcome.is_verifier,
            chain=QuorumContracts(self._w3, settings.deployment, account),
            say=lambda event, detail: self._report(VerifierProgress(event, detail=detail)),
            patience=settings.relay_seconds,
            loopback=settings.loopback,
        )

    def _due_on_chain(self) -> set[str] | None:
        """None while less was read than was signed for: after a start, or while the chain node does not answer."""
        with self.world.replica.reading() as state:
            return subjects(state) if state.size >= self.world.copy.signed else None

    def _read_again(self, replica: Replica, copy: LogCopy) -> None:
        """Read the entries under the own head again: all of them were checked before."""
        try:
            replica.over(copy, copy.signed)
        except (LogFailed, LogWaits) as error:
            self._report(VerifierProgress("trouble", detail=f"{error.code}: {error.detail}"))

    def _wanted(self) -> list[str]:
        """The blobs that the looks fetch, announced first."""
        self._announcer.announce(self.world.blobs)
        with self.world.replica.reading() as state:
            return asking.wanted(state, self.world.replica.collected, self.address)

    def _chain_time(self) -> float:
        """The chain's time as of this look; while the chain node does not answer, no look counts."""
        if self._newest is not None:
            self._known_time = float(self._newest)
        return self._known_time

    def _hand(self, _data: bytes) -> None:
        self._handing.hand()

    def _failed(self, subject: ProofId, why: str) -> None:
        self._report(VerifierProgress("trouble", proof=subject, detail=why))


def _reached(settings: VerifierSettings) -> Web3:
    return connect(settings.rpc_url, *settings.other_rpc_urls, finality_depth=settings.finality_depth)


def _of(kind: type[D], duties: list[VerifierDuty]) -> list[D]:
    return [duty for duty in duties if isinstance(duty, kind)]
