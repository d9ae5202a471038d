"""One round's work in a thread of its own: while it trains, the node goes on following, opening and handing.

What it makes is a trajectory and commitments that are not signed yet. A round that was done already is done again, bit
for bit: who was killed opens the same states.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from contracts.errors import CommonweightError
from contracts.protocol import messages
from contracts.run_config import RunConfig
from trainer.conduct import Commitment, Conduct, Job, Surroundings
from trainer.corpus import Corpus
from trainer.inner_step import StepResult
from trainer.light.settings import Progress, Report
from trainer.light.states import States
from trainer.settled import settle
from trainer.state import layout
from trainer.trajectory import Trajectory

IN_MEMORY_BYTES = 2**30
FETCH_SECONDS = 1.0
"""Between two tries to get weights that nobody gives yet."""


class Abandoned(CommonweightError):
    """The round ended, or the node: its work serves nobody any more."""

    code = "work-abandoned"


@dataclass(frozen=True)
class Task:
    """A round as the covered log has it: its view, its configuration, and the digests that it starts from.

    `genesis` says whether its weights are those that the run began with; `blobs` are names of files of them.
    """

    view: dict[str, Any]
    config: RunConfig
    theta: str
    inner: str
    genesis: bool
    blobs: Callable[[], list[str]]

    @property
    def key(self) -> tuple[str, int]:
        """Run and round."""
        return str(self.view["run"]), int(self.view["round"])


@dataclass(frozen=True)
class Work:
    """What became of a task: `made` in the order in which it is handed; openings are of the last."""

    job: Job
    trajectory: Trajectory
    made: tuple[Commitment, ...]


@dataclass
class _Running:
    task: Task
    thread: threading.Thread
    stop: threading.Event = field(default_factory=threading.Event)
    work: Work | None = None
    error: BaseException | None = None


class Workshop:
    """Does one task at a time."""

    def __init__(
        self, around: Surroundings, conduct: Conduct, corpus: Corpus, states: States, folder: Path, report: Report
    ) -> None:
        self._around, self._conduct, self._corpus, self._states = around, conduct, corpus, states
        self._folder, self._report = folder, report
        self._running: _Running | None = None
        self.step = 0

    @property
    def busy(self) -> tuple[str, int] | None:
        """Run and round of the task that is being done."""
        return self._running.task.key if self._running else None

    def begin(self, task: Task) -> None:
        """Start a task; one at a time."""
        assert self._running is None, "one task at a time"
        running = _Running(task, threading.Thread(target=self._run, name="light-work", daemon=True))
        self._running, self.step = running, 0
        running.thread.start()

    def finished(self) -> Work | None:
        """The work, once it is done; None while it is not, or where it was abandoned. Raises what it raised."""
        running = self._running
        if running is None or running.thread.is_alive():
            return None
        self._running = None
        if running.error is not None and not isinstance(running.error, Abandoned):
            raise running.error
        return running.work

    def abandon(self) -> None:
        """End the task at its next step."""
        if self._running is not None:
            self._running.stop.set()

    def close(self) -> None:
        """End the task, and wait for its end."""
        self.abandon()
        if self._running is not None:
            self._running.thread.join()
            with suppress(CommonweightError):
                self.finished()

    def _run(self) -> None:
        running = self._running
        assert running is not None, "it was begun"
        try:
            running.work = self._do(running)
        except BaseException as error:  # the loop raises it, in its own thread
            running.error = error

    def _do(self, running: _Running) -> Work:
        task = running.task
        self._corpus.require(task.config.corpus_digest)
        theta = self._theta(running)
        job = Job(
            self._around, task.view, task.config, self._corpus, self._states.start(theta, task.inner, task.config)
        )
        self._report(Progress("training", job.number))
        done = self._conduct.run_inner(job, self._on_step(running, job.number), self._boundaries(task))
        trajectory = settle(job.start, done)
        self._states.remember(trajectory.end_state)
        return Work(job, trajectory, tuple(self._conduct.commitments(job, trajectory)))

    def _theta(self, running: _Running) -> Any:
        task = running.task
        while True:
            found = self._states.theta(task.theta, task.config, task.genesis, task.blobs())
            if found is not None:
                return found
            if running.stop.wait(FETCH_SECONDS):
                raise Abandoned("nobody gave the round's weights")

    def _on_step(self, running: _Running, number: int) -> Callable[[int, StepResult], None]:
        def note(step: int, result: StepResult) -> None:
            if running.stop.is_set():
                raise Abandoned(f"round {number} is over")
            self.step = step + 1
            self._report(Progress("step", number, step + 1, result.loss))

        return note

    def _boundaries(self, task: Task) -> Path | None:
        """Where a round's boundary states are kept; None, memory, while they are small."""
        state = sum(4 * math.prod(shape) for _, shape in layout(task.config).values())
        small = state * (task.config.segments + 1) <= IN_MEMORY_BYTES
        return None if small else self._folder / f"{task.key[0][2:18]}-{task.key[1]}"


def as_message(made: Commitment) -> messages.Commitment:
    """A conduct's proof as the message of this protocol."""
    said = made.message
    return messages.Commitment(
        run=said.run, round=said.round, node=said.node, startState=said.startState, innerState=said.innerState,
        root=said.commitment, boundaries=said.boundaries, endState=said.endState, innerEnd=said.innerEnd,
        gradient=said.pseudoGradient, gradientBlob=blake3(made.gradient).digest(), gradientSize=len(made.gradient),
        dataSeed=said.dataSeed, config=said.config, profile=said.profile, pledge=said.pledge, tokens=said.tokens,
    )  # fmt: skip
