"""What a verifier says while it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One line. `segments` were read for a verdict; errors are relative, None where nothing was measured."""

    event: str
    round: int = 0
    node: str = ""
    proof: str = ""
    detail: str = ""
    segments: int | None = None
    error: float | None = None
    limit: float | None = None
