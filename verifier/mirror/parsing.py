"""A message as it comes to a mirror: the leaf that it would be in the log, its signature checked, its digest known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from eth_utils import to_checksum_address

from contracts.errors import BadField
from contracts.messages import Message
from contracts.protocol.judge.facts import Fact
from contracts.protocol.log.codec import InvalidLeaf, canonical, parse
from contracts.protocol.log.leaf import SIGNED
from contracts.protocol.log.signed import Envelope, fact_of, hexed, read_envelope
from contracts.protocol.messages import LeaseRenewal, MirrorAddress
from contracts.signing import Domain, digest, recover
from verifier.mirror.errors import BodyTooLarge

MAX_MESSAGE = 2**16 - 1
"""Bytes of a message: what an entry of the log may have."""

BESIDE_THE_LOG: dict[str, type[Message]] = {"lease-renewal": LeaseRenewal, "mirror-address": MirrorAddress}
"""Kinds that mirrors keep and the log does not."""

KINDS: dict[str, type[Message]] = {**SIGNED, **BESIDE_THE_LOG}

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
        """Raises BodyTooLarge, InvalidLeaf, BadField, BadSignature and InvalidTree."""
        if len(data) > MAX_MESSAGE:
            raise BodyTooLarge(f"a message has at most {MAX_MESSAGE} bytes")
        envelope, text = _envelope(data)
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
            raise BadField(f"{type(message).__name__} must be signed by {author}")
        return message


def _envelope(data: bytes) -> tuple[Envelope, str]:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidLeaf(f"is not UTF-8 at byte {error.start}") from None
    body = parse(text)
    if not isinstance(body, dict) or canonical(body) != text:
        raise InvalidLeaf("is not in canonical form")
    kind = body.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise InvalidLeaf(f"{str(kind)[:40]!r} is no kind of message")
    return read_envelope(KINDS[kind], body), text
