"""Identifiers by name, and the one hex codec.

Text in hex is lowercase and begins with 0x, but for names of blobs: those are 64 digits alone (BLAKE3, ADR 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NewType, TypeAlias, cast

if TYPE_CHECKING:
    from eth_typing import HexAddress

    Address: TypeAlias = HexAddress
else:  # every command loads this module, and eth_typing takes longer than all the rest of it
    Address = NewType("Address", str)
"""An account or a contract of an EVM chain: 0x and 40 hex digits. One with a checksum (EIP-55) is one, too."""

RunId = NewType("RunId", str)
"""A run: 0x and 64 hex digits, the digest of its manifest (ADR 9)."""
ProofId = NewType("ProofId", str)
"""A proof: 0x and 64 hex digits, the EIP-712 digest of its commitment."""
BlobName = NewType("BlobName", str)
"""A blob: the 64 hex digits of the BLAKE3 digest of its bytes."""


def beneath(hint: Any) -> Any:
    """The type of the values that a hint names: `str` of `RunId`. A codec reads by it."""
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    return hint


def as_address(text: str) -> Address:
    """Text that was checked to be an address, or is checked by its receiver."""
    return cast(Address, text)


def to_hex(data: bytes) -> str:
    """Bytes as text: 0x and two lowercase digits a byte."""
    return "0x" + bytes(data).hex()


def from_hex(text: str) -> bytes:
    """Text as bytes, with 0x before it or without. Raises ValueError where it is no hex."""
    return bytes.fromhex(text.removeprefix("0x"))


ZERO_ADDRESS = as_address("0x" + "00" * 20)
ZERO_DIGEST = "0x" + "00" * 32
NO_ADDRESS = as_address("")
NO_PROOF = ProofId("")
NO_RUN = RunId("")
