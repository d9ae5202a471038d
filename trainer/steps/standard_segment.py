"""The standard segment: steps of one fixed model on text that a seed draws, so that nobody can have done them before.

It is what a run's nodes compute and verifiers replay, but for a corpus and for what a run decides: start and batches
follow from the seed alone, and each boundary's digest is told before anyone knows which are read.
"""

from __future__ import annotations

import numpy as np
import torch
from blake3 import blake3

from contracts.hosts.standard import PORTABLE
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch, BatchSource
from trainer.model.state import Tensors, start_tensors
from trainer.portable.self_check import drawn_batch, drawn_theta
from trainer.steps.determinism import profile_of
from trainer.steps.trajectory import Trajectory, run_inner

_THREADS = torch.get_num_threads()
"""Of a process that has not been put into the exact profile, which takes one."""


def compute(config: RunConfig, seed: bytes) -> Trajectory:
    """All steps from the seed's start, with every boundary kept. Raises NonFiniteLoss."""
    if config.profile == PORTABLE:
        torch.set_num_threads(_THREADS)
    return run_inner(config, start_of(config, seed), batches_of(config, seed))


def start_of(config: RunConfig, seed: bytes) -> Tensors:
    """Weights that the seed draws, with a joiner's optimizer state."""
    return start_tensors(drawn_theta(_words(seed, "weights"), config), None)


def batches_of(config: RunConfig, seed: bytes) -> BatchSource:
    """Each step's batch, drawn from seed and step."""

    def batch(step: int) -> Batch:
        return drawn_batch(_words(seed, f"batch {step}"), config)

    return batch


def profile_digest(config: RunConfig) -> bytes:
    """This process put into the configuration's profile, and that profile's digest: 32 bytes."""
    return profile_of(config).digest()


def _words(seed: bytes, name: str) -> np.random.Philox:
    """A stream of the seed's own, 128 bits of key (Philox, Salmon et al. 2011)."""
    return np.random.Philox(key=int.from_bytes(blake3(name.encode(), key=seed).digest(length=16)))
