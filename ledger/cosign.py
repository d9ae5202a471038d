"""k of n verifiers under one message that the VerifierRegistry checks: payout roots and faults alike.

Admitted verifiers may sign, by the machine. No clock is asked: each such message is valid once.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import to_checksum_address
from sqlmodel import Session, col, select

from contracts.ids import Address, from_hex, to_hex
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import digest, require_signer
from contracts.protocol.judge.state import State
from ledger.context import Ledger
from ledger.errors import NotVerifier
from ledger.storage.tables import Cosignature


def check(ledger: Ledger, message: Message, signature: bytes, signer: Address) -> Address:
    """The signer's checksum address. Raises BadSignature."""
    require_signer(message, ledger.chain.epoch_domain, signature, signer)
    return to_checksum_address(signer)


def require_admitted(state: State, name: Address, accused: str = "") -> None:
    """Raises NotVerifier for a verifier that is not admitted, or is the accused one."""
    record = state.verifiers.get(name)
    if record is None or not record.admitted:
        raise NotVerifier(f"{name} is not admitted in the VerifierRegistry")
    if name == accused:
        raise NotVerifier(f"{name} is no judge of its own case")


def add(ledger: Ledger, session: Session, message: Message, signature: bytes, signer: str) -> None:
    """Store a checked signature, once."""
    key = _key(ledger, message)
    if session.get(Cosignature, (key, signer)) is None:
        session.add(Cosignature(digest=key, signer=signer, signature=to_hex(signature)))
        session.flush()


def signers(ledger: Ledger, session: Session, message: Message) -> list[str]:
    """Signers of a message, by address."""
    return sorted(signatures(ledger, session, message))


def signers_of_each(ledger: Ledger, session: Session, messages: Sequence[Message]) -> list[list[str]]:
    """As `signers`, of a page of messages, in one look."""
    keys = [_key(ledger, message) for message in messages]
    by_digest: dict[str, list[str]] = {key: [] for key in keys}
    query = select(Cosignature.digest, Cosignature.signer).where(col(Cosignature.digest).in_(keys))
    for key, signer in session.exec(query.order_by(col(Cosignature.digest), col(Cosignature.signer))):
        by_digest[key].append(signer)
    return [by_digest[key] for key in keys]


def quorum(ledger: Ledger, session: Session, message: Message) -> dict[str, bytes]:
    """k signatures that the chain would count (admitted, with enough stake) by signer; empty while there are fewer."""
    return ledger.chain.registry.quorum(signatures(ledger, session, message))


def signatures(ledger: Ledger, session: Session, message: Message) -> dict[str, bytes]:
    """Every stored signature, by signer."""
    rows = session.exec(select(Cosignature).where(Cosignature.digest == _key(ledger, message)))
    return {row.signer: from_hex(row.signature) for row in rows}


def _key(ledger: Ledger, message: Message) -> str:
    return to_hex(digest(message, ledger.chain.epoch_domain))
