"""A message as it comes to a mirror: the leaf that it would be in the log, its digest known, its signatures last.

Recovering a signer costs far more than everything else, and anybody can sign garbage. So a message is first read
without its signatures, and asked about as if its author had signed; then each signature is recovered once, and the
first signer that may not sign ends the check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from eth_utils import to_checksum_address

from contracts.errors import BadField, BadSignature
from contracts.ids import NO_ADDRESS, Address, ProofId, as_address, to_hex
from contracts.messages.for_contracts import Message
from contracts.messages.for_log import LeaseRenewal, MirrorAddress
from contracts.messages.signatures import Domain, digest, recover
from contracts.protocol.judge.facts import Fact, Opened, PledgeOpened, Vouched
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.envelope import parse_envelope
from contracts.protocol.log.leaf import LARGEST_LEAF
from contracts.protocol.log.signed import Envelope, fact_of
from verifier.mirror.errors import NotWelcome

MAX_MESSAGE = LARGEST_LEAF
"""Bytes of a message: as many as an entry of the log may have."""

Claim: TypeAlias = Fact | LeaseRenewal | MirrorAddress
"""The claim of a message: the machine's fact, or the message itself where the log does not hold its kind."""


@dataclass(frozen=True)
class Vouching:
    """A fact that several have to sign, before all signers are known: may `signer` be the next one? "" asks whether the
    fact is welcome once enough have signed."""

    fact: Vouched
    signer: str = ""


Asked: TypeAlias = Claim | Vouching
"""A question to the machine."""


@dataclass(frozen=True)
class SignedMessage:
    """A message with its EIP-712 digest (0x-hex), its signers (checksum addresses) and its one text."""

    text: str
    digest: str
    signers: tuple[Address, ...]
    message: Message
    claim: Claim


@dataclass(frozen=True)
class Unchecked:
    """A message whose signers are not recovered yet. `author` must have signed, alone; "" stands for maintainers, of
    whom the claim names none."""

    text: str
    digest: str
    author: Address
    claim: Claim
    envelope: Envelope

    @property
    def asked(self) -> Asked:
        """The question to the machine before any signature is recovered."""
        return Vouching(self.claim) if isinstance(self.claim, Vouched) else self.claim


@dataclass(frozen=True)
class Reader:
    """Reads messages of one deployment. `author_of` gives the node of a proof (both 0x-hex)."""

    domain: Domain
    author_of: Callable[[ProofId], Address]

    def read(self, data: bytes) -> SignedMessage:
        """Raises MessageTooLarge, InvalidLeaf, BadField, BadSignature and InvalidTree."""
        return self.check(self.parse(data))

    def parse(self, data: bytes) -> Unchecked:
        """A message, its signatures unread. Raises as `read`, but BadSignature only for their number."""
        envelope, text = parse_envelope(data)
        claim = self._claim(envelope)
        author = NO_ADDRESS if isinstance(claim, Vouched) else to_checksum_address(self._author(claim))
        if author and len(envelope.signatures) != 1:
            raise BadSignature(f"{type(envelope.message).__name__} must be signed by {author} alone")
        return Unchecked(text, to_hex(digest(envelope.message, self.domain)), author, claim, envelope)

    def check(self, message: Unchecked, may_sign: Callable[[Asked], bool] = lambda _: True) -> SignedMessage:
        """The message with its signers; of several each must be allowed to sign, by the rules of now. Raises
        BadSignature, BadField and NotWelcome."""
        content = message.envelope.message
        claim = message.claim
        signers: list[Address] = []
        for signature in message.envelope.signatures:
            signer = recover(content, self.domain, signature)
            if message.author and signer != message.author:
                raise BadSignature(f"{type(content).__name__} must be signed by {message.author}")
            if isinstance(claim, Vouched) and not may_sign(Vouching(claim, signer)):
                raise NotWelcome(f"{signer} is nobody who vouches for it")
            if signers and signer <= signers[-1]:
                raise BadField("signatures must be sorted by signer, each once")
            signers.append(signer)
        named = replace(claim, signers=tuple(signers)) if isinstance(claim, Vouched) else claim
        return SignedMessage(message.text, message.digest, tuple(signers), content, named)

    def _claim(self, envelope: Envelope) -> Claim:
        message = envelope.message
        if not isinstance(message, (LeaseRenewal, MirrorAddress)):
            unsigned = Envelope(message, (), envelope.beside)
            return fact_of(unsigned, self.domain, self.author_of, checked=False)
        if envelope.beside:
            raise InvalidLeaf(f"nothing stands beside {type(message).__name__}")
        return message

    def _author(self, claim: Claim) -> Address:
        """The author that a claim names."""
        if isinstance(claim, (Opened, PledgeOpened)):
            return self.author_of(claim.proof)
        names = (getattr(claim, name, None) for name in ("verifier", "node", "party", "creator"))
        return as_address(next(name for name in names if name is not None))
