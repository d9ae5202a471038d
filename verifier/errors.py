"""What verification can say against a proof, a log or itself.

CommonweightError
├── CheckFailed        one numbered check of a proof failed: a reject, with reason, segment, measured error, limit
└── AuditFailed        the public log does not support what it says
"""

from __future__ import annotations

from contracts.errors import CommonweightError
from contracts.reasons import Reason


class CheckFailed(CommonweightError):
    """A proof does not stand; `measured` and `limit` are in 1e-18."""

    code = "check-failed"

    def __init__(self, reason: Reason, segment: int, detail: str, measured: int = 0, limit: int = 0) -> None:
        super().__init__(detail)
        self.reason, self.segment, self.measured, self.limit = reason, segment, measured, limit


class AuditFailed(CommonweightError):
    """Entry `index` of the log (or its head) does not support what it says."""

    code = "audit-failed"

    def __init__(self, index: int, detail: str) -> None:
        super().__init__(f"log entry {index}: {detail}")
        self.index = index
