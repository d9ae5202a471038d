"""What committing costs a node: copies, digests and kept states in percent of the step time.

    python -m benchmarks.node_cost [--rounds N]     writes benchmarks/results/node_cost.json

A round of 40 steps with a boundary every 10 records 5 states and finishes once; each part's median time stands for it.
Times are CPU seconds of the one thread, because the machine may be shared; where a file system is slow, the wall time
of `record in a folder` says so. Bar: 2 percent.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import cpu_seconds, progress, write_result
from contracts.ids import as_address
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import pack
from trainer.data.batches import batch_source
from trainer.data.text import default_corpus
from trainer.model.building import build_model
from trainer.model.state import Tensors, TrainState, initial_theta
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step
from trainer.steps.trajectory import BoundaryRecorder

BAR_PERCENT = 2.0
SIZES = {
    "0.9 M": RunConfig(steps=40, segment=10),
    "6 M": RunConfig(layers=4, d_model=352, heads=8, steps=40, segment=10),
    "25 M": RunConfig(layers=8, d_model=512, heads=8, steps=40, segment=10),
}
NODE = as_address("0x" + "11" * 20)
RECORDERS = ("record in memory", "record in a folder")


def measure(config: RunConfig, rounds: int) -> dict[str, Any]:
    """Median milliseconds of each part, and the cost of a round in percent of its steps."""
    configure_determinism()
    model, state = build_model(config), TrainState.joiner(initial_theta(config))
    batches = batch_source(default_corpus(), config, bytes(32), 1)
    times: dict[str, list[float]] = {}
    inner_step(config, model, state, batches(0))  # the first one allocates
    for number in range(1, rounds + 1):
        step = cpu_seconds(lambda at=number: inner_step(config, model, state, batches(at)))  # type: ignore[misc]
        for part, seconds in {"step": step, **_parts(state)}.items():
            times.setdefault(part, []).append(seconds)
    medians = {part: statistics.median(found) for part, found in times.items()}
    least = {part: min(found) for part, found in times.items()}
    return {
        "parameters": sum(value.numel() for value in state.theta.values()),
        "milliseconds": {part: round(seconds * 1e3, 3) for part, seconds in medians.items()},
        "percent": {part: round(percent(config, medians, part), 3) for part in RECORDERS},
        "percent of least times": {part: round(percent(config, least, part), 3) for part in RECORDERS},
    }


def _parts(state: TrainState) -> dict[str, float]:
    """CPU seconds of each part of recording one boundary; a recorder is used twice, as it is in a round."""
    held: list[Tensors] = []
    found = {"copy of the state": cpu_seconds(lambda: held.append(state.to_tensors()))}
    tensors = held[0]
    found["BLAKE3"] = cpu_seconds(lambda: boundary_entry(tensors))
    found["pack"] = cpu_seconds(lambda: pack(tensors))
    memory = BoundaryRecorder()
    memory.record(tensors)
    found["record in memory"] = cpu_seconds(lambda: memory.record(tensors))
    found["finish"] = cpu_seconds(lambda: memory.finish([], 0))
    with tempfile.TemporaryDirectory() as folder:
        files = BoundaryRecorder(Path(folder))
        files.record(tensors)
        before = time.perf_counter()
        found["record in a folder"] = cpu_seconds(lambda: files.record(tensors))
        found["record in a folder, wall"] = time.perf_counter() - before
    return found


def percent(config: RunConfig, seconds: dict[str, float], recorder: str) -> float:
    """Start and every segment's end are recorded, each end copied before, and the round finished once."""
    boundaries = (config.segments + 1) * seconds[recorder] + config.segments * seconds["copy of the state"]
    return 100 * (boundaries + seconds["finish"]) / (config.steps * seconds["step"])


def main() -> None:
    """Measure every size, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each part; a third at the largest size")
    rounds = parser.parse_args().rounds
    sizes: dict[str, Any] = {}
    for name, config in SIZES.items():
        sizes[name] = measure(config, max(1, rounds // 3) if name == "25 M" else rounds)
        progress(f"{name}: {sizes[name]['percent']}")
        met = all(value <= BAR_PERCENT for size in sizes.values() for value in size["percent"].values())
        write_result("node_cost", {"bar percent": BAR_PERCENT, "steps": 40, "k": 10, "met": met, "sizes": sizes})
    print(json.dumps(sizes, indent=1))


if __name__ == "__main__":
    main()
