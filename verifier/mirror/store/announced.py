"""The blobs that a message announces: digest, kind and size, under the key of its author (J21).

A mirror takes no other bytes. A merge names its two blobs without their sizes, which follow from the run's layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from contracts.ids import Address, RunId
from contracts.messages.for_contracts import Message
from contracts.messages.for_log import Commitment, Merge, StateOpening
from verifier.mirror.errors import NotHeld

_NAME = re.compile(r"(?:0x)?([0-9a-f]{64})")


class BlobKind(StrEnum):
    """The content of a blob."""

    GRADIENT = "gradient"
    STATE = "state"
    WEIGHTS = "weights"
    MOMENTUM = "momentum"


@dataclass(frozen=True)
class BlobOrigin:
    """The author of a message, and the run and round that the message belongs to."""

    key: Address
    run: RunId
    round: int


@dataclass(frozen=True)
class Announcement:
    """A blob of `size` bytes whose BLAKE3 digest (64 hex digits) a message of this origin (`place`) names.

    Of one `subject` ("" for none) an origin has one blob at a time.
    """

    digest: str
    kind: BlobKind
    size: int
    place: BlobOrigin
    subject: str = ""


@dataclass(frozen=True)
class OuterSizes:
    """Bytes of a run's weights and of its momentum, as files."""

    weights: int
    momentum: int


def blob_name(text: str) -> str:
    """64 hex digits, from these or from 0x-hex. Raises NotHeld for another text."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise NotHeld("a blob's name is 64 hex digits in lower case")
    return match[1]


def announced_by(message: Message, origin: BlobOrigin, outer: OuterSizes) -> tuple[Announcement, ...]:
    """The blobs that a message names; most name none."""
    if isinstance(message, Commitment):
        return (Announcement(message.gradientBlob.hex(), BlobKind.GRADIENT, message.gradientSize, origin, "gradient"),)
    if isinstance(message, StateOpening):
        return (Announcement(message.blob.hex(), BlobKind.STATE, message.size, origin, f"state {message.boundary}"),)
    if isinstance(message, Merge):
        return (
            Announcement(message.thetaBlob.hex(), BlobKind.WEIGHTS, outer.weights, origin),
            Announcement(message.momentumBlob.hex(), BlobKind.MOMENTUM, outer.momentum, origin),
        )
    return ()
