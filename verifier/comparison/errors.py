"""Why two machines cannot be compared.

CommonweightError
├── ProfileMismatch    an exact run's node computed under another numerics profile than this machine's
└── CannotJudge        a bounded run has no limits for the pair of machines, or its table is not at hand
"""

from __future__ import annotations

from contracts.errors import CommonweightError


class ProfileMismatch(CommonweightError):
    """Node and verifier computed under two profiles in a run that demands one."""

    code = "profile-mismatch"


class CannotJudge(CommonweightError):
    """No limits to compare with this node's machine: no word at all."""

    code = "cannot-judge"
