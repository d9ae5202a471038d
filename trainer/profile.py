"""The numerics profile: what must be equal on two machines for a replay to be equal bit for bit.

"exact" is torch's float32: its profile is what this process computes (`trainer.self_test`), beside what it computes
with. "portable" is the arithmetic of `trainer.portable`, which leaves nothing to the machine: its profile is one and
the same everywhere.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass

import torch

from contracts.errors import CommonweightError
from trainer.device import device_of
from trainer.portable.self_check import check_arithmetic
from trainer.portable.tables import check_tables

PORTABLE, BOUNDED = "portable", "bounded"


class UnknownProfile(CommonweightError):
    """The run names a numerics profile that this trainer does not have."""

    code = "unknown-profile"


@dataclass(frozen=True)
class NumericsProfile:
    """What this process computes with, and the digest of what it computed: where fixed steps ended, as BLAKE3 in hex.

    `computed` is empty in the portable profile alone.
    """

    device: str
    machine: str
    torch_version: str
    dtype: str
    threads: int
    cpu_capability: str
    onednn: bool
    deterministic: bool
    computed: str = ""

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
        """Canonical JSON; without `computed` where nothing depends on the machine."""
        fields = {name: value for name, value in asdict(self).items() if name != "computed" or value}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON, 32 bytes."""
        return hashlib.sha256(self.to_json().encode("utf-8")).digest()


_ANYWHERE = NumericsProfile(
    device="any", machine="any", torch_version="any", dtype=PORTABLE, threads=0, cpu_capability="any", onednn=False,
    deterministic=True,
)  # fmt: skip


def configure_determinism(profile: str = "exact") -> NumericsProfile:
    """Put this process into the named profile and return it in full. Raises UnknownProfile, TableMismatch and
    ArithmeticMismatch.

    The portable profile takes any thread count, so it leaves that as it is; a bounded run takes the machine as it is.
    None of them reads uninitialised memory, so torch need not fill it (a debugging aid that costs a tenth of a step).
    """
    if profile not in ("exact", PORTABLE, BOUNDED):
        raise UnknownProfile(f"{profile!r} is not a numerics profile")
    torch.set_deterministic_debug_mode("error")  # the other name of this switch also loads torch's compiler, for 2 s
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_flush_denormal(False)
    torch.set_float32_matmul_precision("highest")
    if profile == PORTABLE:
        check_tables()
        check_arithmetic(device_of(profile))
        return _ANYWHERE
    if profile == BOUNDED:
        return _as_this_machine_does()
    torch.set_num_threads(1)
    return NumericsProfile.current(_self_test())


def _self_test() -> str:
    from trainer.self_test import exact_digest  # which needs the step, and that this module

    return exact_digest()


def _as_this_machine_does() -> NumericsProfile:
    """A bounded run takes every machine as it is: the profile says how this process computes."""
    from trainer.self_test import variant_digest
    from trainer.variants import chosen  # which needs NumericsProfile

    return chosen().profile(variant_digest(chosen()))
