"""Lies in what is opened: nothing, the wrong thing, only what was done, or what nobody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import pack
from trainer.cheats.commitments import Worked
from trainer.cheats.skipping import skip_middle
from trainer.conduct import Conduct, Disclosure, RoundTask, disclose
from trainer.steps.trajectory import Trajectory, replay_segment


class Withheld(Worked):
    """Opens what was done (the first segment and the end), and never the boundaries between, which were not."""

    def __init__(self) -> None:
        super().__init__(skip_middle)

    def openings(self, job: RoundTask, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:
        """Only what stands a replay."""
        safe = {0, 1, job.config.segments}
        return super().openings(job, trajectory, [boundary for boundary in wanted if boundary in safe])


class OtherSegment(Worked):
    """Opens the segment that was done wherever another one is asked for."""

    def __init__(self) -> None:
        super().__init__(skip_middle)

    def openings(self, job: RoundTask, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """Bytes and path of boundary 0 or 1 under the number that was asked for."""
        return [replace(disclose(trajectory, boundary % 2), boundary=boundary) for boundary in wanted]


class LateWork(Worked):
    """Skips, and does a segment only once it was drawn: the right state, but not the one committed to."""

    def __init__(self) -> None:
        super().__init__(skip_middle)

    def openings(self, job: RoundTask, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:
        """States replayed after the draw, with the paths of those they replace."""
        return [self._redone(job, trajectory, boundary) for boundary in wanted]

    def _redone(self, job: RoundTask, trajectory: Trajectory, boundary: int) -> Disclosure:
        committed = disclose(trajectory, boundary)
        if boundary == 0:
            return committed
        state = job.start
        for segment in range(boundary):
            state = replay_segment(job.config, state, segment, job.batches())
        return replace(committed, entry=boundary_entry(state), packed=pack(state))


class WrongBytes(Conduct):
    """Signs for the committed state and uploads another boundary's bytes."""

    def openings(self, job: RoundTask, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:
        """The right entry with the wrong bytes."""
        other = trajectory.packed_state(job.config.segments)
        return [replace(disclose(trajectory, b), packed=other) for b in wanted if b != job.config.segments]


class Unasked(Worked):
    """Answers a draw with a boundary that nobody asked for, beyond the round."""

    def __init__(self) -> None:
        super().__init__(skip_middle)

    def openings(self, job: RoundTask, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:
        """The end, as the boundary after the end."""
        beyond = job.config.segments + 1
        return [replace(disclose(trajectory, job.config.segments), boundary=beyond)] if wanted else []
