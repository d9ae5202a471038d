"""Why a proof was not accepted: stable codes, the same in a Verdict, in the log and on a page."""

from __future__ import annotations

from enum import IntEnum

UNDECIDED, ACCEPT, REJECT = 0, 1, 2
"""uint8 in Verdict.outcome."""

NO_SEGMENT = 0xFFFFFFFF
"""uint32 in Verdict.segment, where the outcome is about none."""


class Coded(IntEnum):
    """Numbers in signed messages that people and scripts read as words."""

    @property
    def slug(self) -> str:
        """For instance `replay-mismatch`."""
        return self.name.lower().replace("_", "-")


class Reason(Coded):
    """uint16 in Verdict.reason."""

    NONE = 0
    REPLAY_MISMATCH = 1
    OPENING_WITHHELD = 2
    OPENING_INVALID = 3
    START_STATE_MISMATCH = 4
    PSEUDO_GRADIENT_MISMATCH = 5
    NOT_FINITE = 6
    PROFILE_UNSUPPORTED = 7
    VERIFIER_FAILED = 8
    END_STATE_MISMATCH = 9
    QUORUM_MISSING = 10
    DRIFT = 11
    CANARY = 12
    PLEDGE_WITHHELD = 13
