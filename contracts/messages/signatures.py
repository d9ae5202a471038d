"""EIP-712 signing and recovery, stricter than the library.

eth-account accepts high-s signatures and v of 0, 1 and 35; here a signature is 65 bytes r || s || v with
s in the lower half of the group order (EIP-2) and v in {27, 28}. Replay protection rests on the message
digest and its fields, never on signature bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.constants import SECPK1_N
from eth_utils import keccak, to_checksum_address

from contracts.errors import BadSignature
from contracts.ids import Address
from contracts.messages.fields import plain, typed_fields
from contracts.messages.for_contracts import Message


@dataclass(frozen=True)
class Domain:
    """EIP-712 domain: a message for another chain or contract never verifies here."""

    chain_id: int
    verifying_contract: str

    def fields(self) -> dict[str, object]:
        """The domain as typed data takes it."""
        return {
            "name": "Commonweight",
            "version": "1",
            "chainId": self.chain_id,
            "verifyingContract": to_checksum_address(self.verifying_contract),
        }


def digest(message: Message, domain: Domain) -> bytes:
    """32 bytes that are signed: keccak(0x19 || 0x01 || domain separator || struct hash), EIP-712."""
    return digest_of(_encode(message, domain))


def digest_of(encoded: SignableMessage) -> bytes:
    """32 bytes that a wallet signs of typed data: keccak(0x19 || version || header || body), EIP-191."""
    return keccak(b"\x19" + encoded.version + encoded.header + encoded.body)


def sign(message: Message, domain: Domain, private_key: bytes) -> bytes:
    """65-byte signature r || s || v."""
    return bytes(Account.sign_message(_encode(message, domain), private_key).signature)


def recover(message: Message, domain: Domain, signature: bytes) -> Address:
    """Checksum address of the signer. Raises BadSignature for a malformed or malleable signature."""
    _check_canonical(signature)
    try:
        signer: Address = Account.recover_message(_encode(message, domain), signature=signature)
    except Exception as error:  # the library raises its own and its backend's exceptions
        raise BadSignature(f"signature does not recover to a key: {error}") from error
    return signer


def require_signer(message: Message, domain: Domain, signature: bytes, signer: Address) -> None:
    """Raises BadSignature unless `signer` made `signature`."""
    recovered = recover(message, domain, signature)
    if recovered != to_checksum_address(signer):
        raise BadSignature(f"signed by {recovered}, not by {to_checksum_address(signer)}; check key, chain and run")


def _check_canonical(signature: bytes) -> None:
    if len(signature) != 65:
        raise BadSignature(f"signature must be 65 bytes, got {len(signature)}")
    if signature[64] not in (27, 28):
        raise BadSignature(f"signature v must be 27 or 28, got {signature[64]}")
    if int.from_bytes(signature[32:64]) > SECPK1_N // 2:
        raise BadSignature("signature s must be in the lower half of the group order (EIP-2)")


@lru_cache(maxsize=256)
def _encode(message: Message, domain: Domain) -> SignableMessage:
    """Kept for a while: a recovered message is named by its digest next, and the library takes long for each."""
    return encode_typed_data(
        domain_data=domain.fields(), message_types=typed_fields(type(message)), message_data=plain(message)
    )
