"""What verification can say against a proof, a log or itself.

CommonweightError
├── CheckFailed        one numbered check of a proof failed: a reject, with reason, segment, measured error, limit
├── ProfileMismatch    an exact run's node computed under another numerics profile: a reject
├── CannotJudge        this verifier cannot tell (no limits for the pair of profiles; bytes that are lost, or are not
│                      what was signed): tried again, then undecided, never an accept and never a reject
└── AuditFailed        the public log does not support what it says
"""

from __future__ import annotations

from contracts.errors import CommonweightError
from contracts.reasons import Reason


class CheckFailed(CommonweightError):
    """A proof does not stand; `measured` and `limit` are in 1e-18, `trace` proves the replay that found it."""

    code = "check-failed"

    def __init__(
        self, reason: Reason, segment: int, detail: str, measured: int = 0, limit: int = 0, trace: bytes = b""
    ) -> None:
        super().__init__(detail)
        self.reason, self.segment, self.measured, self.limit, self.trace = reason, segment, measured, limit, trace


class ProfileMismatch(CommonweightError):
    """Node and verifier computed under two profiles in a run that demands one."""

    code = "profile-mismatch"


class CannotJudge(CommonweightError):
    """No way to compare with this node's machine, or no bytes that hash to what was signed."""

    code = "cannot-judge"


class AuditFailed(CommonweightError):
    """Entry `index` of the log (or its head) does not support what it says."""

    code = "audit-failed"

    def __init__(self, index: int, detail: str) -> None:
        super().__init__(f"log entry {index}: {detail}")
        self.index = index
