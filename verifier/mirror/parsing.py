"""A message as it comes to a mirror: the leaf that it would be in the log, its signature checked, its digest known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from eth_utils import to_checksum_address

from contracts.errors import BadSignature
from contracts.messages import Message
from contracts.protocol.judge.facts import Fact
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.envelope import parse_envelope
from contracts.protocol.log.leaf import LARGEST_LEAF
from contracts.protocol.log.signed import Envelope, fact_of, hexed
from contracts.protocol.messages import LeaseRenewal, MirrorAddress
from contracts.signing import Domain, digest, recover

MAX_MESSAGE = LARGEST_LEAF
"""Bytes of a message: what an entry of the log may have."""

Claim: TypeAlias = Fact | LeaseRenewal | MirrorAddress
"""What a message says: the machine's fact, or itself where the log does not hold its kind."""


@dataclass(frozen=True)
class Signed:
    """A message with its EIP-712 digest (0x-hex), its signers (checksum addresses) and its one text."""

    text: str
    digest: str
    signers: tuple[str, ...]
    message: Message
    claim: Claim


@dataclass(frozen=True)
class Reader:
    """Reads messages of one deployment. `author_of` gives the node of a proof (both 0x-hex)."""

    domain: Domain
    author_of: Callable[[str], str]

    def read(self, data: bytes) -> Signed:
        """Raises MessageTooLarge, InvalidLeaf, BadField, BadSignature and InvalidTree."""
        envelope, text = parse_envelope(data)
        claim = self._claim(envelope)
        signers = tuple(recover(envelope.message, self.domain, signature) for signature in envelope.signatures)
        name = hexed(digest(envelope.message, self.domain))
        return Signed(text, name, signers, envelope.message, claim)

    def _claim(self, envelope: Envelope) -> Claim:
        message = envelope.message
        if not isinstance(message, (LeaseRenewal, MirrorAddress)):
            return fact_of(envelope, self.domain, self.author_of)
        if envelope.beside:
            raise InvalidLeaf(f"nothing stands beside {type(message).__name__}")
        author = to_checksum_address(message.node if isinstance(message, LeaseRenewal) else message.verifier)
        if [recover(message, self.domain, signature) for signature in envelope.signatures] != [author]:
            raise BadSignature(f"{type(message).__name__} must be signed by {author}")
        return message
