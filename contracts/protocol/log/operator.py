"""The owner of a log: the operator's Ed25519 key follows from the key that pays gas, and its name from that address."""

from __future__ import annotations

from dataclasses import dataclass

from eth_account import Account

from contracts.tlog.checkpoint import Checkpoint, sign_checkpoint
from contracts.tlog.keys import SignatureType, SigningKey, VerifierKey
from contracts.tlog.note import SignedNote


@dataclass(frozen=True)
class LogSigner:
    """Signs heads of one log; `name` is the log's origin."""

    name: str
    key: SigningKey

    @classmethod
    def of(cls, operator_key: bytes) -> LogSigner:
        """From the operator's key of 32 bytes."""
        address = Account.from_key(operator_key).address
        return cls(f"commonweight/{address}", SigningKey.derive(operator_key, "operator"))

    @property
    def public(self) -> VerifierKey:
        """The key that stands in the deployment file, as text."""
        return self.key.verifier(self.name, SignatureType.NOTE)

    def head(self, size: int, root: bytes) -> SignedNote:
        """The log's head of so many entries under this root (32 bytes)."""
        return sign_checkpoint(Checkpoint(self.name, size, root), self.key)
