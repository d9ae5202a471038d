"""A node's curves: the loss of its inner steps, in its own folder and for TensorBoard. Nobody signs or checks them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from contracts.errors import CommonweightError
from contracts.files.whole_file import replace_file
from contracts.ids import RunId

if TYPE_CHECKING:  # the settings need more than who only draws a curve has installed
    from trainer.node.settings import NodeProgress, Report

FLUSH_SECONDS = 10
"""Until a written point is in the file."""
MOST_ROWS = 100_000
"""Of a run's file: about two thousand rounds of fifty segments, three megabytes."""
LOSSES = "losses"
"""The folder below a node's own."""


class NoOwnCurve(CommonweightError):
    """A folder has no losses of the run: no node trained for it there, or none ended a round yet."""

    code = "no-own-curve"


class OwnLoss(NamedTuple):
    """Mean training loss, nats per token, of the steps of a round up to `step` of `of`, from the row before."""

    round: int
    step: int
    of: int
    loss: float

    @property
    def place(self) -> float:
        """In rounds: 1.5 is the middle of round 2, and 2 its end."""
        return self.round - 1 + self.step / self.of


class OwnLosses:
    """A file for each run, a row for some steps; a round that is done again replaces its rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, run: RunId, number: int, losses: Sequence[float], every: int) -> None:
        """The losses of a round's steps, of `every` together. Raises DiskFull and OSError."""
        if not losses:  # it was read from the disk
            return
        parts = [losses[first : first + every] for first in range(0, len(losses), every)]
        ends = [first + len(part) for first, part in zip(range(0, len(losses), every), parts, strict=True)]
        rows = [row for row in self._rows(run) if row.round != number]
        rows += [
            OwnLoss(number, end, len(losses), math.fsum(part) / len(part))
            for end, part in zip(ends, parts, strict=True)
        ]
        text = "".join(f"{row.round},{row.step},{row.of},{row.loss:.7g}\n" for row in sorted(rows)[-MOST_ROWS:])
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._file(run), text.encode("ascii"))

    def of(self, run: RunId) -> list[OwnLoss]:
        """All rows in their order. Raises NoOwnCurve."""
        if rows := list(self._rows(run)):
            return rows
        raise NoOwnCurve(
            f"{self._folder.parent} has no training losses of the run {run}; give the --folder of its node"
        )

    def _rows(self, run: RunId) -> Iterator[OwnLoss]:
        """Rows that are whole; a file that a disk spoilt loses the others."""
        with suppress(OSError):
            for line in self._file(run).read_bytes().decode("ascii", "replace").splitlines():
                with suppress(ValueError):
                    number, step, of, loss = line.split(",")
                    row = OwnLoss(int(number), int(step), int(of), float(loss))
                    if row.round > 0 and 0 < row.step <= row.of and math.isfinite(row.loss):
                        yield row

    def _file(self, run: RunId) -> Path:
        return self._folder / f"{run[2:]}.csv"


def with_curves(report: Report, folder: Path) -> Report:
    """Reports go to `report`, and into a file of events in `folder`; each start of a node begins another file there.

    Raises ModuleNotFoundError where tensorboard is not installed, and OSError.
    """
    import tensorboard  # noqa: F401 - by its own name: torch's sentence names no part of ours
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder), flush_secs=FLUSH_SECONDS)
    last = [0]

    def told(progress: NodeProgress) -> None:
        report(progress)
        if progress.steps is not None and progress.loss is not None:
            last[0] = progress.steps
            writer.add_scalar("loss/inner", progress.loss, progress.steps)
            writer.add_scalar("round", progress.round, progress.steps)
        elif progress.event not in ("step", "status"):
            writer.add_text("events", f"round {progress.round}: {progress.event} {progress.detail}", last[0])

    return told
