"""A signed message as it comes over the wire: the text that is its leaf in the log, read strictly."""

from __future__ import annotations

from contracts.messages.for_contracts import Message
from contracts.messages.for_log import LeaseRenewal, MirrorAddress
from contracts.protocol.log.codec import InvalidLeaf, canonical, parse
from contracts.protocol.log.leaf import LARGEST_LEAF, SIGNED
from contracts.protocol.log.signed import Envelope, read_envelope

BESIDE_THE_LOG: dict[str, type[Message]] = {"lease-renewal": LeaseRenewal, "mirror-address": MirrorAddress}
"""Kinds that stand in no log."""
KINDS: dict[str, type[Message]] = {**SIGNED, **BESIDE_THE_LOG}


class MessageTooLarge(InvalidLeaf):
    """More bytes than an entry of the log may have."""

    code = "body-too-large"
    status = 413


def parse_envelope(data: bytes) -> tuple[Envelope, str]:
    """A message and its text; nothing of it is believed yet. Raises MessageTooLarge, InvalidLeaf and BadField."""
    if len(data) > LARGEST_LEAF:
        raise MessageTooLarge(f"a message has at most {LARGEST_LEAF} bytes")
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
