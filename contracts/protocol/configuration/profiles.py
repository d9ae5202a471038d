"""The numerics profiles of a run of several: each has the name of its arithmetic and its digest (ADR 67).

`exact` is float32 as some machines compute it, and each kind of machine has another digest. `portable` leaves nothing
to the machine, so that a run has one of it at most. Both compare bits: none of them is laxer than another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from contracts.protocol.configuration.field_checks import check_digest, invalid

EXACT = "exact"
PORTABLE = "portable"
SEVERAL = "several"
"""The `profile` of a run that lists its `profiles`."""
FEWEST = 2
MOST = 32


class AdmittedProfile(NamedTuple):
    """One profile of a run: the name of its arithmetic, and its digest (0x-hex)."""

    name: str
    digest: str


def parse_profiles(value: object) -> tuple[AdmittedProfile, ...]:
    """The profiles of `name:digest` joined by commas, digests as 64 hexadecimal digits; an empty text has none.

    Their order is the creator's: a node takes the first that it can compute and enough verifiers read. Raises
    InvalidRunConfig.
    """
    if not isinstance(value, str):
        raise invalid("profiles", "must be text")
    if not value:
        return ()
    parts = [part.partition(":") for part in value.split(",")]
    for name, colon, digest in parts:
        if not colon or name not in (EXACT, PORTABLE):
            raise invalid("profiles", f"must be {EXACT}:DIGEST or {PORTABLE}:DIGEST, joined by commas")
        check_digest("profiles", digest)
    if not FEWEST <= len(parts) <= MOST or len({digest for _, _, digest in parts}) != len(parts):
        raise invalid("profiles", f"must be {FEWEST} to {MOST} profiles, each once")
    if sum(name == PORTABLE for name, _, _ in parts) > 1:
        raise invalid("profiles", f"must hold one {PORTABLE} profile at most: no machine computes two")
    return tuple(AdmittedProfile(name, f"0x{digest}") for name, _, digest in parts)


def profiles_text(profiles: Iterable[AdmittedProfile]) -> str:
    """The text that `parse_profiles` reads."""
    return ",".join(f"{name}:{digest.removeprefix('0x')}" for name, digest in profiles)


def readers_of(profiles: Iterable[AdmittedProfile]) -> frozenset[tuple[str, str]]:
    """Pairs of a node's profile and that of a verifier who can read it: each its own, and everybody the portable one,
    which every machine computes."""
    listed = tuple(profiles)
    portable = {(node.digest, reader.digest) for node in listed if node.name == PORTABLE for reader in listed}
    return frozenset(portable | {(profile.digest, profile.digest) for profile in listed})
