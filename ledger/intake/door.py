"""The one door for signed messages: checked without the writers' turn, entered within it with all that follows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from contracts.messages.for_log import LeaseRenewal, MirrorAddress
from contracts.protocol.log.envelope import parse_envelope
from contracts.protocol.log.signed import Envelope
from ledger.context import Ledger
from ledger.errors import LedgerError
from ledger.intake.admitted import admitted_in
from ledger.machine.replica import Replica
from ledger.public_log import mirrors as addresses
from ledger.storage.tables import MirrorRow


class NotForTheLog(LedgerError):
    """Heartbeats are sent to the verifiers' mirrors, not to the log."""

    code = "not-for-the-log"
    status = 422


@dataclass(frozen=True)
class Accepted:
    """A message that was taken, now or before: its digest (0x-hex), its index in the log (None for a message outside of
    the log), and the number of derived entries that followed."""

    digest: str
    index: int | None
    entered: int


def take(ledger: Ledger, data: bytes) -> Accepted:
    """Take a message in its canonical text; a message that was taken before changes nothing and has the same answer.

    Raises InvalidLeaf, BadField, BadSignature, InvalidTree, NotForTheLog, NotVerifier, Refused and LedgerBusy.
    """
    envelope, text = parse_envelope(data)
    replica = ledger.judge
    if isinstance(envelope.message, LeaseRenewal):
        raise NotForTheLog("heartbeats go to the verifiers' mirrors")
    name = replica.name_of(envelope)
    if isinstance(envelope.message, MirrorAddress):
        return _address(ledger, replica, envelope, text, name)
    is_recent = ledger.sequencer.entered_lately(name)
    prepared = None if is_recent else replica.prepare_at_hand(envelope, text)
    if prepared is None:
        with ledger.store.read() as session:
            existing = replica.known(session, name)
            if existing is not None:
                return Accepted(name, existing.index, existing.derived)
            prepared = replica.prepare(session, envelope, text)
    entered = ledger.sequencer.enter(prepared)
    return Accepted(name, entered.index, entered.derived)


def mirrors(session: Session) -> list[MirrorRow]:
    """The addresses of the verifiers' mirrors."""
    return addresses.mirrors(session)


def admitted(ledger: Ledger) -> frozenset[str]:
    """The admitted verifiers, by the log."""
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        return admitted_in(state)


def _address(ledger: Ledger, replica: Replica, envelope: Envelope, text: str, name: str) -> Accepted:
    verifiers = admitted(ledger)
    with ledger.store.read() as session:
        message = addresses.check(envelope, replica.domain, verifiers)
        newest = addresses.is_newest(session, message, name)
    if newest:
        with ledger.store.write() as session:
            addresses.keep(session, message, name, text)
    return Accepted(name, None, 0)
