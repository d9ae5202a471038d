"""Refusals of facts by the machine. A refusal has changed nothing."""

from __future__ import annotations

from contracts.errors import CommonweightError


class Refused(CommonweightError):
    """A fact that the machine does not enter."""

    code = "fact-refused"
    status = 409


class UnknownSubject(Refused):
    """The fact is about a run, a round or a proof that the machine does not hold (any more)."""

    code = "unknown-subject"
    status = 404


class NotSeated(Refused):
    """The fact's author has no word here: not of the round's verifiers, not listed, not asked."""

    code = "not-asked"
    status = 403


class NotAwaited(Refused):
    """A lapse of what was never awaited since that entry."""

    code = "not-awaited"


class AlreadySaid(Refused):
    """The fact's author has said this, or something else in its place."""

    code = "already-said"


class NotBound(Refused):
    """The fact does not match the entry that it must match."""

    code = "not-bound"
    status = 422


class OutOfTime(Refused):
    """The fact comes before its time, or after it."""

    code = "out-of-time"


class RunEnded(Refused):
    """The run is over: it credits nothing."""

    code = "run-over"
    status = 410


class Differs(CommonweightError):
    """A derived entry of a log is not what follows from the entries before it."""

    code = "log-differs"
    status = 422

    def __init__(self, index: int, detail: str) -> None:
        super().__init__(f"entry {index} {detail}")
        self.index = index
