"""A node that keeps verifiers honest: some rounds have a wrong segment, which its pledge names after the verdicts.

That segment is trained for real, on other batches of the same text: only a replay tells it from honest work. It costs
the node its full compute and the round's pay.
"""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3

from trainer.conduct import Conduct, RoundTask
from trainer.data.batches import BatchSource
from trainer.ranks.running import run_ranked
from trainer.steps.trajectory import OnStep, Trajectory


class Canary(Conduct):
    """Honest, but for a secret share of rounds: `rate_ppm` parts per million."""

    def __init__(self, rate_ppm: int) -> None:
        self.canary_ppm = rate_ppm

    def run_inner(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The round's work, with other batches in the pledged segment."""
        other = task.batches_of(task.node, blake3(b"commonweight canary" + task.data_seed).digest())
        batches = elsewhere(task.batches(), other, task.config.segment, self.pledge(task).fake)
        return run_ranked(task.config, task.start, batches, on_step, folder)


def elsewhere(batches: BatchSource, other: BatchSource, segment: int, fake: int) -> BatchSource:
    """The same batches, but in segment `fake` the other ones."""
    return lambda step: (other if step // segment == fake else batches)(step)
