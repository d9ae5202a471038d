"""The refusal to join a model."""

from __future__ import annotations

from contracts.errors import CommonweightError


class GenesisRefused(CommonweightError):
    """A contract is not ours, a key outside the contracts holds a power, or a promise cannot be kept."""

    code = "genesis-refused"


def require(condition: bool, otherwise: str) -> None:
    """Raises GenesisRefused with these words unless a condition holds."""
    if not condition:
        raise GenesisRefused(otherwise)
