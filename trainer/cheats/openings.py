"""Lies in openings: none, wrong states, only real states, or a boundary that nobody asked for."""

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
    """Opens the boundaries of the segment that was trained, and the end; never the made-up boundaries between."""

    def __init__(self) -> None:
        super().__init__(skip_middle)

    def openings(self, task: RoundTask, trajectory: Trajectory, boundaries: Sequence[int]) -> Sequence[Disclosure]:
        """Only boundaries that pass a replay."""
        safe = {0, 1, task.config.segments}
        return super().openings(task, trajectory, [boundary for boundary in boundaries if boundary in safe])


class OtherSegment(Worked):
    """Opens the trained segment wherever another one is asked for."""

    def __init__(self) -> None:
        super().__init__(skip_middle)

    def openings(self, task: RoundTask, trajectory: Trajectory, boundaries: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """Bytes and path of boundary 0 or 1 under the number that was asked for."""
        return [replace(disclose(trajectory, boundary % 2), boundary=boundary) for boundary in boundaries]


class LateWork(Worked):
    """Skips, and trains a segment only once it was drawn: the right state, but not the committed one."""

    def __init__(self) -> None:
        super().__init__(skip_middle)

    def openings(self, task: RoundTask, trajectory: Trajectory, boundaries: Sequence[int]) -> Sequence[Disclosure]:
        """States replayed after the draw, with the paths of the states that they replace."""
        return [self._redone(task, trajectory, boundary) for boundary in boundaries]

    def _redone(self, task: RoundTask, trajectory: Trajectory, boundary: int) -> Disclosure:
        committed = disclose(trajectory, boundary)
        if boundary == 0:
            return committed
        state = task.start
        for segment in range(boundary):
            state = replay_segment(task.config, state, segment, task.batches())
        return replace(committed, entry=boundary_entry(state), packed=pack(state))


class WrongBytes(Conduct):
    """Signs for the committed state and uploads another boundary's bytes."""

    def openings(self, task: RoundTask, trajectory: Trajectory, boundaries: Sequence[int]) -> Sequence[Disclosure]:
        """The right entry with the wrong bytes."""
        packed = trajectory.packed_state(task.config.segments)
        return [replace(disclose(trajectory, b), packed=packed) for b in boundaries if b != task.config.segments]


class Unasked(Worked):
    """Answers a draw with a boundary that nobody asked for, beyond the round."""

    def __init__(self) -> None:
        super().__init__(skip_middle)

    def openings(self, task: RoundTask, trajectory: Trajectory, boundaries: Sequence[int]) -> Sequence[Disclosure]:
        """The end, as the boundary after the end."""
        beyond = task.config.segments + 1
        return [replace(disclose(trajectory, task.config.segments), boundary=beyond)] if boundaries else []
