"""A node's honest round: in this process, or in as many as the node was told to use."""

from __future__ import annotations

from pathlib import Path

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import BatchSource
from trainer.model.state import Tensors
from trainer.ranks.errors import RanksDoNotDivide
from trainer.steps.trajectory import OnStep, Trajectory, recorded, run_inner

_chosen = 1
_folder: Path | None = None


def choose_ranks(processes: int, folder: Path | None = None) -> None:
    """Compute rounds in so many processes from now on, which meet in a folder of their own below this one."""
    global _chosen, _folder
    _chosen = processes
    _folder = folder


def require_ranks(config: RunConfig) -> None:
    """That this node's processes can share a run's blocks evenly. Raises RanksDoNotDivide."""
    if config.ranks % _chosen:
        fitting = ", ".join(str(n) for n in range(1, config.ranks + 1) if config.ranks % n == 0)
        raise RanksDoNotDivide(
            f"the run cuts a batch into {config.ranks} blocks, and {_chosen} processes cannot share them evenly: use "
            f"--ranks {fitting.replace(', ', ' or ')}"
        )


def run_ranked(
    config: RunConfig,
    start: Tensors,
    batches: BatchSource,
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """`run_inner`, in the processes that were chosen: the same bits.

    Raises RanksDoNotDivide, RankLost, StateMismatch and NonFiniteLoss.
    """
    if _chosen == 1:
        return run_inner(config, start, batches, on_step, folder)
    require_ranks(config)
    from trainer.ranks.engine import ranked_steps  # with torch.distributed, which one process does not need

    with ranked_steps(config, start, _chosen, _folder) as steps:
        return recorded(config, start, batches, steps, on_step, folder)
