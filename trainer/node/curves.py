"""A node's curves for TensorBoard: the loss of its inner steps over all rounds, and what became of each round."""

from __future__ import annotations

from pathlib import Path

from trainer.node.settings import NodeProgress, Report

FLUSH_SECONDS = 10
"""Until a written point is in the file."""


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
