"""Who may sign what goes to the chain: admitted verifiers, as the machine has them. No clock is asked."""

from __future__ import annotations

from eth_utils import to_checksum_address

from contracts.messages import Message
from contracts.protocol.judge.state import State
from contracts.signing import require_signer
from ledger.errors import NotVerifier
from ledger.service import Ledger


def check(ledger: Ledger, message: Message, signature: bytes, signer: str) -> str:
    """The signer's checksum address. Raises BadSignature."""
    require_signer(message, ledger.chain.epoch_domain, signature, signer)
    return str(to_checksum_address(signer))


def require_admitted(state: State, name: str, accused: str = "") -> None:
    """Raises NotVerifier for who is not admitted, or is accused itself."""
    known = state.verifiers.get(name)
    if known is None or not known.admitted:
        raise NotVerifier(f"{name} is not admitted in the VerifierRegistry")
    if name == accused:
        raise NotVerifier(f"{name} is no judge of its own case")
