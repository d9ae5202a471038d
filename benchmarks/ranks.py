"""A node of two and of four processes beside one that takes block after block: the same bits, time and memory.

    python -m benchmarks.ranks [--steps N]      writes benchmarks/results/ranks.json

Each case is a program of its own, whose peak memory counts; the further processes' is that of the largest. Seconds are
wall time of the steps, without the start of the processes. Bar: all roots of a case are equal.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

from benchmarks.record import progress, write_result
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import batch_source
from trainer.data.text import default_corpus
from trainer.model.state import initial_theta, start_tensors
from trainer.ranks.running import choose_ranks, run_ranked

BLOCKS = 4
CASES = {
    "gpt 1 M": RunConfig(),
    "gpt 19 M": RunConfig(layers=6, d_model=512, heads=8),
    "llama 1 M, bf16": RunConfig(architecture="llama", precision="bf16"),
    "gpt 1 M, portable": RunConfig(profile="portable"),
}
PROCESSES = (1, 2, 4)


def one(name: str, processes: int, steps: int) -> dict[str, Any]:
    """A round of a case in this process and its children."""
    config = replace(CASES[name], ranks=BLOCKS, micro_batch=2, steps=steps, segment=steps)
    ends = list[float]()
    choose_ranks(processes)
    batches = batch_source(default_corpus(), config, bytes(32), 1)
    start = start_tensors(initial_theta(config), None)
    done = run_ranked(config, start, batches, lambda *_: ends.append(time.perf_counter()))
    return {
        "root": done.root.hex(),
        "seconds a step": round((ends[-1] - ends[0]) / (steps - 1), 4),
        "MB of the node's process": _megabytes(resource.RUSAGE_SELF),
        "MB of a further process": _megabytes(resource.RUSAGE_CHILDREN) if processes > 1 else 0,
    }


def _megabytes(whose: int) -> int:
    return round(resource.getrusage(whose).ru_maxrss * 1024 / 1e6)


def measure(name: str, steps: int) -> dict[str, Any]:
    """A case in each number of processes, and whether all roots are one."""
    found: dict[str, Any] = {}
    for processes in PROCESSES:
        command = [sys.executable, "-m", "benchmarks.ranks", "--one", name, "--processes", str(processes)]
        done = subprocess.run([*command, "--steps", str(steps)], capture_output=True, text=True, check=True)
        found[str(processes)] = json.loads(done.stdout)
    return {"equal": len({case.pop("root") for case in found.values()}) == 1, "processes": found}


def main() -> None:
    """Measure every case, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6, help="steps of a round, at least 2")
    parser.add_argument("--one", choices=tuple(CASES), help="only this case, in so many --processes")
    parser.add_argument("--processes", type=int, default=1)
    told = parser.parse_args()
    if told.one:
        print(json.dumps(one(told.one, told.processes, told.steps)))
        return
    cases: dict[str, Any] = {}
    for name in CASES:
        cases[name] = measure(name, told.steps)
        progress(f"{name}: {cases[name]}")
        met = all(case["equal"] for case in cases.values())
        write_result("ranks", {"blocks": BLOCKS, "steps": told.steps, "met": met, "cases": cases})
    print(json.dumps(cases, indent=1))


if __name__ == "__main__":
    main()
