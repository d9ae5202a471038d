"""The standard segment that all hosts are measured by: its model, and the arithmetic in which bits can be compared.

The steps themselves are those of trainer/steps/standard_segment.py.
"""

from __future__ import annotations

from dataclasses import replace

from contracts.protocol.run_config import RunConfig

STANDARD = RunConfig(layers=2, d_model=128, heads=4, context=128, batch=8, steps=8, segment=1)
"""8,192 tokens in eight segments. A report names its digest: figures of another standard are others."""
EXACT, PORTABLE = "exact", "portable"
PROFILES = (EXACT, PORTABLE)
"""The same bits on one kind of machine, and everywhere."""


def standard_in(profile: str, standard: RunConfig = STANDARD) -> RunConfig:
    """The standard segment's configuration in a profile."""
    return replace(standard, profile=profile)


def standard_digests() -> frozenset[bytes]:
    """Digests of the standard segment in each profile."""
    return frozenset(standard_in(profile).digest() for profile in PROFILES)
