"""A verifier's reports while it works."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.ids import NO_ADDRESS, NO_PROOF, Address, ProofId


@dataclass(frozen=True)
class VerifierProgress:
    """One line. `segments` were read for a verdict; errors are relative, None where nothing was measured."""

    event: str
    round: int = 0
    node: Address = NO_ADDRESS
    proof: ProofId = NO_PROOF
    detail: str = ""
    segments: int | None = None
    error: float | None = None
    limit: float | None = None
