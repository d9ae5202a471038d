"""Addresses of the verifiers' mirrors, by their own signed messages: the newest of each, beside the log."""

from __future__ import annotations

import re

from eth_utils import to_checksum_address
from sqlmodel import Session, col, select

from contracts.errors import BadField
from contracts.messages.for_log import MirrorAddress
from contracts.messages.signatures import Domain, require_signer
from contracts.mirrors.urls import MAX_URL, NOWHERE
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.signed import Envelope
from ledger.errors import NotVerifier
from ledger.storage.tables import MirrorRow

_URL = re.compile(r"https?://[\x21-\x7e]{1,192}")
"""Checked again on connecting (contracts/mirrors/urls.py): here an address is only handed on."""


def check(envelope: Envelope, domain: Domain, admitted: frozenset[str]) -> MirrorAddress:
    """The address that a verifier signed. Raises BadSignature, BadField, InvalidLeaf and NotVerifier."""
    message = envelope.message
    assert isinstance(message, MirrorAddress), "the caller checked its kind"
    if envelope.beside or len(envelope.signatures) != 1:
        raise InvalidLeaf("the address of a mirror has one signature, and nothing beside it")
    if message.url != NOWHERE and (len(message.url) > MAX_URL or not _URL.fullmatch(message.url)):
        raise BadField("url must be an address of http or https of at most 200 characters, or -")
    name = to_checksum_address(message.verifier)
    if name not in admitted:
        raise NotVerifier(f"{name} is not admitted in the VerifierRegistry")
    require_signer(message, domain, envelope.signatures[0], name)
    return message


def is_newest(session: Session, message: MirrorAddress, name: str) -> bool:
    """Whether a message replaces the stored address. Of two with one number the one with the larger digest does."""
    row = session.get(MirrorRow, to_checksum_address(message.verifier))
    return row is None or (row.sequence, row.digest) < (message.sequence, name)


def keep(session: Session, message: MirrorAddress, name: str, text: str) -> None:
    """Keep an address that was checked, if it is its verifier's newest."""
    if not is_newest(session, message, name):
        return
    verifier = to_checksum_address(message.verifier)
    row = session.get(MirrorRow, verifier) or MirrorRow(verifier=verifier, url="", sequence=0, digest="", text="")
    row.url = message.url
    row.sequence = message.sequence
    row.digest = name
    row.text = text
    session.add(row)


def mirrors(session: Session) -> list[MirrorRow]:
    """The newest address of each verifier that ever gave one, by address."""
    return list(session.exec(select(MirrorRow).order_by(col(MirrorRow.verifier))))
