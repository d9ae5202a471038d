"""k of n verifiers under one message that the VerifierRegistry checks: payout roots, faults and rulings alike."""

from __future__ import annotations

from eth_utils import to_checksum_address
from sqlmodel import Session, select

from contracts import log_audit
from contracts.messages import Message
from contracts.signing import digest
from ledger.errors import NotVerifier
from ledger.service import Ledger
from ledger.tables import Cosignature

ON_CHAIN_SECONDS = log_audit.ON_CHAIN_SECONDS
"""How long such a message is good. Each serves once (by epoch and attempt, accused and evidence, proof), and the chain
checks who signed when it is brought there; so a deadline only must not pass while a dispute or an outage lasts: epochs
go to the chain in order, and one that could no longer be proposed would hold up all after it."""


def check(ledger: Ledger, message: Message, signature: bytes, signer: str, accused: str | None = None) -> str:
    """The signer's address, admitted and not the accused. Raises BadSignature, MessageExpired and NotVerifier."""
    ledger.check(message, signature, signer, ledger.chain.epoch_domain, ahead=ON_CHAIN_SECONDS)
    name = to_checksum_address(signer)
    if name not in ledger.chain.registry.verifiers():
        raise NotVerifier(f"{name} is not admitted in the VerifierRegistry")
    if accused is not None and name == to_checksum_address(accused):
        raise NotVerifier(f"{name} is no judge of its own case")
    return name


def add(ledger: Ledger, session: Session, message: Message, signature: bytes, signer: str) -> None:
    """Keep a checked signature, once."""
    key = _key(ledger, message)
    if session.get(Cosignature, (key, signer)) is None:
        session.add(Cosignature(digest=key, signer=signer, signature="0x" + signature.hex()))
        session.flush()


def collect(ledger: Ledger, session: Session, message: Message, signature: bytes, signer: str) -> dict[str, bytes]:
    """Keep a checked signature; the quorum if there is one now."""
    add(ledger, session, message, signature, signer)
    return quorum(ledger, session, message)


def signers(ledger: Ledger, session: Session, message: Message) -> list[str]:
    """Who signed, by address."""
    return sorted(signatures(ledger, session, message))


def quorum(ledger: Ledger, session: Session, message: Message) -> dict[str, bytes]:
    """k signatures that the chain would count (admitted, with enough stake) by signer; empty while there are fewer."""
    registry = ledger.chain.registry
    given, threshold = signatures(ledger, session, message), registry.threshold()
    if len(given) < threshold:
        return {}
    admitted, least = registry.verifiers(), registry.min_stake()
    counting = [name for name in sorted(given) if name in admitted and registry.stake_of(name) >= least]
    return {name: given[name] for name in counting[:threshold]} if len(counting) >= threshold else {}


def signatures(ledger: Ledger, session: Session, message: Message) -> dict[str, bytes]:
    """Every signature that was kept, by signer."""
    rows = session.exec(select(Cosignature).where(Cosignature.digest == _key(ledger, message)))
    return {row.signer: bytes.fromhex(row.signature[2:]) for row in rows}


def _key(ledger: Ledger, message: Message) -> str:
    return "0x" + digest(message, ledger.chain.epoch_domain).hex()
