"""One round's work in a thread of its own: while it trains, the node goes on following, opening and delivering.

The work is a trajectory and commitments that are not signed yet. A round that was done already is read from the disk
where it was large, or done again, bit for bit: a node that was killed opens the same states.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull
from contracts.ids import from_hex
from contracts.protocol.judge.state import ProofState
from contracts.protocol.run_config import RunConfig
from trainer.conduct import Conduct, Made, RoundTask, Surroundings
from trainer.data.corpora import Corpora
from trainer.data.corpus import Corpus, CorpusUnreachable
from trainer.data.draw import RoundDraw, share_of
from trainer.genesis.first_weights import WeightsUnreachable
from trainer.log_view.shown import CoveredRound
from trainer.model.state import Tensors
from trainer.node.boundaries import Boundaries, Key
from trainer.node.curves import LOSSES, OwnLosses
from trainer.node.settings import NodeProgress, Report
from trainer.node.states import States
from trainer.steps.inner_step import StepResult
from trainer.steps.trajectory import Trajectory

FETCH_SECONDS = 1.0
"""Between two tries to get weights that nobody gives yet."""


class WorkAbandoned(CommonweightError):
    """The round or the node ended, and the work is of no use any more."""

    code = "work-abandoned"


@dataclass(frozen=True)
class Task:
    """A round as the covered log has it: its view, its configuration under the node's profile, and the digests that it
    starts from.

    `genesis`: whether its weights are the run's first ones; `blobs` are names of files of them; `root` is that of the
    commitment in the log, None before there is one.
    """

    view: CoveredRound
    config: RunConfig
    theta: str
    inner: str
    genesis: bool
    blobs: Callable[[], list[str]]
    root: bytes | None = None

    @property
    def key(self) -> Key:
        """Run and round."""
        return self.view.run, self.view.number


@dataclass(frozen=True)
class TaskResult:
    """The result of a task: the commitments `made` in the order of their delivery; openings are of the last."""

    job: RoundTask
    trajectory: Trajectory
    made: tuple[Made, ...]

    @property
    def key(self) -> Key:
        """Run and round."""
        return self.job.run, self.job.number


@dataclass
class _Running:
    task: Task
    thread: threading.Thread
    stop: threading.Event = field(default_factory=threading.Event)
    work: TaskResult | None = None
    error: BaseException | None = None


class Workshop:
    """A thread that does one task at a time."""

    def __init__(
        self, around: Surroundings, conduct: Conduct, corpora: Corpora, states: States, folder: Path, report: Report
    ) -> None:
        self._around = around
        self._conduct = conduct
        self._corpora = corpora
        self._states = states
        self._boundaries = Boundaries(folder)
        self._losses = OwnLosses(folder.with_name(LOSSES))
        self._report = report
        self._running: _Running | None = None
        self._told = ""
        self.step = 0

    @property
    def busy(self) -> Key | None:
        """Run and round of the task that is being done."""
        return self._running.task.key if self._running else None

    def begin(self, task: Task) -> None:
        """Start a task; one at a time."""
        assert self._running is None, "one task at a time"
        running = _Running(task, threading.Thread(target=self._run, name="light-work", daemon=True))
        self._running = running
        self.step = 0
        running.thread.start()

    def finished(self) -> TaskResult | None:
        """The work, once it is done; None while it is not, or where it was abandoned. Raises the task's error."""
        running = self._running
        if running is None or running.thread.is_alive():
            return None
        self._running = None
        if running.error is not None and not isinstance(running.error, WorkAbandoned):
            raise running.error
        return running.work

    def forget_but(self, keys: set[Key]) -> None:
        """Remove the boundary states of all other rounds, while no task is being done."""
        self._boundaries.forget_but(keys)

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

    def _do(self, running: _Running) -> TaskResult:
        task = running.task
        corpus = self._text(running)
        theta = self._theta(running)
        start = self._states.start(theta, task.inner, task.config)
        round_task = RoundTask(self._around, task.view, task.config, lambda: corpus, start)
        trajectory = self._boundaries.read(task.key, task.config, round_task.start, task.root) or self._train(
            running, round_task
        )
        self._states.remember(trajectory.end_state)
        return TaskResult(round_task, trajectory, tuple(self._conduct.commitments(round_task, trajectory)))

    def _train(self, running: _Running, round_task: RoundTask) -> Trajectory:
        task = running.task
        self._report(NodeProgress("training", round_task.number))
        folder = self._boundaries.folder(task.key, task.config)
        trajectory = self._conduct.work(round_task, self._on_step(running, round_task.number), folder)
        self._boundaries.keep(task.key, trajectory)
        with suppress(DiskFull, OSError):  # a curve is not worth a round
            self._losses.add(task.view.run, round_task.number, trajectory.losses, task.config.segment)
        return trajectory

    def _text(self, running: _Running) -> Corpus:
        """The run's corpus, with the shards that this round draws on this machine."""
        task, share = running.task, share_of(self._around.address, running.task.view.nodes)
        while True:
            try:
                corpus = self._corpora.of(task.config)
                draw = RoundDraw(corpus, task.config, from_hex(task.view.data_seed), task.view.number, share)
                for shard in draw.shards():
                    shard.read()
                return corpus
            except CorpusUnreachable as error:
                self._wait_for(task.view.number, error.detail)
            if running.stop.wait(FETCH_SECONDS):
                raise WorkAbandoned("the round's shards did not come")

    def _wait_for(self, number: int, why: str) -> None:
        """Report what a round waits for when it changes."""
        if why != self._told:
            self._report(NodeProgress("waiting", number, detail=why))
        self._told = why

    def _theta(self, running: _Running) -> Tensors:
        task = running.task
        while True:
            try:
                theta = self._states.theta(task.theta, task.config, task.genesis, task.blobs())
            except WeightsUnreachable as error:
                self._wait_for(task.view.number, error.detail)
                theta = None
            if theta is not None:
                return theta
            if running.stop.wait(FETCH_SECONDS):
                raise WorkAbandoned("nobody gave the round's weights")

    def _on_step(self, running: _Running, number: int) -> Callable[[int, StepResult], None]:
        def note(step: int, result: StepResult) -> None:
            if running.stop.is_set():
                raise WorkAbandoned(f"round {number} is over")
            self.step = step + 1
            before = (number - 1) * running.task.config.steps
            self._report(NodeProgress("step", number, step + 1, result.loss, steps=before + step + 1))

        return note


def key_of(proof: ProofState) -> Key:
    """Run and round of a proof."""
    return proof.commitment.run, proof.commitment.round
