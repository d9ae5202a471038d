"""Published limits of a bounded comparison: measurements on pairs of numerics profiles, and the limits that follow.

A table is canonical JSON; a run names it by digest, so that node, verifier and reader mean the same numbers. Errors are
decimal strings of relative size (1 = as large as the honest quantity itself).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from blake3 import blake3

from contracts.errors import CommonweightError

METRICS = ("update", "update_tensor", "moment1", "moment1_tensor", "moment2", "moment2_tensor", "slope")
"""The compared quantities of a segment; see verifier/comparison/bounded.py for each one's definition."""

MARGIN = 10
"""A limit is at least this many times the largest honest error; the mildest cheat must exceed it this many times."""
_SIZE = re.compile(r"[0-9]{1,400}(?:\.[0-9]{1,400})?")


class InvalidLimits(CommonweightError):
    """A table of limits is malformed, or holds none for a pair of profiles."""

    code = "invalid-limits"
    status = 422


class PairRefused(CommonweightError):
    """The limits of a pair cannot separate a named cheat by ten: this pair needs the exact or portable profile."""

    code = "pair-refused"
    status = 422


@dataclass(frozen=True)
class PairLimits:
    """One pair of profiles (hex digests, smaller first); `honest` holds quantiles 0.5, 0.99 and 1 of each metric.

    `cheats` gives, for each cheat measured, the largest of its metrics over their limits.
    """

    profiles: tuple[str, str]
    segments: int
    steps: int
    honest: Mapping[str, tuple[str, str, str]]
    limit: Mapping[str, str]
    cheats: Mapping[str, str]

    def limit_of(self, metric: str) -> Decimal:
        """The largest error of this metric that passes."""
        return Decimal(self.limit[metric])

    @property
    def separates(self) -> bool:
        """Whether every measured cheat exceeds its limit by MARGIN."""
        return not self._close()

    def check_separation(self) -> None:
        """Raises PairRefused unless every measured cheat exceeds its limit by MARGIN."""
        close = self._close()
        if close:
            raise PairRefused(f"{', '.join(close)} cannot be told from honest work by {MARGIN} on this pair; use exact")

    def _close(self) -> list[str]:
        return sorted(name for name, ratio in self.cheats.items() if Decimal(ratio) < MARGIN)


@dataclass(frozen=True)
class LimitTable:
    """All pairs that a run accepts in bounded mode."""

    pairs: tuple[PairLimits, ...]

    def of(self, profile: bytes, other: bytes) -> PairLimits:
        """Limits for two profile digests, in either order. Raises InvalidLimits and PairRefused."""
        key = pair_key(profile, other)
        limits = next((pair for pair in self.pairs if pair.profiles == key), None)
        if limits is None:
            raise InvalidLimits(f"no limits for profiles {key[0][:12]}… and {key[1][:12]}…; calibrate them")
        limits.check_separation()
        return limits

    def require_measured(self, profile: bytes) -> None:
        """Check that a machine of this profile can be judged by these limits.

        Raises InvalidLimits without a pair of it, and PairRefused if none of its pairs tells cheats from honest work.
        """
        own = [pair for pair in self.pairs if profile.hex() in pair.profiles]
        if not own:
            raise InvalidLimits(
                f"no limits for the profile {profile.hex()[:12]}…, which one's own model has on this machine: measure "
                "them with `commonweight calibrate` and this run's very configuration"
            )
        if not any(pair.separates for pair in own):
            own[0].check_separation()

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps([asdict(p) for p in self.pairs], sort_keys=True, separators=(",", ":"))

    def digest(self) -> bytes:
        """BLAKE3 of the canonical JSON, 32 bytes: also the name of its blob."""
        return bytes(blake3(self.to_json().encode()).digest())

    @classmethod
    def from_json(cls, text: str | bytes) -> LimitTable:
        """Parse strictly. Raises InvalidLimits."""
        try:
            return cls(tuple(_pair(entry) for entry in json.loads(text)))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidLimits(f"not a table of limits: {error}") from error


def pair_key(profile: bytes, other: bytes) -> tuple[str, str]:
    """Two profile digests as a pair without order."""
    first, second = sorted((profile.hex(), other.hex()))
    return first, second


def decimal_text(value: float) -> str:
    """Six significant digits, so that a table reads well and digests equally everywhere."""
    return format(Decimal(f"{value:.6g}"), "f")


def _pair(entry: Mapping[str, Any]) -> PairLimits:
    honest = {name: _three(entry["honest"][name]) for name in METRICS}
    limit = {name: _positive(entry["limit"][name]) for name in METRICS}
    cheats = {str(name): _positive(ratio) for name, ratio in entry["cheats"].items()}
    first, second = entry["profiles"]
    if set(entry) != {"profiles", "segments", "steps", "honest", "limit", "cheats"} or not first <= second:
        raise ValueError("fields or order of profiles are wrong")
    bytes.fromhex(first + second)
    return PairLimits((first, second), int(entry["segments"]), int(entry["steps"]), honest, limit, cheats)


def _three(values: list[str]) -> tuple[str, str, str]:
    low, high, largest = (_positive(value) for value in values)
    return low, high, largest


def _positive(text: str) -> str:
    if not _SIZE.fullmatch(text):
        raise ValueError("an error size must be a decimal without exponent")
    return text
