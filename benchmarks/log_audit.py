"""Audit of a whole log in real messages: every signature recovered, every derived entry derived again.

    python -m benchmarks.log_audit [--proofs N ...]     writes benchmarks/results/log_audit.json

It makes logs of growing numbers of proofs in a temporary folder and reads each in a process of its own. Linear means
that entries a second stay the same; flat, that memory at the end is that of the beginning.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from contracts.protocol.log.follower import Follower
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun

NODES = 4
SHOWN = 250


def make_log(file: Path, proofs: int) -> int:
    """Write a log of so many honest proofs, one leaf a line; returns its entries."""
    run = SignedRun(nodes=NODES, rounds=1_000_000, length=1 + proofs // NODES)
    written = 0
    with file.open("w") as out:
        while True:
            out.writelines(f"{leaf}\n" for leaf in run.leaves)
            written += len(run.leaves)
            run.leaves.clear()
            if run.round.number > proofs // NODES:
                return written
            run.play()
            if run.round.number % SHOWN == 0:
                progress(f"{run.round.number * NODES:,} of {proofs:,} proofs written")


def audit_log(file: Path) -> dict[str, Any]:
    """Read a log from its first leaf to its last: entries, seconds, resident memory at a tenth and at the end (MiB)."""
    follower = Follower(SignedRun.protocol(), DOMAIN)
    entries = sum(1 for _ in file.open())
    began, early = time.perf_counter(), 0.0
    with file.open() as leaves:
        for number, leaf in enumerate(leaves, start=1):
            follower.take(leaf.rstrip("\n"))
            if number == entries // 10:
                early = _resident()
            if number % (100 * SHOWN) == 0:
                progress(f"{number:,} of {entries:,} entries audited")
    follower.finish()
    seconds = time.perf_counter() - began
    return {"entries": entries, "seconds": seconds, "early_mib": early, "late_mib": _resident()}


def _resident() -> float:
    """Resident memory of this process now, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure(proofs: int, folder: Path) -> dict[str, Any]:
    """Make a log and have it audited by a process of its own."""
    file = folder / f"{proofs}.log"
    make_log(file, proofs)
    command = [sys.executable, "-m", "benchmarks.log_audit", "--read", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = {"proofs": proofs, **json.loads(done.stdout)}
    file.unlink()
    return found


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proofs", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--read", type=Path, help="audit one log and print what it took")
    options = parser.parse_args()
    if options.read is not None:
        print(json.dumps(audit_log(options.read)))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for proofs in options.proofs:
            row = measure(proofs, Path(folder))
            rows.append(row)
            print(_sentence(row), flush=True)
            write_result("log_audit", {"rows": rows})


def _sentence(row: dict[str, Any]) -> str:
    rate, early, late = row["entries"] / row["seconds"], row["early_mib"], row["late_mib"]
    return f"{row['proofs']:,} proofs, {row['entries']:,} entries: {rate:.0f} a second, {early:.0f} to {late:.0f} MiB"


if __name__ == "__main__":
    main()
