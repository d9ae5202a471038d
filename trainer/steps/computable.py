"""The profiles of a run in which this process computes, of those that the run admits (ADR 67)."""

from __future__ import annotations

import torch

from contracts.ids import to_hex
from contracts.protocol.configuration.profiles import SEVERAL
from contracts.protocol.run_config import RunConfig
from trainer.portable.self_check import ArithmeticMismatch
from trainer.portable.tables import TableMismatch
from trainer.steps.determinism import profile_of


def computable(config: RunConfig) -> dict[str, RunConfig]:
    """Digest (0x-hex) of each such profile, with the configuration by which a node of it computes, in the run's order.

    A run of one profile has the one that this process has in it, listed or not. Call it before a step is computed: it
    sets threads, and sets them back. Raises what `profile_of` does; arithmetic that this machine lacks is left out.
    """
    if config.profile != SEVERAL:
        return {to_hex(profile_of(config).digest()): config}
    threads = torch.get_num_threads()
    try:
        own = [digest for name in _names(config) if (digest := _own(config, name))]
    finally:
        torch.set_num_threads(threads)  # a portable run takes them all, an exact step takes its one itself
    return {profile.digest: config.under(profile.digest) for profile in config.admitted if profile.digest in own}


def _names(config: RunConfig) -> list[str]:
    return list(dict.fromkeys(profile.name for profile in config.admitted))


def _own(config: RunConfig, name: str) -> str:
    """This process's profile in an arithmetic of the run; empty where the machine has other arithmetic."""
    listed = next(profile.digest for profile in config.admitted if profile.name == name)
    try:
        return to_hex(profile_of(config.under(listed)).digest())
    except (ArithmeticMismatch, TableMismatch):
        return ""
