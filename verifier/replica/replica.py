"""A verifier's machine over its copy of the log: each entry follows from the rules, each block from its own chain.

The copy shows the machine entries as they come, and asks before it signs a head (verifier/mirror/store/copy.py).
Entries are applied once. A chain node that lags makes a head wait. An entry that does not follow is refused, and
nothing else: the machine stays where it was, and takes a right entry in its place. Where the copy gives up applied
entries, the machine goes back to the entries under the own head.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contracts.errors import CommonweightError
from contracts.files.whole_file import replace_file
from contracts.ids import Address, ProofId
from contracts.messages.for_log import VerifierAnchor
from contracts.messages.signatures import Domain
from contracts.process.record import Record
from contracts.protocol.judge.entries import EpochClosed, EpochEnded
from contracts.protocol.judge.errors import Differs
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.held import proof_of
from contracts.protocol.judge.state import State
from contracts.protocol.log.blocks import split
from contracts.protocol.log.codec import parse
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import Entry, read, write
from contracts.wire.fields import Object
from trainer.log_view.rest import RestFile
from verifier.mirror.store.branches import CosignerKeys
from verifier.replica.chain import Chain
from verifier.replica.envelopes import Collected, envelope_of
from verifier.replica.errors import LogFailed, LogWaits

STEP = 256
"""Entries that are read from the copy at once."""
_WEATHER = (LogWaits, LogFailed, MemoryError, OSError)
"""Errors that say nothing of an entry."""


class Entries(Protocol):
    """A copy of a log. The copy gives up no entry while it shows some."""

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries from `start` up to `end`."""

    def root(self, size: int) -> bytes:
        """Root of the first `size` entries."""


class SignedEntries(Entries, Protocol):
    """This verifier's copy, as verifier/mirror/store/copy.py:LogCopy is."""

    @property
    def signed(self) -> int:
        """Entries under the own head, all of which were admitted."""


@dataclass(frozen=True)
class Beside(Record):
    """The file's part beside the machine's state: closing entries as (epoch, index, leaf), keys in hex."""

    collected: Collected
    closings: list[tuple[int, int, str]]
    keys: dict[str, str]


class Replica:
    """One verifier's replica. `finding` is the file with the newest refusal, for people; the machine's state is beside.

    `trusted` entries were signed for before: their signatures and blocks are not checked again, and as far as a file
    has the state after them they are not even read.
    """

    def __init__(
        self, functions: Functions, domain: Domain, chain: Chain, finding: Path, copy: Entries | None = None
    ) -> None:
        self._functions = functions
        self._domain = domain
        self._chain = chain
        self._finding = finding
        self._copy = copy
        self._trusted = 0
        self._signed: Callable[[], int] = lambda: 0
        self._rest: RestFile | None = None
        self._failure: LogFailed | None = None
        self._turn, self._lock = threading.Lock(), threading.RLock()
        self._follower = Follower(functions, domain)
        self._expected: deque[Block] = deque()
        """Parts of a block that the log has begun, as the own chain has them."""
        self._root: tuple[int, bytes] = (0, b"")
        """Entries that were applied, and the copy's root over them."""
        self._spoilt = False
        """Whether an entry that was refused has changed something."""
        self._keys: dict[str, bytes] = {}
        """Keys by which each verifier signs its heads."""
        self.collected = Collected.empty()
        self.closings: dict[int, tuple[int, EpochClosed]] = {}
        """The newest closing entry of each epoch that is not final, with its index."""

    def over(self, copy: SignedEntries, trusted: int = 0) -> None:
        """Read this copy, whose first `trusted` entries lie under the own head. Raises what `admit` raises."""
        self._copy = copy
        self._signed = lambda: copy.signed
        self._trusted = trusted
        self._rest = RestFile(self._finding.with_name("replica.json"), copy.root)
        self._resume(copy, trusted)
        if trusted:
            self.admit(trusted)

    @contextmanager
    def reading(self) -> Iterator[State]:
        """The machine's state, under its lock: keep nothing of it."""
        with self._lock:
            yield self._follower.state

    @property
    def size(self) -> int:
        """Entries that were applied."""
        return self._follower.size

    @property
    def failure(self) -> LogFailed | None:
        """The reason why no head is signed any more: an entry under the own head does not follow from today's rules."""
        return self._failure

    def judges(self) -> CosignerKeys:
        """k and the verifiers' keys, by the entries that were applied."""
        with self._lock:
            state = self._follower.state
            admitted = [name for name, verifier in state.verifiers.items() if verifier.admitted]
            return CosignerKeys(state.k, {name: self._keys[name] for name in admitted if name in self._keys})

    def author_of(self, proof: ProofId) -> Address:
        """The node of a proof. Raises UnknownSubject."""
        with self._lock:
            return proof_of(self._follower.state, proof).commitment.node

    def entered(self, digests: Iterable[str]) -> list[str]:
        """The messages among these that the log has."""
        with self._lock:
            return [name for name in digests if name in self.collected.entered]

    def admit(self, size: int) -> None:
        """Apply the first `size` entries of the copy, with which a head ends. Raises LogWaits and LogFailed."""
        with self._turn:
            try:
                self._advance(size)
            except Differs as error:
                raise LogFailed(error.index, error.detail) from error
            if self._is_within_a_block(size):
                raise LogWaits(f"the log's head of {size} entries ends within a block")

    def advance(self, size: int) -> None:
        """Apply the first `size` entries, wherever a head ends. Raises LogWaits, Differs for an entry that does not
        follow, and LogFailed where one has signed it."""
        with self._turn:
            self._advance(size)

    def close(self) -> None:
        """Write the state to the disk."""
        with self._turn:
            self._keep(now=True)

    def _advance(self, size: int) -> None:
        copy = self._copy
        assert copy is not None, "a replica reads a copy"
        if self._failure is not None and self._failure.index < self._signed():
            raise self._failure
        self._failure = None
        if self._spoilt or self._is_of_another_log(copy):
            self._go_back(copy)
        self._keep()
        try:
            self._read(copy, size)
        except Differs as error:
            self._note_down(error)
            if error.index < self._signed():
                raise self._failed(error) from error
            if self._spoilt:
                self._go_back(copy)
            raise

    def _failed(self, error: Differs) -> LogFailed:
        self._failure = LogFailed(error.index, error.detail)
        return self._failure

    def _is_within_a_block(self, size: int) -> bool:
        """The machine may be further than a head that is to be signed."""
        if not 0 < size < self.size:
            return bool(self._expected)
        assert self._copy is not None, "a replica reads a copy"
        body = parse(self._copy.entries(size - 1, size)[0].decode())
        return bool(body["kind"] == "block" and body["more"])

    def _read(self, copy: Entries, size: int) -> None:
        try:
            while self.size < size:
                for leaf in copy.entries(self.size, min(size, self.size + STEP)):
                    self._apply(leaf)
        finally:
            self._root = (self.size, copy.root(self.size))

    def _is_of_another_log(self, copy: Entries) -> bool:
        """Whether entries beyond the own head were given up since they were applied."""
        size, root = self._root
        if not size:
            return False
        try:
            return copy.root(size) != root
        except CommonweightError:
            return True

    def _apply(self, leaf: bytes) -> None:
        """Raises Differs with the entry's index, and LogWaits: the machine stands then where it stood, or is spoilt."""
        index = self.size
        expected = deque(self._expected)
        try:
            self._enter(index, leaf)
        except Exception as error:
            self._expected = expected
            self._spoilt = self.size != index
            if isinstance(error, (Differs, *_WEATHER)):
                raise
            raise Differs(index, f"is too much for the machine: {error!r}") from error

    def _enter(self, index: int, leaf: bytes) -> None:
        text = _text(index, leaf)
        trusted = index < self._trusted
        body = _body(index, text)
        if not trusted and body.get("kind") == "block" and not self._follower.due:
            self._check_block(index, text)
        with self._lock:
            self._follower.checked = not trusted
            entry = self._follower.take(text)
            self._note(index, entry, body)

    def _note(self, index: int, entry: Entry, body: Object) -> None:
        """Note the parts of an entry that the machine does not keep, and a verifier needs."""
        message = envelope_of(body, self._domain)
        if message is not None:
            self.collected.add(self._follower.state, message[0].message, message[1])
            if isinstance(message[0].message, VerifierAnchor):
                self._keys[message[0].message.verifier] = message[0].message.logKey
        if isinstance(entry, EpochClosed):
            self.closings[entry.epoch] = (index, entry)
        if isinstance(entry, EpochEnded):
            self.closings.pop(entry.epoch, None)
            self.collected.prune(self._follower.state)

    def _check_block(self, index: int, text: str) -> None:
        """Compare a block with the own chain's, part by part. Raises Differs and LogWaits."""
        try:
            block = self._follower.understand(text)
        except CommonweightError:
            return  # the follower says why, with its index
        assert isinstance(block, Block), "its kind says so"
        state = self._follower.state
        if not self._expected:
            if state.block is not None and block.number <= state.block.number:
                return  # the machine refuses it
            self._expected = deque(split(self._chain.block(state, block.number)))
        expected = self._expected.popleft()
        if block != expected:
            detail = _difference(block, expected)
            raise Differs(index, f"says another thing of block {block.number} than the chain: {detail}")

    def _go_back(self, copy: Entries) -> None:
        """Go back to the end of the own head: from the state in the file, or from the first entry on. The lock hides
        the machine on the way. Raises LogFailed."""
        with self._lock:
            self._follower, self._trusted = Follower(self._functions, self._domain), self._signed()
            self._expected = deque()
            self._root = (0, b"")
            self._keys = {}
            self._spoilt = False
            self.collected = Collected.empty()
            self.closings = {}
            self._resume(copy, self._signed())
            try:
                self._read(copy, self._signed())
            except Differs as error:
                self._note_down(error)
                raise self._failed(error) from error

    def _keep(self, now: bool = False) -> None:
        """Write the state to the disk, if the entries so far lie under the own head and end with a whole entry."""
        copy = self._copy
        rest = self._rest
        if copy is None or rest is None or self._follower.due or self._expected or self.size > self._signed():
            return
        if not self._is_of_another_log(copy):
            rest.write(self._follower.state, self._beside, now)

    def _beside(self) -> Object:
        closings = [(epoch, index, write(entry)) for epoch, (index, entry) in self.closings.items()]
        return Beside(self.collected, closings, {name: key.hex() for name, key in self._keys.items()}).to_json()

    def _resume(self, copy: Entries, trusted: int) -> None:
        """Go on from where an earlier process stood, if that is in the log that it signed."""
        rest = self._rest.read(self._functions, trusted) if self._rest is not None else None
        if rest is None:
            return
        try:
            beside = Beside.from_json(rest.beside)
            closings = {epoch: (index, self._closing(text)) for epoch, index, text in beside.closings}
            keys = {name: bytes.fromhex(key) for name, key in beside.keys.items()}
        except (CommonweightError, AttributeError, KeyError, TypeError, ValueError):
            return
        with self._lock:
            self._follower.state = rest.state
            self.collected = beside.collected
            self.closings = closings
            self._keys = keys
            self._root = (self.size, copy.root(self.size))

    def _closing(self, text: str) -> EpochClosed:
        """Raises InvalidLeaf and TypeError."""
        entry = read(text, self._domain, self._follower.author, checked=False)
        if not isinstance(entry, EpochClosed):
            raise TypeError("another entry than one that closes an epoch")
        return entry

    def _note_down(self, error: Differs) -> None:
        """Write the refusal down for people; the copy decides whether an entry that comes again is refused."""
        self._finding.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._finding, json.dumps({"index": error.index, "detail": error.detail}).encode())


def _body(index: int, text: str) -> Object:
    """A leaf's JSON. Raises Differs."""
    try:
        body = parse(text)
    except CommonweightError as error:
        raise Differs(index, f"cannot be read: {error.detail}") from error
    return body if isinstance(body, dict) else {}


def _text(index: int, leaf: bytes) -> str:
    try:
        return leaf.decode()
    except UnicodeDecodeError as error:
        raise Differs(index, f"is not UTF-8 at byte {error.start}") from None


def _difference(block: Block, expected: Block) -> str:
    """The first field that differs, for people."""
    for name in ("number", "time", "hash", "parent_time", "more"):
        if getattr(block, name) != getattr(expected, name):
            return f"{name} is {getattr(block, name)}, not {getattr(expected, name)}"
    extra: Sequence[object] = [event for event in block.events if event not in expected.events]
    missing: Sequence[object] = [event for event in expected.events if event not in block.events]
    return f"events beyond the chain's {list(extra)[:2]}, missing {list(missing)[:2]}"
