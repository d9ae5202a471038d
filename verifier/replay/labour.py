"""The cost of an inner step, and the end of a replay whose steps cost far more.

A node can open states whose numbers are so close to zero that a processor takes thirty times as long with each step
(IEEE 754's denormal numbers). A node that skipped work behind such states would be neither paid nor convicted, and
would keep its stake. So a replay ends when it has cost six times the cost of its segment from the weights of round 0:
such a state counts as not served. The thread's own time counts, so that neither a busy machine nor a busy process
decides anything. No replay ends so before LEAST_SECONDS, since a quick machine replays it; and none on a GPU, which
such numbers do not slow.
"""

from __future__ import annotations

import math
import time

from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch, BatchSource
from trainer.model.building import build_model
from trainer.model.device import CPU, device_of
from trainer.model.state import TrainState, initial_theta
from trainer.steps.inner_step import inner_step

TIMES = 6.0
LEAST_SECONDS = 2.0
_TRIED = 3
_usual: dict[bytes, float] = {}


class CostsTooMuch(Exception):
    """The replay has cost `times` the usual cost of its segment."""

    def __init__(self, times: float) -> None:
        super().__init__(f"it has cost {times:.0f} times what a segment costs from the weights of round 0")


class TookTooLong(CommonweightError):
    """The clock ended the replay: no word at all. `seconds` is the time that it was given."""

    code = "took-too-long"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the segment is not replayed after {seconds:.1f} s")
        self.seconds = seconds


class Bounded:
    """The same batches, each asked for by a step, until they cost too much or `seconds` are over."""

    def __init__(self, config: RunConfig, batches: BatchSource, seconds: float = math.inf) -> None:
        self._config = config
        self._batches = batches
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._is_slowed = device_of(config.profile).type == CPU
        self._usual = self._start = 0.0

    def __call__(self, step: int) -> Batch:
        """One step's batch. Raises TookTooLong and CostsTooMuch."""
        if time.monotonic() > self._end:
            raise TookTooLong(self._seconds)
        began = time.thread_time()
        batch = self._batches(step)
        self._start += time.thread_time() - began  # a text in many shards is this machine's work, not the node's
        if not self._is_slowed:
            return batch
        if not self._usual:
            self._usual, self._start = usual_step(self._config, batch) * self._config.segment, time.thread_time()
        self.check()
        return batch

    def check(self) -> None:
        """Check after the last step too: a step is never ended itself, and may be the only one. Raises CostsTooMuch."""
        spent = time.thread_time() - self._start
        if self._usual and spent > max(TIMES * self._usual, LEAST_SECONDS):
            raise CostsTooMuch(spent / self._usual)


def usual_step(config: RunConfig, batch: Batch) -> float:
    """Seconds of this thread for a step from the weights of round 0, measured once a configuration."""
    name = config.digest()
    if name not in _usual:
        model = build_model(config)
        state = TrainState.joiner(initial_theta(config))
        _usual[name] = min(_cost(config, model, state, batch) for _ in range(_TRIED))
    return _usual[name]


def _cost(config: RunConfig, model: object, state: TrainState, batch: Batch) -> float:
    began = time.thread_time()
    inner_step(config, model, state, batch)  # type: ignore[arg-type]
    return max(time.thread_time() - began, 1e-6)
