"""One proof on its way to a verdict: draw, wait for the openings, fan the checks out, collect."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.draw import boundaries_to_open
from contracts.reasons import ACCEPT, NO_SEGMENT, REJECT, UNDECIDED, Reason
from verifier.jobs import Job, Key, Order, State
from verifier.queue import VerifierApp

SECOND_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Outcome:
    """What a verdict will say; `measured` and `limit` in 1e-18. `trace` proves the replay of the common segment."""

    outcome: int
    reason: Reason
    segment: int
    measured: int
    limit: int
    detail: str = ""
    trace: bytes = b""


@dataclass
class Examination:
    """The checks of one proof at one stage; `last` is its last boundary, `disputed` what a reject names first.

    Its jobs are rows: results may come in any order, and survive a lost worker, a lost queue and a restart.
    """

    proof: str
    segments: tuple[int, ...]
    last: int
    attempts: int
    stage: int = 1
    disputed: tuple[int, ...] = ()
    jobs: list[Job] = field(default_factory=list)
    overdue: float | None = None

    def ready_to_start(self, status: dict[str, Any]) -> bool:
        """All openings are there, or the node has had its time: seen twice, as a server that was away gives it more."""
        if set(boundaries_to_open(self.segments, self.last)) <= set(status["opened"]):
            return True
        if status["opening_deadline"] is None or time.time() <= status["opening_deadline"]:
            self.overdue = None
            return False
        self.overdue = self.overdue or time.monotonic()
        return time.monotonic() - self.overdue >= SECOND_LOOK_SECONDS

    def dispatch(self, app: VerifierApp, facts: Callable[[], Any] = dict) -> None:
        """One job per segment and one for the end, each with the same facts about the proof.

        Call again to collect results and to replace what was lost.
        """
        if not self.jobs:
            app.jobs.add(self._orders(facts()))
        asked = {order.key for order in self._orders(None)}
        self.jobs = [job for job in app.jobs.advance(self.proof, self.stage) if job.key in asked]

    def outcome(self) -> Outcome | None:
        """None while checks are running. Missing data and exceptions are undecided, never accepted.

        A segment that was found wrong rejects the proof even if another one could not be checked.
        """
        if not self.jobs or not all(job.settled for job in self.jobs):
            return None
        said = [_said(job) for job in self.jobs]
        rejected = sorted((s for s in said if s.outcome == REJECT), key=self._rank)
        undecided = [s for s in said if s.outcome == UNDECIDED]
        trace = next((s.trace for s in said if s.trace), b"")
        if rejected or undecided:
            return replace((rejected or undecided)[0], trace=trace)
        return Outcome(ACCEPT, Reason.NONE, NO_SEGMENT, max(s.measured for s in said), 0, trace=trace)

    def _rank(self, said: Outcome) -> tuple[bool, int]:
        """k verdicts that name one segment prove it false: what is in dispute comes first."""
        return said.segment not in self.disputed, said.segment

    def _orders(self, facts: Any) -> list[Order]:
        end = Order(Key(self.proof, self.stage, "end"), "verifier.check_end", (self.proof, facts), self.attempts)
        return [end] + [
            Order(
                Key(self.proof, self.stage, f"segment {s}"), "verifier.check_segment", (self.proof, s, facts),
                self.attempts,
            )
            for s in self.segments
        ]  # fmt: skip


def _said(job: Job) -> Outcome:
    """What one job says of the proof; one without a sound result says nothing for it and nothing against it."""
    if job.state != State.DONE:
        return Outcome(UNDECIDED, Reason.VERIFIER_FAILED, NO_SEGMENT, 0, 0, job.reason())
    try:
        return _decoded(job)
    except (KeyError, TypeError, ValueError) as error:
        detail = f"{job.key.name} gave no sound result ({error!r}): {job.result!r:.200}"
        return Outcome(UNDECIDED, Reason.VERIFIER_FAILED, NO_SEGMENT, 0, 0, detail)


def _decoded(job: Job) -> Outcome:
    """Raises KeyError, TypeError or ValueError for anything but what `verifier.tasks` returns."""
    result, segment, trace = job.result, int(job.result["segment"]), bytes.fromhex(job.result.get("trace", ""))
    if result["failed"] is True:
        return Outcome(
            REJECT, _grounds(result["reason"]), segment, int(result["measured"]), int(result["limit"]),
            result["detail"], trace,
        )  # fmt: skip
    if result["failed"] is not False or job.key.name not in ("end", f"segment {segment}"):
        raise ValueError("not the answer to what was asked")
    return Outcome(ACCEPT, Reason.NONE, segment, int(result["measured"]), 0, trace=trace)


def _grounds(code: int) -> Reason:
    if code == Reason.NONE:
        raise ValueError("a reject needs a reason")
    return Reason(code)
