"""What an inner step costs, and the end of a replay whose steps cost far more.

A node can open states whose numbers are so close to zero that a processor takes thirty times as long with each step
(IEEE 754's denormal numbers). Who skipped work behind such states would be neither paid nor convicted, and would keep
its stake. So a replay ends when it has cost six times what its segment costs from the weights of round 0: whoever opens
such a state serves nothing that can be read. The thread's own time counts, so that neither a busy machine nor a busy
process decides anything, seconds at least, since who is quick with it replays it; and none on a GPU, which such numbers
do not slow.
"""

from __future__ import annotations

import time

from contracts.run_config import RunConfig
from trainer.batches import Batch, BatchSource
from trainer.device import CPU, device_of
from trainer.inner_step import inner_step
from trainer.model import build_model
from trainer.state import TrainState, initial_theta

TIMES, LEAST_SECONDS = 6.0, 2.0
_TRIED = 3
_usual: dict[bytes, float] = {}


class CostsTooMuch(Exception):
    """The replay has cost `times` what its segment usually does."""

    def __init__(self, times: float) -> None:
        super().__init__(f"it has cost {times:.0f} times what a segment costs from the weights of round 0")


def bounded(config: RunConfig, batches: BatchSource) -> BatchSource:
    """The same batches, each asked for by a step; they end with CostsTooMuch."""
    if device_of(config.profile).type != CPU:
        return batches
    begun: list[tuple[float, float]] = []
    """When the first step began, and what the segment usually costs."""

    def watched(step: int) -> Batch:
        batch = batches(step)
        if not begun:
            usual = usual_step(config, batch) * config.segment
            begun.append((time.thread_time(), usual))
            return batch
        ((start, usual),) = begun
        spent = time.thread_time() - start
        if spent > max(TIMES * usual, LEAST_SECONDS):
            raise CostsTooMuch(spent / usual)
        return batch

    return watched


def usual_step(config: RunConfig, batch: Batch) -> float:
    """Seconds of this thread for a step from the weights of round 0, measured once a configuration."""
    name = config.digest()
    if name not in _usual:
        model, state = build_model(config), TrainState.joiner(initial_theta(config))
        _usual[name] = min(_cost(config, model, state, batch) for _ in range(_TRIED))
    return _usual[name]


def _cost(config: RunConfig, model: object, state: TrainState, batch: Batch) -> float:
    began = time.thread_time()
    inner_step(config, model, state, batch)  # type: ignore[arg-type]
    return max(time.thread_time() - began, 1e-6)
