"""Where a call of the relayer stands, as a server stores it and answers it (`GET /v1/transactions`)."""

from __future__ import annotations

from enum import StrEnum


class CallState(StrEnum):
    """The transitions are drawn in ledger/relay/call_state.py."""

    QUEUED = "queued"
    """It has no nonce yet."""
    SIGNED = "signed"
    """It has a nonce and bytes, and is in no block."""
    MINED = "mined"
    """A block that is not final has it, and it succeeded."""
    REVERTED = "reverted"
    """A block that is not final has it, and it failed, or a transaction that only used its nonce up."""
    FINAL = "final"
    """Done: its block is final."""
    FAILED = "failed"
    """It failed in a final block, and is tried again."""
    REFUSED = "refused"
    """The contract would refuse it now; it is tried again, and what asks for it anew may replace it."""
    DEAD = "dead"
    """Abandoned, with its last error, until somebody gives it all its tries again."""
