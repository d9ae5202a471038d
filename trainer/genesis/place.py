"""Where a process finds the first weights of its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WeightsPlace:
    """Where a process finds first weights: at `address` (a folder, http, https or s3), else where the run says; they
    come into the folder `cache`. `loopback` lets a run's own address mean this machine."""

    address: str = ""
    cache: Path = Path("weights")
    loopback: bool = False
