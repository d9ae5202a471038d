"""Measure how far honest machines are apart, and how far cheats are from them, and write the limits that follow.

A reference trajectory is computed once; every variant then replays each of its segments from the same start. A limit is
at least MARGIN times the largest honest error; a pair is usable if every cheat measured exceeds its limit by MARGIN
(contracts/protocol/limits.py). Room beyond that is split evenly, because honest errors have a long tail that no
calibration sees to its end. One machine stands for several: variants differ in threads, instruction set and kernels.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from contracts.errors import CommonweightError
from contracts.protocol.limits import MARGIN, METRICS, LimitTable, PairLimits, decimal_text, pair_key
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import pack, unpack
from trainer import cheats
from trainer.data.batches import BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.model.state import initial_theta, layout, start_tensors
from trainer.steps.determinism import bounded_profile
from trainer.steps.variants import Variant, segment_end
from verifier.comparison.bounded import LONGEST_SEGMENT, Distance, distance
from verifier.planning.calibration_worker import Computer, Measurement, Request, boundary_file

SEED = bytes(range(32))
LEAST_LIMIT = 1e-7
"""No limit is smaller: a pair that happened to agree bit for bit while it was measured is compared exactly anyway."""

Report = Callable[[str, int, int], None]
"""Takes the name of a measurement, the number of segments that are done, and the number of all."""


class CalibrationFailed(CommonweightError):
    """A variant's process ended early, or the run's segments are too long for a bounded comparison."""

    code = "calibration-failed"


@dataclass(frozen=True)
class CalibrationPlan:
    """The measurements: honest `segments` per variant after `warmup` segments, and `cheat_segments` per cheat."""

    config: RunConfig
    variants: tuple[Variant, ...]
    segments: int
    warmup: int
    cheat_segments: int
    cheats: tuple[str, ...]
    data: tuple[Path, ...] = ()

    @property
    def steps(self) -> int:
        """Inner steps whose batches are drawn, as if they were one round's."""
        return max(self.segments, self.warmup) * self.config.segment


@dataclass(frozen=True)
class Honest:
    """One variant's distances from the reference, a row per segment in order of METRICS, and its profile."""

    variant: Variant
    profile: bytes
    described: Mapping[str, bool | int | str]
    errors: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    alignment: float


def calibrate(plan: CalibrationPlan, corpus: Corpus, report: Report) -> tuple[LimitTable, list[Honest]]:
    """The table for all variants against the reference (the default variant). Raises CalibrationFailed."""
    if plan.config.segment > LONGEST_SEGMENT:
        raise CalibrationFailed(f"segment is {plan.config.segment}; bounded comparison takes at most {LONGEST_SEGMENT}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        reference(plan, corpus, folder, report)
        measured = [measure(plan, variant, folder, report) for variant in plan.variants]
        distances = list(cheat_distances(plan, corpus, folder, report))
    profile = bounded_profile(plan.config).digest()
    return LimitTable(tuple(_limits(plan, profile, honest, distances) for honest in measured)), measured


def reference(plan: CalibrationPlan, corpus: Corpus, folder: Path, report: Report) -> None:
    """Write the boundary states of `plan.segments` segments, after a warm-up from the run's initial weights."""
    batches = _batches(plan, corpus)
    state = start_tensors(initial_theta(plan.config), None)
    for index in range(plan.warmup):
        state = segment_end(plan.config, state, index, batches, Variant())
        report("warm-up", index + 1, plan.warmup)
    boundary_file(folder, 0).write_bytes(pack(state))
    for segment in range(plan.segments):
        state = segment_end(plan.config, state, segment, batches, Variant())
        boundary_file(folder, segment + 1).write_bytes(pack(state))
        report("reference", segment + 1, plan.segments)


def measure(plan: CalibrationPlan, variant: Variant, folder: Path, report: Report) -> Honest:
    """Replay every segment of the reference in a process of the variant's own. Raises CalibrationFailed."""
    request = Request(
        config=plan.config.to_json(),
        folder=str(folder),
        segments=plan.segments,
        data_seed=SEED.hex(),
        steps=plan.steps,
        variant=variant,
        data=tuple(map(str, plan.data)),
    )
    measured, computer = replay_as(request, lambda done: report(variant.to_json(), done, plan.segments))
    rows = [[measurement.metrics[name] for name in METRICS] for measurement in measured]
    profile = bytes.fromhex(computer.profile)
    return Honest(variant, profile, computer.described, np.asarray(rows), computer.alignment)


def cheat_distances(
    plan: CalibrationPlan, corpus: Corpus, folder: Path, report: Report
) -> Iterator[tuple[str, Distance]]:
    """Each named cheat's distance from honest work, for single segments spread over the reference."""
    batches = _batches(plan, corpus)
    config = replace(plan.config, steps=plan.config.segment)
    chosen = [plan.segments * i // plan.cheat_segments for i in range(plan.cheat_segments)]
    for number, name in enumerate(plan.cheats):
        for segment in chosen:
            start, end = (unpack(boundary_file(folder, segment + i).read_bytes(), layout(plan.config)) for i in (0, 1))
            claimed = cheats.runner(name)(config, dict(start), _from(batches, segment * config.segment)).end_state
            yield name, distance(plan.config, start, claimed, end)
        report("cheats", number + 1, len(plan.cheats))


def _batches(plan: CalibrationPlan, corpus: Corpus) -> BatchSource:
    return batch_source(corpus, replace(plan.config, steps=plan.steps), SEED, 1)


def _from(batches: BatchSource, first: int) -> BatchSource:
    return lambda step: batches(first + step)


def replay_as(request: Request, done: Callable[[int], None]) -> tuple[list[Measurement], Computer]:
    """The measurements of a process in the request's variant, and its arithmetic. Raises CalibrationFailed."""
    *lines, last = _lines(request, done)
    return [Measurement.from_json(json.loads(line)) for line in lines], Computer.from_json(json.loads(last))


def _lines(request: Request, done: Callable[[int], None]) -> Iterator[str]:
    variant = request.variant
    with subprocess.Popen(
        [sys.executable, "-m", "verifier.planning.calibration_worker"],
        env=variant.environment(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request.to_json()))
        process.stdin.close()
        for count, line in enumerate(process.stdout):
            yield line
            done(min(count + 1, request.segments))
    if process.returncode != 0:
        raise CalibrationFailed(f"the process for {variant.to_json()} ended with status {process.returncode}")


def _limits(plan: CalibrationPlan, own: bytes, honest: Honest, distances: Sequence[tuple[str, Distance]]) -> PairLimits:
    quantiles = np.quantile(honest.errors, (0.5, 0.99, 1.0), axis=0)
    least = {name: max(MARGIN * float(quantiles[2][i]), LEAST_LIMIT) for i, name in enumerate(METRICS)}
    beyond = _beyond(least, distances)
    room = split_evenly(min(beyond.values(), default=MARGIN))
    limit = {name: value * room for name, value in least.items()}
    return PairLimits(
        profiles=pair_key(own, honest.profile),
        segments=plan.segments,
        steps=plan.config.segment,
        honest={name: _three(quantiles[:, i]) for i, name in enumerate(METRICS)},
        limit={name: decimal_text(value) for name, value in limit.items()},
        cheats={name: decimal_text(ratio / room) for name, ratio in sorted(beyond.items())},
    )


def split_evenly(ratio: float) -> float:
    """The factor that widens limits which the mildest cheat exceeds `ratio` times: to the geometric middle.

    A limit then lies as far above the largest honest error as the mildest cheat lies above the limit.
    """
    return max(1.0, math.sqrt(ratio / MARGIN))


def _beyond(limit: Mapping[str, float], distances: Sequence[tuple[str, Distance]]) -> dict[str, float]:
    """For each cheat the largest of its metrics over their limits, in its mildest segment."""
    ratios: dict[str, float] = {}
    for name, measured in distances:
        ratio = max(measured.values[metric] / limit[metric] for metric in METRICS)
        ratios[name] = min(ratio, ratios.get(name, float("inf")))
    return ratios


def _three(column: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[str, str, str]:
    low, high, largest = (decimal_text(float(value)) for value in column)
    return low, high, largest
