"""Tampered and infeasible geneses, each deployed for real, and random lives of sound ones.

python -m benchmarks.geneses [--histories N]     writes benchmarks/results/geneses.json
"""

from __future__ import annotations

import argparse
import random
from typing import Any

from benchmarks.record import progress, write_result
from contracts.chain.connection import ContractRejected
from contracts.genesis import terms as rules
from contracts.genesis.check import check_genesis
from contracts.genesis.refused import GenesisRefused
from tests.contracts.bindings.deployed_model import DeployedModel
from tests.contracts.genesis.histories import live
from tests.contracts.genesis.left_behind import STATE
from tests.contracts.genesis.made import MADE, TOLD
from tests.contracts.genesis.maker import Tampered, Town
from tests.contracts.genesis.terms import TERMS, on


def main() -> None:
    """Try all, print and record; fail where one passes or a sound one is refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=50)
    chosen = parser.parse_args()
    alarms = sum(_alarm(seed) for seed in range(chosen.histories))
    rules.PRIVATE_CHAINS = frozenset()
    town = Town()
    check_genesis(town.w3, town.other)
    ends = {kind: _end(town, kind, tampered) for kind, tampered in _all().items()}
    passed = [kind for kind, end in ends.items() if end == "passed"]
    found = {"kinds": len(ends), "passed": passed, "by_contract": sum(end == "reverted" for end in ends.values())}
    write_result("geneses", {**found, "histories": chosen.histories, "alarms": alarms})
    print(f"{len(ends)} kinds, {len(passed)} passed; {alarms} alarms after {chosen.histories} histories")
    if passed or alarms:
        raise SystemExit(f"passed: {passed}, alarms: {alarms}")


def _all() -> dict[str, Tampered]:
    kinds = {kind: tampered for group in (STATE, MADE, TOLD) for kind, (_, tampered) in group.items()}
    return {**{kind: on(fields) for kind, (_, fields) in TERMS.items()}, **kinds}


def _end(town: Town, kind: str, tampered: Tampered) -> str:
    """How it ends: the contracts do not let it be made, or whoever joins refuses."""
    end = "passed"
    try:
        check_genesis(town.w3, town.make(tampered))
    except GenesisRefused:
        end = "refused"
    except ContractRejected:
        end = "reverted"
    progress(f"{kind}: {end}")
    return end


def _alarm(seed: int) -> bool:
    model = DeployedModel.fresh()
    said: Any = live(model, random.Random(seed))  # noqa: S311
    try:
        check_genesis(model.w3, model.deployment)
    except GenesisRefused as refused:
        progress(f"false alarm after {said}: {refused}")
        return True
    return False


if __name__ == "__main__":
    main()
