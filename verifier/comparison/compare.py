"""How a claimed segment end is compared with the replayed one: chosen by the pair of numerics profiles.

- exact: both computed under one deterministic profile, or in one portable arithmetic: the boundary entries must be
  equal;
- bounded: two profiles for which the run's table holds limits (verifier/comparison/bounded.py,
contracts/protocol/limits.py);
- otherwise no judgement: in an exact or portable run one of the two broke the run's rule, in a bounded one the verifier
  abstains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from contracts.errors import CommonweightError
from contracts.ids import to_hex
from contracts.protocol.limits import LimitTable, PairLimits
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from trainer.steps.profile import NumericsProfile
from verifier.comparison.bounded import distance
from verifier.comparison.errors import CannotJudge, ProfileMismatch

SCALE = 10**18
CAP = 2**256 - 1
EXACT_LIMIT = 0

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Comparison:
    """Outcome of one segment; `error` and `limit` in 1e-18 of the segment's change, `metric` names the worst one."""

    equal: bool
    error: int
    limit: int
    metric: str


REPLAYS_EXACTLY = Comparison(True, 0, EXACT_LIMIT, "update")


def limits_for(
    config: RunConfig, node_profile: bytes, own: NumericsProfile, table: LimitTable | None
) -> PairLimits | None:
    """None for exact comparison, else the pair's limits. Raises ProfileMismatch and CannotJudge."""
    alike = node_profile == own.digest()
    if alike and own.deterministic:
        return None
    if config.profile in ("exact", "portable"):
        raise ProfileMismatch(
            f"the node computed under the profile {to_hex(node_profile)}, and this process computes as "
            f"{to_hex(own.digest())}: unset what changes arithmetic here, or compare the versions of torch"
        )
    if table is None:
        raise CannotJudge("the run's table of limits is not at hand")
    try:
        return table.of(node_profile, own.digest())
    except CommonweightError as error:
        raise CannotJudge(error.detail) from error


def compare(
    config: RunConfig, start: Arrays, claimed: Arrays, replayed: Arrays, limits: PairLimits | None = None
) -> Comparison:
    """Compare two ends of one segment, exactly unless `limits` are given.

    Where an exact comparison fails, the relative error of the update is measured beside it.
    """
    if boundary_entry(claimed) == boundary_entry(replayed):
        return REPLAYS_EXACTLY
    measured = distance(config, start, claimed, replayed)
    if limits is None:
        largest = max(("update", "moment1", "moment2"), key=lambda name: measured.values[name])
        metric = "update" if measured.values["update"] else largest
        return Comparison(False, _scaled(Decimal(repr(measured.values[metric]))), EXACT_LIMIT, metric)
    metric, value, limit = measured.worst(limits)
    return Comparison(value <= limit, _scaled(value), _scaled(limit), metric)


def _scaled(value: Decimal) -> int:
    return min(CAP, int(value * SCALE)) if value.is_finite() else CAP
