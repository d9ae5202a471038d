"""A node's sealed statement about its work at the commitment: honest, or a canary with one segment known to be bad.

Verifiers must not be able to tell canaries from real work and read only those. So every proof carries a pledge, and it
is opened when every verifier has spoken. A canary is never paid, and the pledge is fixed before the draw: a node that
pledges a canary gives up the round's pay for certain, and nothing is gained by changing one's mind (ADR 15).
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils import to_canonical_address

from contracts.errors import BadField
from contracts.ids import Address
from contracts.keccak import keccak256
from contracts.protocol.draw import NO_SEGMENT

_MILLION = 1_000_000


@dataclass(frozen=True)
class Pledge:
    """`salt` (32 bytes) keeps it sealed; `fake` is the segment that is known to be bad, or NO_SEGMENT."""

    salt: bytes
    fake: int = NO_SEGMENT

    @property
    def canary(self) -> bool:
        """Whether the node owns up to bad work."""
        return self.fake != NO_SEGMENT

    def seal(self, node: Address) -> bytes:
        """The 32 bytes in the Commitment, keyed by the node's address. Raises BadField."""
        if len(self.salt) != 32 or not 0 <= self.fake <= NO_SEGMENT:
            raise BadField("a pledge has a salt of 32 bytes and a segment of at most 32 bits")
        return keccak256(b"commonweight pledge" + to_canonical_address(node) + self.salt + self.fake.to_bytes(4))


def draw_pledge(key: bytes, run: bytes, round_number: int, segments: int, rate_ppm: int) -> Pledge:
    """A node's pledge of a round: a canary with a probability of `rate_ppm` parts per million, its segment uniform.

    It follows from the node's private key, so that only the node can know it and a restarted one repeats it. Raises
    BadField.
    """
    if not 0 <= rate_ppm <= _MILLION:
        raise BadField(f"a canary rate is between 0 and {_MILLION} parts per million, not {rate_ppm}")
    salt = keccak256(b"commonweight pledge salt" + keccak256(key) + run + round_number.to_bytes(8))
    coin, pick = (int.from_bytes(keccak256(label + salt)) for label in (b"canary", b"segment"))
    return Pledge(salt, pick % segments if coin % _MILLION < rate_ppm else NO_SEGMENT)
