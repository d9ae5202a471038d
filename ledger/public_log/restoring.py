"""A log that lost its end takes it back from a mirror before it is served or gone on with (J20).

A database from yesterday, or a replica of one that was behind, lacks entries below heads that this operator signed. Who
goes on from there signs a second log. So each start asks the mirrors what they hold under the operator's own signature,
enters what is missing as it was entered then, and stops where no mirror has what the last head that was given out says,
or what a root on the chain was signed over. Where it is lost for good, its operator has to say so.
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
    """How many entries came back, and how many mirrors said what they hold."""

    entries: int
    answered: int


def restore(ledger: Ledger, loopback: bool, accept_lost_end: bool = False) -> Restored:
    """Take back from the mirrors what lies under the operator's heads and is not in the database; `loopback`: whether
    mirrors may be on this machine. `accept_lost_end` goes on where no mirror has it, and says so.

    Raises LogEndLost, SecondLog, and LedgerBusy.
    """
    found = take_back(ledger, _places(ledger, loopback), accept_lost_end)
    _check_chain(ledger, found, accept_lost_end)
    if found.entries:
        logger.warning("%d entries of the log came back; %d mirrors answered", found.entries, found.answered)
    return found


def _check_chain(ledger: Ledger, found: Restored, accepted: bool) -> None:
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
            f"{unseen.words()}: {found.answered} mirrors answered, and none gives it back. Start again when the "
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
    """The mirrors: the deployment's first, those that are known here, and those that any of these knows."""
    first = ledger.chain.deployment.first_mirrors()
    with ledger.store.read() as session:
        known = [row.text for row in addresses.mirrors(session)]
        with ledger.judge.view(session) as state:
            verifiers = set(state.verifiers) | _on_chain(ledger)
    allowed = loopback or any(map(is_loopback, first.values()))
    book = Book(ledger.blobs.beside("log") / "mirrors.json", ledger.judge.domain, first, allowed)
    for text in known:
        book.take(parse(text))
    for place in _opened(ledger, book.urls(verifiers), allowed):
        _learn(book, place)
    return _opened(ledger, book.urls(verifiers), allowed)


def _on_chain(ledger: Ledger) -> set[str]:
    """Who is admitted now: a log that lost its end may not know it. A chain that does not answer holds nothing up."""
    try:
        return set(ledger.chain.registry.verifiers())
    except (RequestException, ChainAtFault):
        logger.warning("the chain does not answer: mirrors of verifiers that the log does not know are not asked")
        return set()


def _opened(ledger: Ledger, urls: dict[str, str], loopback: bool) -> list[Place]:
    key = ledger.chain.deployment.log_key()
    return [mirror_place(url, key, loopback, tries=1) for url in dict.fromkeys(urls.values())]


def _learn(book: Book, place: Place) -> None:
    try:
        book.take_answer(place.mirrors())
    except CommonweightError as error:
        logger.warning("%s lists no mirrors: %s", place.name, error.detail)


def _readers(ledger: Ledger, places: Sequence[Place]) -> list[LogReader]:
    """Those that show a head of this log."""
    key = ledger.chain.deployment.log_key()

    def opened(place: Place) -> LogReader | None:
        try:
            return LogReader(place, key)
        except CommonweightError as error:
            logger.warning("%s shows no head of this log: %s", place.name, error.detail)
            return None

    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return [reader for reader in pool.map(opened, places) if reader is not None]


def _enter_missing(ledger: Ledger, reader: LogReader) -> None:
    """Enter what a mirror holds beyond the database. Raises SecondLog, and what reading raises."""
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
    """Facts as they were entered; what is derived follows from them, and another process may have been here."""
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
    found = read(text, ledger.judge.domain, as_address)
    if not isinstance(found, Rules | Block):
        raise SecondLog(f"{kind} does not follow here from the entries before it")
    return found


def _check_same(session: Session, reader: LogReader, size: int) -> None:
    if size and log.root(session, size) != reader.tree.root(size):
        raise SecondLog(
            f"the first {size} entries of the database are not those of the head of {reader.size} that this operator "
            f"signed and {reader.place.name} shows: restore the database that held them"
        )


def _check_last(ledger: Ledger, session: Session, accept_lost_end: bool) -> None:
    """Raises LogEndLost and SecondLog where the database is not what was signed last. An end whose loss is accepted is
    asked for no more."""
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
