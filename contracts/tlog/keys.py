"""Ed25519 keys of logs and cosigners, and the text in which they are handed on (a "vkey" of C2SP's signed-note).

A vkey is `name+id+key`: the key's name, the eight hexadecimal digits of its id, and the base64 of the type byte and the
public key. The id is the start of SHA-256(name, newline, type byte, public key), so no part of it can be changed alone.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.errors import CommonweightError
from contracts.files.whole_file import create_file
from contracts.tlog.text import check_name, parse_base64, shown, to_base64

KEY = 32
SIGNATURE = 64
KEY_ID = 4
MAX_NAME = 512
"""Bytes of the name of a key that is ours to know; names of unknown keys in a note are bounded by the note."""

MAX_VKEY = MAX_NAME + 64

_FIELD = 2**255 - 19
_CURVE = -121665 * pow(121666, -1, _FIELD)
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _FIELD - 1, _ORDER_8, _FIELD - _ORDER_8})
"""The y of the eight points under which a signature can be made that holds for many messages, without any secret."""


class InvalidLogKey(CommonweightError):
    """A key, or the text or file of one, that cannot be used."""

    code = "invalid-log-key"
    status = 422


class BadLogSignature(CommonweightError):
    """An Ed25519 signature that its key did not make over this text."""

    code = "bad-log-signature"
    status = 401


class SignatureType(IntEnum):
    """The type bytes of C2SP's signed-note that this project signs and checks."""

    NOTE = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True)
class VerifierKey:
    """The name of a signer, its type of signature, and its public key of 32 bytes. Raises InvalidLogKey."""

    name: str
    kind: SignatureType
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name, InvalidLogKey)
        if len(self.name.encode()) > MAX_NAME:
            raise InvalidLogKey(f"a key's name must have at most {MAX_NAME} bytes")
        check_public(self.public)

    @property
    def key_id(self) -> bytes:
        """Four bytes by which a signature line names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + self._typed()).digest()[:KEY_ID]

    def vkey(self) -> str:
        """The key as text."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(self._typed())}"

    def check(self, signature: bytes, message: bytes) -> None:
        """Raises BadLogSignature unless these 64 bytes are this key's signature of the message (RFC 8032)."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            raise BadLogSignature(f"not signed by {self.name}+{self.key_id.hex()}") from None

    def _typed(self) -> bytes:
        return bytes([self.kind]) + self.public


def parse_vkey(text: str) -> VerifierKey:
    """Raises InvalidLogKey for what VerifierKey.vkey does not write, types that are not ours among it."""
    if len(text) > MAX_VKEY:
        raise InvalidLogKey(f"a vkey must have at most {MAX_VKEY} characters")
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise InvalidLogKey(f"not name+id+key: {shown(text)}")
    typed = parse_base64(parts[2], InvalidLogKey)
    if typed[:1] not in [bytes([kind]) for kind in SignatureType]:
        raise InvalidLogKey(f"signature type {typed[:1].hex() or 'missing'} is not taken: {shown(text)}")
    key = VerifierKey(parts[0], SignatureType(typed[0]), typed[1:])
    if key.key_id.hex() != parts[1]:
        raise InvalidLogKey(f"the id of this key is {key.key_id.hex()}: {shown(text)}")
    return key


@dataclass(frozen=True)
class SigningKey:
    """The secret of an Ed25519 key: 32 bytes that are never shown."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != KEY:
            raise InvalidLogKey(f"a secret key must have {KEY} bytes, not {len(self.seed)}")

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key from the system's randomness."""
        return cls(os.urandom(KEY))

    @classmethod
    def derive(cls, secret: bytes, purpose: str) -> SigningKey:
        """One key for each purpose from one secret of at least 32 bytes (HKDF with SHA-256). Raises InvalidLogKey."""
        if len(secret) < KEY:
            raise InvalidLogKey(f"a secret to derive from must have at least {KEY} bytes")
        info = b"commonweight log key\n" + purpose.encode()
        return cls(HKDF(algorithm=SHA256(), length=KEY, salt=None, info=info).derive(secret))

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """From a file of 32 raw bytes. Raises InvalidLogKey."""
        try:
            return cls(path.read_bytes())
        except OSError as error:
            raise InvalidLogKey(f"cannot read the key {path}: {error.strerror}") from None

    def save(self, path: Path) -> None:
        """To a new file that only its owner can read. Raises InvalidLogKey if there is one already."""
        try:
            create_file(path, self.seed, 0o600)
        except OSError as error:
            raise InvalidLogKey(f"cannot write the key {path}: {error.strerror}") from None

    @property
    def public(self) -> bytes:
        """32 bytes, as RFC 8032 encodes them."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def verifier(self, name: str, kind: SignatureType) -> VerifierKey:
        """The public side, under a name. Raises InvalidLogKey."""
        return VerifierKey(name, kind, self.public)


def check_public(public: bytes) -> None:
    """A point of the curve, in its only encoding, and not of small order. Raises InvalidLogKey."""
    if len(public) != KEY:
        raise InvalidLogKey(f"a public key must have {KEY} bytes, not {len(public)}")
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if y >= _FIELD:
        raise InvalidLogKey("not the only encoding of this public key")
    if y in _SMALL_ORDER:
        raise InvalidLogKey("anybody can sign for this public key")
    square = (y * y - 1) * pow(_CURVE * y * y + 1, -1, _FIELD)
    if pow(square, (_FIELD - 1) // 2, _FIELD) != 1:
        raise InvalidLogKey("this public key is no point of the curve")


def backend_hash(public: bytes) -> str:
    """The first part of the path under which an https-bastion (C2SP) reaches the holder of this key: 64 hex digits."""
    return hashlib.sha256(public).hexdigest()
