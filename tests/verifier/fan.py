"""Jobs of one proof through the queue: one a segment, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from verifier.jobs.queue import VerifierApp
from verifier.jobs.rows import JobRow, JobState, Key, Order

TASK = "tests.segment"


@dataclass
class Fan:
    """`subject` is what the workers are told, as in tests/verifier/slow_tasks.py."""

    subject: str
    segments: tuple[int, ...]
    attempts: int = 2
    jobs: list[JobRow] = field(default_factory=list)

    def dispatch(self, app: VerifierApp) -> None:
        """Send what is due, and take results in."""
        if not self.jobs:
            app.jobs.add([Order(self._key(s), TASK, (self.subject, s), self.attempts) for s in self.segments])
        self.jobs = app.jobs.advance(self.subject, 0)

    @property
    def settled(self) -> bool:
        """Whether nothing is under way any more."""
        return bool(self.jobs) and all(job.settled for job in self.jobs)

    @property
    def done(self) -> list[int]:
        """Results of those that were done."""
        return sorted(job.result for job in self.jobs if job.state == JobState.DONE)

    @property
    def dead(self) -> dict[str, str]:
        """Those that were given up, with the reason."""
        return {job.key.name: job.reason() for job in self.jobs if job.state == JobState.DEAD}

    def job(self, segment: int) -> JobRow:
        """How one stands."""
        return next(job for job in self.jobs if job.key == self._key(segment))

    def _key(self, segment: int) -> Key:
        return Key(self.subject, 0, f"segment {segment}")
