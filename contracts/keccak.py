"""keccak-256, the hash of the EVM, in C: trees over a million payees take seconds instead of half a minute."""

from __future__ import annotations

import sha3


def keccak256(data: bytes) -> bytes:
    """32 bytes; the original Keccak padding, not FIPS 202's."""
    return bytes(sha3.keccak_256(data).digest())
