"""The numerics profile: what must be equal on two machines for a replay to be equal bit for bit.

"exact" is torch's float32: its profile is what this process computes (`trainer.steps.self_test`), beside what it
computes with. "portable" is the arithmetic of `trainer.portable`, which leaves nothing to the machine: its profile is
one and the same everywhere, and another one where that arithmetic is another.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass

import torch

from contracts.errors import CommonweightError

PORTABLE = "portable"
BOUNDED = "bounded"
ANY_LIMITS = "11" * 32
"""The digest of no table, for a bounded configuration whose limits nobody reads, or are still to be measured."""


class UnknownProfile(CommonweightError):
    """The run names a numerics profile that this trainer does not have."""

    code = "unknown-profile"


@dataclass(frozen=True)
class NumericsProfile:
    """What this process computes with, and `computed`, where fixed steps of it end, as BLAKE3 in hex."""

    device: str
    machine: str
    torch_version: str
    dtype: str
    threads: int
    cpu_capability: str
    onednn: bool
    deterministic: bool
    computed: str

    @classmethod
    def current(cls, computed: str) -> NumericsProfile:
        """The profile of this process as it stands; call `configure_determinism` before."""
        return cls(
            device="cpu",
            machine=platform.machine(),
            torch_version=str(torch.__version__),
            dtype="float32",
            threads=torch.get_num_threads(),
            cpu_capability=torch.backends.cpu.get_cpu_capability(),
            onednn=bool(torch._C._has_mkldnn),
            deterministic=torch.are_deterministic_algorithms_enabled(),
            computed=computed,
        )

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON, 32 bytes."""
        return hashlib.sha256(self.to_json().encode("utf-8")).digest()
