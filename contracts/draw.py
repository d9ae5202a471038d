"""Which segments are opened: a draw that nobody can steer and everybody can repeat.

It mixes a beacon (hash of a block after the commitment, unknown to the node) with a link of the verifier's hash
chain (fixed before the round, unknown to everybody else), so neither side chooses. Revealed, both are public.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import to_canonical_address

from contracts.errors import BadField
from contracts.keccak import keccak256
from contracts.messages import RunManifest

BEACON_DELAY = 3
"""Least blocks between the head that a proof was recorded at and its beacon (ledger/proofs.py, ADR 20)."""


def chain_link(secret: bytes, length: int, round_number: int) -> bytes:
    """keccak applied (length - round) times to the 32-byte secret; round 0 gives the anchor. Raises BadField."""
    if not 0 <= round_number <= length:
        raise BadField(f"round {round_number} is beyond the hash chain of {length}; anchor a new one")
    value = secret
    for _ in range(length - round_number):
        value = keccak256(value)
    return value


def check_link(anchor: bytes, link: bytes, round_number: int) -> None:
    """Raises BadField unless `link` leads to `anchor` in exactly `round_number` hashes."""
    value = link
    for _ in range(round_number):
        value = keccak256(value)
    if value != anchor:
        raise BadField(f"link does not belong to the anchored hash chain at round {round_number}")


def common_segment(beacon: bytes, proof: bytes, segments: int) -> int:
    """The one segment that every verifier of a proof replays, so that their work can be compared."""
    return int.from_bytes(keccak256(b"commonweight common" + beacon + proof)) % segments


def draw_segments(beacon: bytes, link: bytes, proof: bytes, segments: int, samples: int) -> tuple[int, ...]:
    """`samples` distinct segments of `segments`, ascending: the common one, and a verifier's own.

    Fisher-Yates driven by keccak256(seed ‖ counter); 256-bit draws make the modulo bias below 2^-240.
    """
    seed = keccak256(beacon + link + proof)
    order, common = list(range(segments)), common_segment(beacon, proof, segments)
    order[0], order[common] = order[common], order[0]
    chosen = min(samples, segments)
    for place in range(1, chosen):
        value = int.from_bytes(keccak256(seed + place.to_bytes(32)))
        other = place + value % (segments - place)
        order[place], order[other] = order[other], order[place]
    return tuple(sorted(order[:chosen]))


def panel_order(beacon: bytes, proof: bytes, verifiers: Sequence[str]) -> tuple[str, ...]:
    """The order in which verifiers (addresses) take seats on a proof's panel: the first are drawn, the next replace."""
    seed = keccak256(b"commonweight panel" + beacon + proof)
    return tuple(sorted(verifiers, key=lambda verifier: keccak256(seed + to_canonical_address(verifier))))


def boundaries_to_open(segments: Sequence[int], last: int) -> tuple[int, ...]:
    """Start and end of each drawn segment, and always the last boundary."""
    return tuple(sorted({last} | set(segments) | {s + 1 for s in segments}))


def seed_origin(manifest: RunManifest) -> bytes:
    """32 bytes that tell a run's data from any other's: all of the manifest that a repetition would keep (ADR 2)."""
    return run_origin(manifest.model, manifest.creator, manifest.nonce, manifest.genesis)


def run_origin(model: bytes, creator: str, nonce: int, genesis: bytes) -> bytes:
    """As `seed_origin`, from model and genesis (32 bytes each), the creator's address and its nonce."""
    return keccak256(b"commonweight run" + model + bytes.fromhex(creator[2:]) + nonce.to_bytes(32) + genesis)


def data_seed(origin: bytes, round_number: int, theta: bytes) -> bytes:
    """32-byte seed of a round's batches: known to nobody before the round's weights exist (ADR 2)."""
    return keccak256(b"commonweight data seed" + origin + round_number.to_bytes(8) + theta)


def accepted_digest(proofs: Sequence[bytes]) -> bytes:
    """Hash over the accepted proof ids in order of node address: what a merge attestation is about."""
    return keccak256(b"commonweight accepted" + b"".join(proofs))
