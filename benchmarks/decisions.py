"""Random keys and values of decisions: at the decoder to 1 MB, through real votes and the chain's events to 32 kB.

python -m benchmarks.decisions [--decoded N] [--voted N]     writes benchmarks/results/decisions.json
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from pathlib import Path

from benchmarks.record import progress, write_result
from tests.contracts.bindings.test_decisions import decide_on_chain
from tests.contracts.decisions import end_of, random_decision
from tests.contracts.protocol.chain.test_reading import FollowedModel


def main() -> None:
    """Measure, print and record; what is raised ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decoded", type=int, default=10_000)
    parser.add_argument("--voted", type=int, default=100)
    chosen = parser.parse_args()
    told = decide_on_chain(FollowedModel.fresh(), random.Random(2), chosen.voted)  # noqa: S311
    taken = sum(not end_of(*one) for one in told)
    progress(f"{len(told)} decided on the chain: {taken} applied, the others refused with a reason")
    chance, applied, slowest, early = random.Random(1), 0, 0.0, 0.0  # noqa: S311
    for number in range(1, chosen.decoded + 1):
        decision = random_decision(chance)
        began = time.perf_counter()
        applied += not end_of(*decision)
        slowest = max(slowest, time.perf_counter() - began)
        if number == chosen.decoded // 10:
            early = _resident()
    late = _resident()
    write_result(
        "decisions",
        {
            "decoded": chosen.decoded,
            "applied": applied,
            "slowest_seconds": slowest,
            "early_mib": early,
            "late_mib": late,
            "voted": len(told),
            "voted_applied": taken,
        },
    )
    print(
        f"{chosen.decoded:,} decoded: {applied:,} applied, the others refused with a reason, the slowest in "
        f"{1_000 * slowest:.1f} ms, {early:.0f} MiB early and {late:.0f} MiB at the end; {len(told)} on the chain"
    )


def _resident() -> float:
    """Resident memory of this process now, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
