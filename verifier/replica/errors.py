"""Errors that keep a verifier from signing, or from going on.

CommonweightError
├── LogWaits          no head is signed yet, without a fault: the own chain lags, or a block is not whole
│   └── ChainAway     the own chain node does not answer
├── LogFailed         entries under the own head do not follow from the rules, as the software has them now
├── SecretUnusable    the file of the secret is torn, or others can read it
├── NotPrepared       the run's text, its limits or its numerics profile is not at hand
└── ServerRefused     the server took no signature
"""

from __future__ import annotations

from contracts.errors import CommonweightError


class LogWaits(CommonweightError):
    """No head over these entries is signed yet; the next look tries again."""

    code = "log-waits"
    status = 503


class ChainAway(LogWaits):
    """The own chain node does not answer, `why` in words: reported once, however many duties ask it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"one's own chain node {why}")
        self.why = why


class LogFailed(CommonweightError):
    """Entry `index`, under the own head, does not follow from the entries before it and from the chain."""

    code = "log-failed"
    status = 422

    def __init__(self, index: int, detail: str) -> None:
        super().__init__(detail)
        self.index = index


class SecretUnusable(CommonweightError):
    """The file with a verifier's secret is torn, or can be read by others."""

    code = "secret-unusable"


class NotPrepared(CommonweightError):
    """A run cannot be judged on this machine as it is."""

    code = "not-prepared"


class ServerRefused(CommonweightError):
    """The server did not take a signature; `code` of its answer is in the detail."""

    code = "server-refused"
    status = 502
