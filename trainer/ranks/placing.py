"""The device and the threads of one process of a node."""

from __future__ import annotations

import torch

from contracts.protocol.run_config import RunConfig
from trainer.model.device import CUDA, choose_device, device_of
from trainer.steps.profile import PORTABLE


def place(config: RunConfig, device: str, rank: int, threads: int) -> torch.device:
    """Where process `rank` computes: on a GPU of its own, or with its share of the threads, where the profile takes any
    number of them. Raises DeviceUnavailable."""
    choose_device(device)
    if device == CUDA:
        torch.cuda.set_device(rank % torch.cuda.device_count())
    if config.profile == PORTABLE:
        torch.set_num_threads(threads)
    return device_of(config.profile)
