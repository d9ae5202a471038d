"""A log that lost its end takes it back from a mirror before it is served or gone on with (J20).

A database from yesterday, or a replica of one that was behind, lacks entries below heads that this operator signed. A
server that goes on from there signs a second log. So each start asks the mirrors for entries under the operator's own
signature, and enters the missing ones as they were entered then. The start fails where no mirror has the entries of the
last head that was given out, or of a root on the chain. Where they are lost for good, the operator has to say so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from requests.exceptions import RequestException
from sqlmodel import Session

from contracts.errors import CommonweightError
from contracts.evm.errors import ChainAtFault
from contracts.ids import as_address
from contracts.mirrors.book import Book
from contracts.mirrors.places import Place, is_loopback, mirror_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.log.codec import parse
from contracts.protocol.log.leaf import SIGNED, read
from contracts.protocol.log.signed import Envelope, read_envelope
from contracts.tlog.checkpoint import verify_checkpoint
from contracts.tlog.note import parse_note
from ledger.books import log
from ledger.context import Ledger
from ledger.errors import LedgerError
from ledger.public_log import heads
from ledger.public_log import mirrors as addresses
from ledger.public_log.unseen import look

BATCH = 256
"""Entries that one transaction takes back."""
ASKED_AT_ONCE = 16
logger = logging.getLogger(__name__)


class LogEndLost(LedgerError):
    """The database does not reach a head that this operator signed, or a root on the chain was signed over entries that
    it lacks, and no mirror has them."""

    code = "log-end-lost"
    status = 500


class SecondLog(LedgerError):
    """The database holds another log than the one that this operator signed."""

    code = "second-log"
    status = 500


@dataclass(frozen=True)
class Restored:
    """The number of entries that came back, and of mirrors that answered."""

    entries: int
    answered: int


def restore(ledger: Ledger, loopback: bool, accept_lost_end: bool = False) -> Restored:
    """Take back from the mirrors the entries under the operator's heads that the database lacks; `loopback`: whether
    mirrors may be on this machine. `accept_lost_end` goes on where no mirror has them, and logs that.

    Raises LogEndLost, SecondLog, and LedgerBusy.
    """
    restored = take_back(ledger, _places(ledger, loopback), accept_lost_end)
    _check_chain(ledger, restored, accept_lost_end)
    if restored.entries:
        logger.warning("%d entries of the log came back; %d mirrors answered", restored.entries, restored.answered)
    return restored


def _check_chain(ledger: Ledger, restored: Restored, accepted: bool) -> None:
    """Raises LogEndLost where the chain has roots over entries that are not here. A chain that does not answer holds
    nothing up."""
    try:
        with ledger.store.read() as session:
            unseen = look(ledger, session)
    except (RequestException, ChainAtFault) as error:
        logger.warning("the chain does not say whether the log lost its end: %s", type(error).__name__)
        return
    if not unseen:
        return
    if not accepted:
        raise LogEndLost(
            f"{unseen.words()}: {restored.answered} mirrors answered, and none gives it back. Start again when the "
            "verifiers' mirrors are up, or on a newer backup; --accept-lost-end goes on without (docs/restore.md)"
        )
    logger.error("log-end-lost: %s; going on without, as --accept-lost-end says", unseen.words())


def take_back(ledger: Ledger, places: Sequence[Place], accept_lost_end: bool = False) -> Restored:
    """As `restore`, from these copies of the log, without a look at the chain."""
    with ledger.store.read() as session:
        before = log.size(session)
    readers = _readers(ledger, places)
    for reader in sorted(readers, key=lambda reader: reader.size, reverse=True):
        try:
            _enter_missing(ledger, reader)
        except LedgerError:
            raise
        except CommonweightError as error:  # this mirror broke off, or showed other bytes: the next one is asked
            logger.warning("%s does not give the log back: %s", reader.place.name, error.detail)
    with ledger.store.read() as session:
        size = log.size(session)
        _check_last(ledger, session, accept_lost_end)
    return Restored(size - before, len(readers))


def _places(ledger: Ledger, loopback: bool) -> list[Place]:
    """The mirrors: the deployment's first, those in the database, and those in any of these mirrors' lists."""
    first = ledger.chain.deployment.first_mirrors()
    with ledger.store.read() as session:
        texts = [row.text for row in addresses.mirrors(session)]
        with ledger.judge.view(session) as state:
            verifiers = set(state.verifiers) | _on_chain(ledger)
    allowed = loopback or any(map(is_loopback, first.values()))
    book = Book(ledger.blobs.beside("log") / "mirrors.json", ledger.judge.domain, first, allowed)
    for text in texts:
        book.take(parse(text))
    for mirror in _opened(ledger, book.urls(verifiers), allowed):
        _learn(book, mirror)
    return _opened(ledger, book.urls(verifiers), allowed)


def _on_chain(ledger: Ledger) -> set[str]:
    """The verifiers that are admitted now, which a log that lost its end may lack. A silent chain holds nothing up."""
    try:
        return set(ledger.chain.registry.verifiers())
    except (RequestException, ChainAtFault):
        logger.warning("the chain does not answer: mirrors of verifiers that the log does not know are not asked")
        return set()


def _opened(ledger: Ledger, urls: dict[str, str], loopback: bool) -> list[Place]:
    key = ledger.chain.deployment.log_key()
    return [mirror_place(url, key, loopback, tries=1) for url in dict.fromkeys(urls.values())]


def _learn(book: Book, mirror: Place) -> None:
    try:
        book.take_answer(mirror.mirrors())
    except CommonweightError as error:
        logger.warning("%s lists no mirrors: %s", mirror.name, error.detail)


def _readers(ledger: Ledger, places: Sequence[Place]) -> list[LogReader]:
    """Readers of the mirrors that show a head of this log."""
    key = ledger.chain.deployment.log_key()

    def opened(mirror: Place) -> LogReader | None:
        try:
            return LogReader(mirror, key)
        except CommonweightError as error:
            logger.warning("%s shows no head of this log: %s", mirror.name, error.detail)
            return None

    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return [reader for reader in pool.map(opened, places) if reader is not None]


def _enter_missing(ledger: Ledger, reader: LogReader) -> None:
    """Enter a mirror's entries beyond the database. Raises SecondLog, and the errors of reading."""
    with ledger.store.read() as session:
        start = log.size(session)
        _check_same(session, reader, min(start, reader.size))
    entries = reader.entries(start)
    while batch := list(islice(entries, BATCH)):
        with ledger.store.write() as session:
            _enter(ledger, session, start, batch)
            _check_same(session, reader, min(log.size(session), reader.size))
        start += len(batch)
        logger.warning("the log is taken back from %s: %d of %d entries", reader.place.name, start, reader.size)


def _enter(ledger: Ledger, session: Session, start: int, batch: list[bytes]) -> None:
    """Enter facts as they were entered first. Derived entries follow, and another process may have entered some."""
    size = log.size(session)
    for index, data in enumerate(batch, start):
        if index < size:
            continue
        entry = _fact(ledger, data.decode())
        entered = ledger.judge.enter(session, entry)
        if entered.index != index:
            raise SecondLog(f"entry {index} stands in the database as entry {entered.index}")
        size = index + 1 + entered.derived


def _fact(ledger: Ledger, text: str) -> Rules | Block | Envelope:
    body = parse(text)
    kind = body.pop("kind")
    if kind in SIGNED:
        return read_envelope(SIGNED[kind], body)
    fact = read(text, ledger.judge.domain, as_address)
    if not isinstance(fact, Rules | Block):
        raise SecondLog(f"{kind} does not follow here from the entries before it")
    return fact


def _check_same(session: Session, reader: LogReader, size: int) -> None:
    if size and log.root(session, size) != reader.tree.root(size):
        raise SecondLog(
            f"the first {size} entries of the database are not those of the head of {reader.size} that this operator "
            f"signed and {reader.place.name} shows: restore the database that held them"
        )


def _check_last(ledger: Ledger, session: Session, accept_lost_end: bool) -> None:
    """Raises LogEndLost and SecondLog where the database lacks the last signed head. An end whose loss is accepted is
    no longer required."""
    note = heads.last(ledger)
    if note is None:
        return
    signed = verify_checkpoint(parse_note(note), ledger.chain.deployment.log_key())
    size = log.size(session)
    if size < signed.size and accept_lost_end:
        logger.error("log-end-lost: a head of %d entries was signed, and %d are here; going on", signed.size, size)
        heads.set_aside(ledger)
        return
    if size < signed.size:
        raise LogEndLost(
            f"this operator signed a head of {signed.size} entries, the database holds {size}, and no mirror that "
            "answers has the rest: start again when one does, or restore a newer database; --accept-lost-end goes on "
            "without (docs/restore.md)"
        )
    if log.root(session, signed.size) != signed.root:
        raise SecondLog(f"the database's first {signed.size} entries are not those that this operator signed")
