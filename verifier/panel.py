"""One proof on its way to a verdict: draw, wait for the openings, fan the checks out, collect."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from celery import Celery
from celery.result import AsyncResult

from contracts.draw import boundaries_to_open
from contracts.reasons import Reason

NO_SEGMENT = 0xFFFFFFFF
UNDECIDED, ACCEPT, REJECT = 0, 1, 2
REDISPATCH_SECONDS = 180.0


@dataclass(frozen=True)
class Outcome:
    """What a verdict will say; `measured` and `limit` in 1e-18."""

    outcome: int
    reason: Reason
    segment: int
    measured: int
    limit: int
    detail: str = ""


@dataclass
class Examination:
    """The checks of one proof at one stage; `last` is its last boundary.

    Results may come in any order and survive a lost worker.
    """

    proof: str
    segments: tuple[int, ...]
    last: int
    attempts: int
    results: list[AsyncResult[Any]] = field(default_factory=list)
    sent: float = 0.0
    tries: int = 0

    def ready_to_start(self, status: dict[str, Any]) -> bool:
        """All openings are there, or the node has had its time."""
        if set(boundaries_to_open(self.segments, self.last)) <= set(status["opened"]):
            return True
        return status["opening_deadline"] is not None and time.time() > status["opening_deadline"]

    def dispatch(self, app: Celery) -> None:
        """One task per segment and one for the end; a lost queue is filled again after a while."""
        if self.results and time.monotonic() < self.sent + REDISPATCH_SECONDS:
            return
        self.tries, self.sent = self.tries + 1, time.monotonic()
        self.results = [app.send_task("verifier.check_end", (self.proof,))]
        self.results += [app.send_task("verifier.check_segment", (self.proof, s)) for s in self.segments]

    def outcome(self) -> Outcome | None:
        """None while checks are running. Missing data and exceptions are undecided, never accepted."""
        if not all(result.ready() for result in self.results):
            if self.tries > self.attempts:
                return Outcome(UNDECIDED, Reason.VERIFIER_FAILED, NO_SEGMENT, 0, 0, "the checks never came back")
            return None
        broken = [result for result in self.results if result.failed()]
        if broken:
            return Outcome(UNDECIDED, Reason.VERIFIER_FAILED, NO_SEGMENT, 0, 0, str(broken[0].traceback))
        said = [result.result for result in self.results]
        failures = sorted((s for s in said if s["failed"]), key=lambda s: s["segment"])
        if failures:
            worst = failures[0]
            return Outcome(
                REJECT, Reason(worst["reason"]), worst["segment"], int(worst["measured"]), int(worst["limit"]),
                worst["detail"],
            )  # fmt: skip
        return Outcome(ACCEPT, Reason.NONE, NO_SEGMENT, max(int(s["measured"]) for s in said), 0)
