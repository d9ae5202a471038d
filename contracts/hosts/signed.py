"""A message of the market under its author's signature, and what every reader holds it to.

Nobody who hands one on is believed: server, host, verifier and renter each call the same checks.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eth_utils import to_checksum_address

from contracts.errors import CommonweightError
from contracts.hosts.errors import BadHostMessage, HostMessageOld, NotAVerifier
from contracts.ids import Address, from_hex, to_hex
from contracts.messages.fields import from_json, to_json
from contracts.messages.for_contracts import Message
from contracts.messages.for_market import HostChallenge, HostOffer, MeasuredHost
from contracts.messages.signatures import Domain, require_signer, sign
from contracts.mirrors.urls import MAX_URL, parse_url

LONGEST_OFFER = 24 * 3600
"""Seconds that an offer lasts at most: a host that is gone is not offered for longer."""
OLD_SECONDS, ENDED_SECONDS = 7 * 24 * 3600, 30 * 24 * 3600
"""A report is marked as old, and counts no more, so long after it was measured."""
SKEW_SECONDS = 300
"""Two clocks may be so far apart; an order or a call counts for so long."""
MOST_GPUS, MOST_PRICE = 128, 10**10
_CODE = 2

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Model:
    """The model whose market it is, and the domain in which its messages are signed."""

    model: bytes
    domain: Domain


@dataclass(frozen=True)
class Signed(Generic[M]):
    """A message and a signature, which is not checked yet."""

    message: M
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        """As it is sent: the message in its wire form, the signature as 0x-hex."""
        return {"message": to_json(self.message), "signature": to_hex(self.signature)}


def signed(message: M, model: Model, key: bytes) -> Signed[M]:
    """A message under one's own key."""
    return Signed(message, sign(message, model.domain, key))


def read_signed(kind: type[M], body: object) -> Signed[M]:
    """What `to_json` gave. Raises BadHostMessage and BadField."""
    if not isinstance(body, Mapping) or set(body) != {"message", "signature"}:
        raise BadHostMessage(f"a signed {kind.__name__} has a message and a signature")
    message, signature = body["message"], body["signature"]
    if not isinstance(message, Mapping) or not isinstance(signature, str) or len(signature) != 132:
        raise BadHostMessage(f"a signed {kind.__name__} has a message and a signature of 65 bytes")
    try:
        return Signed(from_json(kind, message), from_hex(signature))
    except ValueError as error:
        raise BadHostMessage("the signature is not hexadecimal") from error


def parse_signed(kind: type[M], data: bytes) -> Signed[M]:
    """The same of JSON text. Raises BadHostMessage and BadField."""
    try:
        return read_signed(kind, json.loads(data))
    except (ValueError, RecursionError) as error:
        raise BadHostMessage("that is not JSON") from error


def require(one: Signed[M], model: Model, signer: Address) -> M:
    """The message, of this model and by this signer, whose address has one spelling. Raises BadSignature (first: of
    what nobody signed nothing else is said) and BadHostMessage."""
    require_signer(one.message, model.domain, one.signature, signer)
    if signer != to_checksum_address(signer):
        raise BadHostMessage("addresses are written with their checksum")
    if getattr(one.message, "model", None) != model.model:
        raise BadHostMessage("it is of another model")
    return one.message


def require_offer(one: Signed[HostOffer], model: Model, now: int, loopback: bool = False) -> HostOffer:
    """An offer that stands now; its address is public (of this machine too where `loopback` allows it).

    Raises BadHostMessage, HostMessageOld and BadSignature.
    """
    offer = require(one, model, one.message.supplier)
    require_url(offer.url, loopback)
    if not (len(offer.country) == _CODE and offer.country.isascii() and offer.country.isupper()):
        raise BadHostMessage("the country is an ISO 3166 code, as DE")
    if offer.gpus > MOST_GPUS or offer.price > MOST_PRICE:
        raise BadHostMessage(f"at most {MOST_GPUS} GPUs, and 10,000 dollars an hour for one")
    if not offer.issuedAt < offer.expiresAt <= offer.issuedAt + LONGEST_OFFER:
        raise BadHostMessage("an offer lasts a day at most")
    if not offer.issuedAt - SKEW_SECONDS <= now < offer.expiresAt:
        raise HostMessageOld("the offer has ended, or begins later; are the clocks right?")
    return offer


def require_report(
    one: Signed[MeasuredHost], model: Model, verifiers: Collection[str], now: int, about: HostOffer | None = None
) -> MeasuredHost:
    """A report of an admitted verifier, about this offer's host where one is given. Raises BadHostMessage,
    HostMessageOld, NotAVerifier and BadSignature."""
    report = one.message
    if report.verifier not in verifiers:
        raise NotAVerifier(f"{report.verifier} is no verifier that the chain has admitted")
    if about is not None and (report.supplier, report.url) != (about.supplier, about.url):
        raise BadHostMessage("the report is about another host")
    if not report.measuredAt - SKEW_SECONDS <= now < report.measuredAt + ENDED_SECONDS:
        raise HostMessageOld("the report has ended, or is of a later time; are the clocks right?")
    return require(one, model, report.verifier)


def require_challenge(
    one: Signed[HostChallenge], model: Model, verifiers: Collection[str], now: int, about: HostOffer
) -> HostChallenge:
    """A challenge of now by an admitted verifier for this host. Raises as `require_report`."""
    challenge = one.message
    if challenge.verifier not in verifiers:
        raise NotAVerifier(f"{challenge.verifier} is no verifier that the chain has admitted")
    require_addressed(challenge.supplier, challenge.url, challenge.issuedAt, now, about)
    return require(one, model, challenge.verifier)


def require_addressed(supplier: Address, url: str, issued_at: int, now: int, about: HostOffer) -> None:
    """What was signed for another host, or minutes ago, counts for nothing. Raises BadHostMessage and
    HostMessageOld."""
    if (supplier, url) != (about.supplier, about.url):
        raise BadHostMessage("it is for another host")
    if abs(now - issued_at) > SKEW_SECONDS:
        raise HostMessageOld(f"it was signed {abs(now - issued_at)} s from now; are the clocks right?")


def require_url(text: str, loopback: bool) -> None:
    """A host's address: http or https, a plain host, no path. Raises BadHostMessage."""
    try:
        url = parse_url(text, loopback)
    except CommonweightError as error:
        raise BadHostMessage(f"the host's address: {error.detail}") from error
    if url.prefix or text.endswith("/") or len(text) > MAX_URL:
        raise BadHostMessage("a host's address has no path, and does not end in a slash")
