"""The error tree. Every failure that a user can meet carries a stable code and an HTTP status.

CommonweightError
├── InvalidMessage        a message or signature that cannot be accepted
│   ├── BadSignature
│   └── BadField
├── InvalidTree           a Merkle index, size or proof that does not hold
├── InvalidTensorFile     bytes that are not the safetensors file that was promised
└── InvalidPayout         weights or amounts from which no payout follows
"""

from __future__ import annotations


class CommonweightError(Exception):
    """Root of the tree; `code` is stable across releases, `status` is the HTTP status it maps to."""

    code: str = "commonweight-error"
    status: int = 400

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidMessage(CommonweightError):
    """A signed message that cannot be accepted."""

    code = "invalid-message"


class BadSignature(InvalidMessage):
    """The signature is malformed, malleable or by another key than it must be."""

    code = "bad-signature"
    status = 401


class BadField(InvalidMessage):
    """A field does not fit its EIP-712 type."""

    code = "bad-field"
    status = 422


class InvalidTree(CommonweightError):
    """A Merkle index, size or proof that does not hold."""

    code = "invalid-merkle-proof"
    status = 422


class InvalidTensorFile(CommonweightError):
    """Bytes that are not the safetensors file that was promised."""

    code = "invalid-tensor-file"
    status = 422


class InvalidPayout(CommonweightError):
    """Weights or amounts from which no payout follows."""

    code = "invalid-payout"
    status = 422
