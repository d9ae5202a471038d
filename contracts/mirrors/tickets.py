"""Tickets of uploads: the sender of a blob says so under its key, before a byte of it is read.

A digest is no secret: the log publishes it. So the announcer of a blob, and verifiers, sign for each upload which blob
they bring to which receiver, and places are shared among keys (contracts/mirrors/slots.py). A ticket that a receiver
has seen is of no use at another one, nor a few minutes later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount
from eth_utils import to_checksum_address

from contracts.errors import BadField, CommonweightError
from contracts.ids import ZERO_ADDRESS, as_address
from contracts.messages.fields import Address, Bytes32, Uint64
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, require_signer, sign
from contracts.protocol.log.codec import InvalidLeaf, canonical, parse
from contracts.protocol.log.signed import Envelope, read_envelope

HEADER = "Upload-Ticket"
TO_SERVER = ZERO_ADDRESS
"""The receiver of blobs that are brought to the server."""
LIFE, SKEW = 120, 120
"""Seconds for which a ticket is made out, and by which clocks may differ, either way."""
LONGEST = 1024
"""Characters of a ticket."""


class InvalidTicket(CommonweightError):
    """An upload without a ticket, with several, or with what is none."""

    code = "invalid-ticket"
    status = 422


class ForeignTicket(CommonweightError):
    """A ticket for another blob, or for another receiver."""

    code = "foreign-ticket"
    status = 403


class TicketOver(CommonweightError):
    """A ticket whose time is over, or lies further ahead than any is made out for."""

    code = "ticket-over"
    status = 403


class NotTheirs(CommonweightError):
    """A ticket by a key that neither announced the blob nor is a verifier's."""

    code = "not-theirs"
    status = 403


@dataclass(frozen=True)
class UploadTicket(Message):
    """`key` brings the blob of this BLAKE3 digest to a verifier's mirror (or TO_SERVER), until then (Unix seconds).

    It travels beside the bytes; neither the log nor a mirror keeps it.
    """

    key: Address
    blob: Bytes32
    receiver: Address
    until: Uint64


@dataclass(frozen=True)
class Tickets:
    """The tickets of one key: each upload has a new one."""

    account: LocalAccount = field(repr=False)
    domain: Domain

    def headers(self, blob: str, receiver: str, clock: float | None = None) -> dict[str, str]:
        """The headers for an upload of a blob (64 hex digits) that begins now.

        `clock` is the receiver's, as its answers showed it: it alone judges the ticket, so that a clock that is off, on
        either side, keeps nobody's bytes out. None takes one's own.
        """
        key = str(self.account.address)
        until = int(time.time() if clock is None else clock) + LIFE
        return self.signed(UploadTicket(as_address(key), bytes.fromhex(blob), to_checksum_address(receiver), until))

    def signed(self, ticket: UploadTicket) -> dict[str, str]:
        """A ticket as it travels."""
        signature = sign(ticket, self.domain, bytes(self.account.key))
        return {HEADER: canonical(Envelope(ticket, (signature,), {}).body())}


def bringer(
    texts: Sequence[str],
    blob: str,
    receiver: str,
    domain: Domain,
    may: Callable[[Address], bool],
    clock: Callable[[], float] | None = None,
) -> str:
    """The key (a checksum address) that brings a blob (64 hex digits), by its upload's headers.

    `may` says whether a key may; the signature, which costs most, is looked at last. Raises InvalidTicket,
    ForeignTicket, TicketOver, NotTheirs and BadSignature.
    """
    ticket, signature = _read(texts)
    if ticket.blob.hex() != blob or ticket.receiver != receiver:
        raise ForeignTicket(f"the ticket is for blob {ticket.blob.hex()} and receiver {ticket.receiver}")
    now = int((clock or time.time)())
    if not now - SKEW <= ticket.until <= now + LIFE + SKEW:
        raise TicketOver(f"the ticket holds until {ticket.until}, and it is {now} here; set your clock, sign a new one")
    if not may(ticket.key):
        raise NotTheirs(f"{ticket.key} has not announced this blob, and is no verifier")
    require_signer(ticket, domain, signature, ticket.key)
    return ticket.key


def _read(texts: Sequence[str]) -> tuple[UploadTicket, bytes]:
    """Raises InvalidTicket."""
    if len(texts) != 1 or len(texts[0]) > LONGEST:
        raise InvalidTicket(f"an upload has one {HEADER} of at most {LONGEST} characters")
    try:
        body = parse(texts[0])
        if not isinstance(body, dict) or canonical(body) != texts[0]:
            raise InvalidTicket(f"{HEADER} is not in canonical form")
        envelope = read_envelope(UploadTicket, body)
    except (InvalidLeaf, BadField) as error:
        raise InvalidTicket(f"{HEADER}: {error.detail}") from None
    if len(envelope.signatures) != 1 or envelope.beside:
        raise InvalidTicket("a ticket has one signature, and nothing beside it")
    assert isinstance(envelope.message, UploadTicket), "it was read as one"
    return envelope.message, envelope.signatures[0]
