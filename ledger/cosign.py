"""k of n verifiers under one message that the VerifierRegistry checks: payout roots and faults alike.

Who may sign is who is admitted, as the machine has it. No clock is asked: each such message serves once.
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
    """Raises NotVerifier for who is not admitted, or is accused itself."""
    known = state.verifiers.get(name)
    if known is None or not known.admitted:
        raise NotVerifier(f"{name} is not admitted in the VerifierRegistry")
    if name == accused:
        raise NotVerifier(f"{name} is no judge of its own case")


def add(ledger: Ledger, session: Session, message: Message, signature: bytes, signer: str) -> None:
    """Keep a checked signature, once."""
    key = _key(ledger, message)
    if session.get(Cosignature, (key, signer)) is None:
        session.add(Cosignature(digest=key, signer=signer, signature=to_hex(signature)))
        session.flush()


def signers(ledger: Ledger, session: Session, message: Message) -> list[str]:
    """Who signed, by address."""
    return sorted(signatures(ledger, session, message))


def signers_of_each(ledger: Ledger, session: Session, messages: Sequence[Message]) -> list[list[str]]:
    """As `signers`, of a page of messages, in one look."""
    keys = [_key(ledger, message) for message in messages]
    found: dict[str, list[str]] = {key: [] for key in keys}
    asked = select(Cosignature.digest, Cosignature.signer).where(col(Cosignature.digest).in_(keys))
    for key, signer in session.exec(asked.order_by(col(Cosignature.digest), col(Cosignature.signer))):
        found[key].append(signer)
    return [found[key] for key in keys]


def quorum(ledger: Ledger, session: Session, message: Message) -> dict[str, bytes]:
    """k signatures that the chain would count (admitted, with enough stake) by signer; empty while there are fewer."""
    return ledger.chain.registry.quorum(signatures(ledger, session, message))


def signatures(ledger: Ledger, session: Session, message: Message) -> dict[str, bytes]:
    """Every signature that was kept, by signer."""
    rows = session.exec(select(Cosignature).where(Cosignature.digest == _key(ledger, message)))
    return {row.signer: from_hex(row.signature) for row in rows}


def _key(ledger: Ledger, message: Message) -> str:
    return to_hex(digest(message, ledger.chain.epoch_domain))
