"""This process put into a numerics profile, and what it then computes with."""

from __future__ import annotations

from dataclasses import replace

import torch
from blake3 import blake3

from contracts.protocol.run_config import RunConfig
from trainer.model.device import device_of
from trainer.portable.self_check import PORTABLE_DIGEST, check_arithmetic
from trainer.portable.tables import check_tables
from trainer.steps.profile import ANY_LIMITS, BOUNDED, PORTABLE, NumericsProfile, UnknownProfile
from trainer.steps.self_test import bf16_digest, exact_digest, variant_digest
from trainer.steps.trials.own import trial_digest
from trainer.steps.variants import chosen

_ANYWHERE = NumericsProfile(
    device="any",
    machine="any",
    torch_version="any",
    dtype=PORTABLE,
    threads=0,
    cpu_capability="any",
    onednn=False,
    deterministic=True,
    computed=PORTABLE_DIGEST,
)


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
    return NumericsProfile.current(exact_digest())


def profile_of(config: RunConfig) -> NumericsProfile:
    """This process put into the profile of a run, as `configure_determinism` does; in bf16, and with a
    model of one's own, the profile holds what this process computes with that, too.

    Raises what that does, and ModelPackageMissing, ModelPackageDiffers and InvalidModelPackage.
    """
    found = configure_determinism(config.profile)
    if config.precision == "bf16":
        found = replace(found, dtype="bf16", computed=_joined(found.computed, bf16_digest()))
    if config.architecture == "own":
        found = replace(found, computed=_joined(found.computed, trial_digest(config)))
    return found


def bounded_profile(config: RunConfig) -> NumericsProfile:
    """What `profile_of` says in a bounded run of the model of `config`, whose limits are still to be measured.

    Limits of one's own model are keyed by it, so no limits of another package, or of other settings, are taken for it.
    """
    return profile_of(replace(config, profile=BOUNDED, limits_digest=ANY_LIMITS, micro_batch=0, ranks=1))


def _joined(computed: str, more: str) -> str:
    return str(blake3(f"{computed} {more}".encode()).hexdigest())


def _as_this_machine_does() -> NumericsProfile:
    """A bounded run takes every machine as it is: the profile says how this process computes."""
    return chosen().profile(variant_digest(chosen()))
