"""The messages that a mirror holds and its copy of the log lacks: added in one order, each once, gone when settled.

A sequence number is given once and never again, so that a reader that asks `since` a number misses nothing. The name of
the store is drawn when its file is made: a reader that meets another name begins at 0.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import BadField, BadSignature, CommonweightError, InvalidTree
from contracts.messages.for_log import LeaseRenewal, MirrorAddress
from contracts.protocol.judge.facts import Enrolled
from contracts.protocol.log.codec import InvalidLeaf
from verifier.mirror.errors import NotWelcome, QuotaSpent
from verifier.mirror.store.database import Database
from verifier.mirror.store.parsing import Asked, Claim, Reader, SignedMessage, Unchecked

PAGE = 64
"""Messages in one answer."""
MOST_OF_ONE = 1024
"""Messages of one signer."""
MOST_ENROLMENTS = 4096
"""Enrolments in all: any new key can sign one."""

_BROKEN = (InvalidLeaf, BadField, BadSignature, InvalidTree)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT UNIQUE NOT NULL, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS store (name TEXT NOT NULL);
"""


@dataclass(frozen=True)
class HeldMessage:
    """A message under its number, which counts from 1."""

    sequence: int
    signed: SignedMessage


@dataclass(frozen=True)
class Page:
    """Messages after a number, at most PAGE of them; `last` is the number of the newest that is held, 0 for none."""

    store: str
    held: tuple[HeldMessage, ...]
    last: int


class MessageStore:
    """Messages in a file, and in memory. `is_welcome` says whether the machine would enter a message at its head,
    `has_part` whether its author may sign such a message at all (None: as `is_welcome`).

    The machine has a lock of its own: it is asked only while this store's lock is free.
    """

    def __init__(
        self,
        path: Path,
        reader: Reader,
        is_welcome: Callable[[Asked], bool],
        has_part: Callable[[Asked], bool] | None = None,
    ) -> None:
        self._reader = reader
        self._is_welcome = is_welcome
        self._has_part = has_part or is_welcome
        self._file, self._lock = Database(path, _SCHEMA), threading.RLock()
        self._held: dict[int, SignedMessage] = {}
        self._numbers: dict[str, int] = {}
        self._unread: dict[int, tuple[str, str]] = {}
        """Digest and text of messages that cannot be read before the machine has come as far as it was."""
        self._signers: Counter[str] = Counter()
        self._enrolments = 0
        self.name = self._named()
        self._load()

    def take(self, data: bytes) -> int:
        """Keep a message and return its number; one that is held has its number already.

        Raises NotWelcome, QuotaSpent, DiskFull, and what Reader.read raises.
        """
        return self.take_unchecked(self._reader.parse(data))

    def take_unchecked(self, message: Unchecked) -> int:
        """As `take`: the author must have a part in it; only then signers are recovered, and the machine is asked."""
        existing = self._numbers.get(message.digest)
        if existing is not None:
            return existing
        _require(not isinstance(message.asked, MirrorAddress) and self._has_part(message.asked))
        return self.keep(self._reader.check(message, self._is_welcome))

    def keep(self, signed: SignedMessage) -> int:
        """As `take`, for a message that was read."""
        if signed.digest not in self._numbers:
            self._require_welcome(signed.claim)
        with self._lock:
            existing = self._numbers.get(signed.digest)
            if existing is not None:
                return existing
            number = next((n for n, (digest, _) in self._unread.items() if digest == signed.digest), None)
            if number is not None:
                del self._unread[number]
                self._remember(number, signed)
                return number
            self._check(signed)
            older = self._older_renewals(signed)
            return self._write(signed, older)

    @property
    def newest(self) -> int:
        """The number of the newest that is held, 0 for none."""
        with self._lock:
            return max(self._held, default=0)

    def since(self, number: int) -> Page:
        """Messages after a number, in their order."""
        with self._lock:
            later = sorted(n for n in self._held if n > number)[:PAGE]
            held = tuple(HeldMessage(n, self._held[n]) for n in later)
            return Page(self.name, held, self.newest)

    def held(self) -> tuple[HeldMessage, ...]:
        """All messages, in their order."""
        with self._lock:
            return tuple(HeldMessage(number, self._held[number]) for number in sorted(self._held))

    def has(self, digest: str) -> bool:
        """Whether a message with this digest (0x-hex) is held."""
        return digest in self._numbers

    def drop(self, digests: Iterable[str]) -> None:
        """Drop these messages: the log has them. Digests that are not held are passed over."""
        with self._lock:
            self._remove([self._numbers[digest] for digest in set(digests) if digest in self._numbers])

    def drop_where(self, is_over: Callable[[Claim], bool]) -> None:
        """Drop messages that are over, as the owner says: those about rounds whose epoch is final, for instance."""
        self._read_later()
        over = [held.sequence for held in self.held() if is_over(held.signed.claim)]
        with self._lock:
            self._remove([number for number in over if number in self._held])

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _require_welcome(self, asked: Asked) -> None:
        _require(not isinstance(asked, MirrorAddress) and self._is_welcome(asked))

    def _check(self, signed: SignedMessage) -> None:
        if any(self._signers[signer] >= MOST_OF_ONE for signer in signed.signers):
            raise QuotaSpent(f"{MOST_OF_ONE} messages of one signer wait for the log")
        if isinstance(signed.claim, Enrolled) and self._enrolments >= MOST_ENROLMENTS:
            raise QuotaSpent(f"{MOST_ENROLMENTS} enrolments wait for the log")

    def _older_renewals(self, signed: SignedMessage) -> list[int]:
        """Older heartbeats of a node in a round: the newest is enough. Raises NotWelcome for one that is not newer."""
        if not isinstance(signed.claim, LeaseRenewal):
            return []
        numbers = [number for number, other in self._held.items() if _same_lease(signed.claim, other.claim)]
        for number in numbers:
            claim = self._held[number].claim
            assert isinstance(claim, LeaseRenewal), "it is of the same lease"
            if claim.step >= signed.claim.step:
                raise NotWelcome(f"a heartbeat of step {claim.step} is held")
        return numbers

    def _write(self, signed: SignedMessage, older: list[int]) -> int:
        with self._file.write() as tables:
            tables.executemany("DELETE FROM message WHERE sequence = ?", [(number,) for number in older])
            row = (signed.digest, signed.text)
            number = tables.execute("INSERT INTO message (digest, text) VALUES (?, ?)", row).lastrowid
        assert number is not None, "a row was added"
        self._forget(older)
        self._remember(number, signed)
        return number

    def _remove(self, numbers: list[int]) -> None:
        with self._file.write() as tables:
            tables.executemany("DELETE FROM message WHERE sequence = ?", [(number,) for number in numbers])
        self._forget(numbers)

    def _remember(self, number: int, signed: SignedMessage) -> None:
        self._held[number] = signed
        self._numbers[signed.digest] = number
        self._signers.update(signed.signers)
        self._enrolments += isinstance(signed.claim, Enrolled)

    def _forget(self, numbers: list[int]) -> None:
        for number in numbers:
            signed = self._held.pop(number)
            del self._numbers[signed.digest]
            self._signers.subtract(signed.signers)
            self._enrolments -= isinstance(signed.claim, Enrolled)
        self._signers = +self._signers

    def _named(self) -> str:
        with self._file.write() as tables:
            row = tables.execute("SELECT name FROM store").fetchone()
            name = str(row[0]) if row else secrets.token_hex(16)
            if not row:
                tables.execute("INSERT INTO store VALUES (?)", (name,))
        return name

    def _load(self) -> None:
        rows = self._file.rows("SELECT sequence, digest, text FROM message ORDER BY sequence")
        self._unread = {number: (digest, text) for number, digest, text in rows}
        self._read_later()

    def _read_later(self) -> None:
        """A disk flips bits: a text that cannot be read, or has another digest than its row, is dropped; a message
        about a proof that the machine does not know stays."""
        for number, (digest, text) in list(self._unread.items()):
            try:
                signed = self._reader.read(text.encode())
            except _BROKEN:
                signed = None
            except CommonweightError:
                continue
            with self._lock:
                del self._unread[number]
                if signed is None or signed.digest != digest:
                    self._drop_row(number)
                elif digest not in self._numbers:
                    self._remember(number, signed)

    def _drop_row(self, number: int) -> None:
        with self._file.write() as tables:
            tables.execute("DELETE FROM message WHERE sequence = ?", (number,))


def _require(has_place: bool) -> None:
    if not has_place:
        raise NotWelcome("the rules have no place for this message at the head of this mirror's copy")


def _same_lease(renewal: LeaseRenewal, other: Claim) -> bool:
    if not isinstance(other, LeaseRenewal):
        return False
    return (renewal.run, renewal.round, renewal.node.lower()) == (other.run, other.round, other.node.lower())
