"""Which segments are opened: a draw that nobody can steer and everybody can repeat.

It mixes a beacon (hash of a block after the commitment, unknown to the node) with a secret that the verifier anchored
(before the round, unknown to everybody else), so neither side chooses. Revealed, both are public.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import to_canonical_address

from contracts.ids import Address, from_hex
from contracts.keccak import keccak256

NO_SEGMENT = 0xFFFFFFFF
"""uint32 where a message names no segment."""


def common_segment(beacon: bytes, proof: bytes, segments: int) -> int:
    """The one segment that every verifier of a proof replays, so that their work can be compared."""
    return int.from_bytes(keccak256(b"commonweight common" + beacon + proof)) % segments


def draw_segments(beacon: bytes, secret: bytes, proof: bytes, segments: int, samples: int) -> tuple[int, ...]:
    """`samples` distinct segments of `segments`, ascending: the common one, and a verifier's own.

    Fisher-Yates driven by keccak256(seed ‖ counter); 256-bit draws make the modulo bias below 2^-240.
    """
    seed = keccak256(beacon + secret + proof)
    order = list(range(segments))
    common = common_segment(beacon, proof, segments)
    order[0], order[common] = order[common], order[0]
    count = min(samples, segments)
    for index in range(1, count):
        value = int.from_bytes(keccak256(seed + index.to_bytes(32)))
        pick = index + value % (segments - index)
        order[index], order[pick] = order[pick], order[index]
    return tuple(sorted(order[:count]))


def panel_order(beacon: bytes, proof: bytes, verifiers: Sequence[Address]) -> tuple[Address, ...]:
    """The order in which verifiers (addresses) take seats on a proof's panel: the first are drawn, the next replace."""
    seed = keccak256(b"commonweight panel" + beacon + proof)
    return tuple(sorted(verifiers, key=lambda verifier: keccak256(seed + to_canonical_address(verifier))))


def run_origin(model: bytes, creator: Address, nonce: int, genesis: bytes) -> bytes:
    """32 bytes that tell a run's data from any other's (ADR 2): from model and genesis (32 bytes each), the creator's
    address and its nonce."""
    return keccak256(b"commonweight run" + model + from_hex(creator) + nonce.to_bytes(32) + genesis)


def data_seed(origin: bytes, round_number: int, theta: bytes) -> bytes:
    """32-byte seed of a round's batches: known to nobody before the round's weights exist (ADR 2)."""
    return keccak256(b"commonweight data seed" + origin + round_number.to_bytes(8) + theta)
