"""What a node and a verifier keep after 10, 100 and 1,000 rounds: everything but the log stays as large as it was.

A real node trains a small model, three real verifiers with their mirrors judge, merge and sign, on loopback in this
process; every epoch becomes final on the chain as soon as two have signed it. What is in its folder is told by part
(commonweight/kept.py), at the end of a round, when nothing is under way.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from commonweight.kept import WITH_LOG, kept
from tests.verifier.long_run import LongRun, long_run

PATIENCE = 7_200.0
"""Seconds that a round may take: other programs may have the cores."""
MARKS = (1, 10, 50, *range(100, 1_001, 100))
WHO = ("node", "verifier")


def main() -> None:
    """Play."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), rounds)


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Bytes and files by round, who and part; `log` are those that grow with the log. Written down at each mark, since
    a thousand rounds take hours."""
    found: dict[str, Any] = {}
    began = time.monotonic()
    with long_run(folder, rounds) as run:

        def note(done: int) -> None:
            if done in MARKS or done == rounds:
                found[str(done)] = {who: shown(run, who) for who in WHO}
                totals = {who: (found[str(done)][who]["log"], found[str(done)][who]["rest"]) for who in WHO}
                seconds = round(time.monotonic() - began)
                progress(f"{done} rounds in {seconds} s: bytes of (log, rest): {totals}")
                write_result("folders", {"rounds": done, "seconds": seconds, "folders": found})

        run.play(rounds, note, PATIENCE)
    return found


def shown(run: LongRun, who: str) -> dict[str, Any]:
    """One folder."""
    lines = kept(run.folder_of(who))
    log = sum(line.size for line in lines if line.until == WITH_LOG)
    return {
        "log": log,
        "rest": sum(line.size for line in lines) - log,
        "files": sum(line.files for line in lines),
        "parts": {line.part: line.size for line in lines},
    }


if __name__ == "__main__":
    main()
