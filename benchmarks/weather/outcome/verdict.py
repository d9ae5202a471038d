"""What came of it, by the product's own audit of log, chain and mirrors: no view of a server is believed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.weather.network import STAKE, Network
from benchmarks.weather.outcome.facts import Facts
from benchmarks.weather.outcome.said import said_by

AUDIT_SECONDS = 1_800.0
MUST_BE_NONE = (
    "honest_proofs_void",
    "stake_lost_wei",
    "processes_ended",
    "audit_findings",
    "at_fault",
    "verifier_faults",
)


class NoAudit(Exception):
    """The audit did not run."""


def audit(network: Network) -> list[str]:
    """Findings of `commonweight audit`. Raises NoAudit."""
    place = network.place
    command = (
        sys.executable,
        "-m",
        "commonweight",
        "audit",
        "--deployment",
        str(place.file),
        "--log",
        place.api,
        "--rpc-url",
        place.rpc,
        "--json",
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise NoAudit(done.stderr[-500:]) from error
    return [finding["what"] for finding in report["findings"]]


def verdict(network: Network, found: Facts) -> dict[str, Any]:
    """Counts of what must not be, what they are in words, and what was done all the while."""
    stakes, ended = network.stakes(), [end for party in network.parties.values() for end in party.ended]
    said = said_by({party.name: party.log for party in network.parties.values()})
    return {
        "honest_proofs_void": len(found.voids()),
        "stake_lost_wei": sum(STAKE - stake for stake in stakes.values()),
        "processes_ended": len(ended),
        "audit_findings": audit(network),
        "voids": found.voids(),
        "at_fault": found.at_fault,
        "verifier_faults": found.verifier_faults,
        "ended": [asdict(end) for end in ended],
        "rounds_merged": len(found.merged),
        "proofs": found.counts(),
        "missed": dict(Counter(node for node, _ in found.missed())),
        "lapsed": dict(Counter(what for what, *_ in found.lapsed)),
        "said": {name: one.body() for name, one in said.items()},
    }


def is_good(body: Mapping[str, Any]) -> bool:
    """What the bar asks of log, chain and processes."""
    return not any(body[name] for name in MUST_BE_NONE)
