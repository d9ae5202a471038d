"""The messages and blobs that this verifier's mirror takes: the machine's answers to verifier/mirror (J1, J21)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from contracts.errors import CommonweightError
from contracts.ids import NO_PROOF, Address, ProofId, RunId, to_hex
from contracts.messages.for_contracts import Message
from contracts.messages.for_log import Commitment, LeaseRenewal, Merge, MirrorAddress, StateOpening
from contracts.mirrors.arrival import LEAST_RATE
from contracts.mirrors.slots import FAIR_RATE, Sender
from contracts.protocol.judge import facts
from contracts.protocol.judge.errors import NotSeated
from contracts.protocol.judge.rules.merges import MOST_STEPS
from contracts.protocol.judge.rules.presence import live_run
from contracts.protocol.judge.state import RoundState, State
from contracts.protocol.maintainers import Maintainers
from contracts.protocol.run_config import RunConfig
from verifier.mirror.errors import NotAnnounced, QuotaSpent
from verifier.mirror.store.announced import Announcement, BlobOrigin, OuterSizes, announced_by
from verifier.mirror.store.blobs import BlobStore
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import Asked, Vouching
from verifier.replay.sizes import outer_sizes, state_size, weights_size
from verifier.replica.replica import Replica
from verifier.replica.trial import check_entry, check_part, check_renewal

Subject: TypeAlias = tuple[str | int, ...]
_NONE = OuterSizes(0, 0)
UPLOADS_OF_ONE = 8
"""Mirrors to which a node brings its bytes at one time, at the least rate of its run in all."""


class Welcome:
    """The machine at its head, asked by the routes and by the looks."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def is_welcome(self, claim: Asked) -> bool:
        """Whether the machine would enter a message now."""
        with self._replica.reading() as state:
            try:
                _check(state, claim)
            except CommonweightError:
                return False
        return True

    def has_part(self, claim: Asked) -> bool:
        """Whether the claim's author has a part in its subject at all: asked before any signer is recovered."""
        if not isinstance(claim, facts.Fact):
            return self.is_welcome(claim)
        with self._replica.reading() as state:
            try:
                check_part(state, claim)
            except CommonweightError:
                return False
        return True

    def budget(self, origin: BlobOrigin) -> int:
        """Bytes that a node's round, or a verifier's merge before it, needs: other rounds, and others' proofs, do not
        change this."""
        with self._replica.reading() as state:
            return sum(_bytes(state, origin))

    def verifiers(self) -> list[str]:
        """The verifiers on the chain's list."""
        with self._replica.reading() as state:
            return [name for name, verifier in state.verifiers.items() if verifier.admitted]

    def is_verifier(self, address: Address) -> bool:
        """Whether an address is on the chain's list."""
        with self._replica.reading() as state:
            verifier = state.verifiers.get(address)
            return verifier is not None and verifier.admitted


class Announcer:
    """Gives a store of blobs the announcements of the log and of held messages, each message once."""

    def __init__(self, replica: Replica, messages: MessageStore) -> None:
        self._replica = replica
        self._messages = messages
        self._done: set[str] = set()
        self._kept: set[tuple[str, BlobOrigin]] = set()
        self._lock = threading.Lock()
        self._seen = (-1, -1)

    def announce(self, blobs: BlobStore) -> None:
        """Announce new blobs. A blob beyond its key's budget is tried again: forgotten blobs make room."""
        with self._lock:
            self._seen = self._newest()
            for name, announced in self._new():
                taken = [_is_taken(blobs, blob) for blob in announced]
                if all(taken):
                    self._done.add(name)

    def announce_news(self, blobs: BlobStore) -> None:
        """As `announce`, where there is a new message or entry: strangers' questions cost no more than that check."""
        if self._newest() != self._seen:
            self.announce(blobs)

    def _newest(self) -> tuple[int, int]:
        newest = self._messages.newest
        with self._replica.reading() as state:
            return newest, state.size

    def keep(self, blobs: BlobStore) -> None:
        """Keep the blobs from which a run's next round begins: they are needed beyond the epoch of their merge."""
        with self._replica.reading() as state:
            log = self._replica.collected
            needed = {digest: run.round + 1 for run in state.runs.values() for digest in (run.theta, run.momentum)}
            merges = [m for m in log.merges.values() if {to_hex(m.theta), to_hex(m.momentum)} & needed.keys()]
            announced = [blob for merge in merges for blob in _kept(state, merge, needed.get(to_hex(merge.theta), 0))]
            self._kept &= {(blob.digest, blob.place) for blob in announced}
        for blob in announced:
            if (blob.digest, blob.place) in self._kept:
                continue
            if _is_taken(blobs, blob):
                self._kept.add((blob.digest, blob.place))

    def sender(self, key: Address, run: RunId) -> Sender:
        """The sender of uploads. Verifiers, and nodes with a reserved stake, are staked; a run has the least rate."""
        with self._replica.reading() as state:
            run_state = state.runs.get(run)
            rounds = run_state.rounds.values() if run_state is not None else ()
            staked = any(key in current.verifiers or _is_staked(current, key) for current in rounds)
            terms = self._replica.collected.terms.get(run)
            rate = terms.leastRate // UPLOADS_OF_ONE if terms is not None else LEAST_RATE
            return Sender(key, staked, max(1, min(rate, FAIR_RATE // UPLOADS_OF_ONE)))

    def _new(self) -> list[tuple[str, tuple[Announcement, ...]]]:
        """New announcements. A key has one gradient a round, and one file a boundary: the log's, else the first one."""
        waiting = [(held.signed.digest, held.signed.message) for held in self._messages.held()]
        with self._replica.reading() as state:
            log = self._replica.collected
            openings = [(f"{p}/{b}", o) for p, opened in log.openings.items() for b, o in opened.items()]
            every: list[tuple[str, Message]] = [*log.commitments.items(), *openings, *log.merges.items(), *waiting]
            chosen: dict[Subject, tuple[str, Message]] = {}
            for name, message in every:
                chosen.setdefault(_subject(name, message), (name, message))
            self._done &= {name for name, _ in chosen.values()}
            return [(name, _announced(state, message)) for name, message in chosen.values() if name not in self._done]


def _subject(name: str, message: Message) -> Subject:
    if isinstance(message, Commitment):
        return message.node, to_hex(message.run), message.round
    if isinstance(message, StateOpening):
        return to_hex(message.proof), message.boundary
    return (name,)


def _is_staked(current: RoundState, key: Address) -> bool:
    return key in current.listed and current.listed[key].staked


def _is_taken(blobs: BlobStore, blob: Announcement) -> bool:
    try:
        blobs.announce(blob)
    except QuotaSpent:
        return False
    return True


class AnnouncedBlobs(BlobStore):
    """A store that looks for new announcements before it says that there is none."""

    def __init__(self, folder: Path, budget: Callable[[BlobOrigin], int], announcer: Announcer) -> None:
        self._announcer = announcer
        super().__init__(folder, budget, announcer.sender)

    def sizes(self, digest: str) -> frozenset[int]:
        """The sizes that were announced for a digest. Raises NotAnnounced."""
        try:
            return super().sizes(digest)
        except NotAnnounced:
            self._announcer.announce_news(self)
            return super().sizes(digest)


def _check(state: State, claim: Asked) -> None:
    """Raises Refused."""
    if isinstance(claim, Vouching):
        _check_vouching(state, claim)
    elif isinstance(claim, LeaseRenewal):
        check_renewal(state, claim)
    elif not isinstance(claim, MirrorAddress):
        assert isinstance(claim, facts.Fact), "a claim is one of three"
        check_entry(state, claim)


def _check_vouching(state: State, claim: Vouching) -> None:
    """Check a contribution or an invoice as if all had signed who may: maintainers, its renter and its payee. Its
    signer must be one of them. Raises Refused."""
    run = live_run(state, claim.fact.run)
    maintainers = Maintainers.parse(RunConfig.from_json(run.config).maintainers).members
    own = (claim.fact.renter, claim.fact.account) if isinstance(claim.fact, facts.Invoiced) else ()
    allowed = {*maintainers, *own}
    if claim.signer and claim.signer not in allowed:
        raise NotSeated(f"{claim.signer} is no maintainer")
    check_entry(state, replace(claim.fact, signers=tuple(sorted(allowed))))


def _bytes(state: State, origin: BlobOrigin) -> Iterator[int]:
    """A node's gradient, and the states that draws ask for; a verifier's merges. At most the manifest's number of nodes
    is listed, so that keys without a stake have no more than these in all."""
    run = state.runs.get(origin.run)
    if run is None:
        return
    current = run.rounds.get(origin.round)
    if current is not None and origin.key in current.listed:
        yield weights_size(current.config) + _boundaries(state, current, origin.key) * state_size(current.config)
    if any(origin.key in other.verifiers for other in run.rounds.values()):
        yield MOST_STEPS * 2 * weights_size(run.config)


def _boundaries(state: State, current: RoundState, key: Address) -> int:
    proof = state.proofs.get(current.proofs.get(key, NO_PROOF))
    segments = proof.segments if proof is not None else ()
    return len({side for segment in segments for side in (segment, segment + 1)})


def _announced(state: State, message: Message) -> tuple[Announcement, ...]:
    """The announcements of a message, under its author and its round; a merge is of the round that begins from it."""
    if isinstance(message, Commitment):
        return _of_node(state, message, BlobOrigin(message.node, RunId(to_hex(message.run)), message.round))
    if isinstance(message, StateOpening):
        proof = state.proofs.get(ProofId(to_hex(message.proof)))
        commitment = proof.commitment if proof is not None else None
        return (
            _of_node(state, message, BlobOrigin(commitment.node, commitment.run, commitment.round))
            if commitment is not None
            else ()
        )
    if isinstance(message, Merge) and to_hex(message.run) in state.runs:
        origin = BlobOrigin(message.verifier, RunId(to_hex(message.run)), message.round + 1)
        return announced_by(message, origin, _outer(state, message))
    return ()


def _of_node(state: State, message: Commitment | StateOpening, origin: BlobOrigin) -> tuple[Announcement, ...]:
    """A node's announcements, without files that are larger than the run's layout has: such a file is of no use."""
    run = state.runs.get(origin.run)
    current = run.rounds.get(origin.round) if run is not None else None
    if current is None:
        return ()
    most = weights_size(current.config) if isinstance(message, Commitment) else state_size(current.config)
    return tuple(blob for blob in announced_by(message, origin, _NONE) if blob.size <= most)


def _kept(state: State, merge: Merge, number: int) -> tuple[Announcement, ...]:
    return announced_by(merge, BlobOrigin(merge.verifier, RunId(to_hex(merge.run)), number), _outer(state, merge))


def _outer(state: State, message: Merge) -> OuterSizes:
    """No decision changes the layout of a run."""
    return outer_sizes(state.runs[RunId(to_hex(message.run))].created.config)
