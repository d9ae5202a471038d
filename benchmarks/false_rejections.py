"""How often is honest work rejected, and how far beyond the limits is the mildest cheat?

    python -m benchmarks.false_rejections [--segments N] [--config small|default]
    python -m benchmarks.false_rejections --only exact|bounded|drift

- exact: blocks of 100 segments that this process computes are replayed by a fresh process each: digests that differ;
- bounded: limits are calibrated on other data, then fresh segments are replayed in each honest variant: how many lie
  beyond the limits, the largest honest error and the smallest cheat against them;
- drift: what a limit leaves room for, pushed one way segment after segment: when verifier/comparison/drift.py flags it.

A later call goes on where the last one stopped (benchmarks/results/false_rejections.json). The small model makes 2,000
segments affordable on two cores; its clip is low enough that clipping, and leaving it out, changes the step.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, progress, write_result
from contracts.protocol.limits import METRICS, LimitTable, PairLimits
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import pack, unpack
from trainer.cheats import CHEATS
from trainer.cheats.states import drift
from trainer.cheats.work import RUNNERS
from trainer.data.batches import batch_source
from trainer.data.text import default_corpus
from trainer.model.state import initial_theta, layout, start_tensors
from trainer.steps.trajectory import replay_segment, run_inner
from trainer.steps.variants import Variant, choose, segment_end
from verifier.comparison.bounded import distance, residual
from verifier.comparison.drift import ALIGNMENT_LIMIT, LEAST_ROUNDS, Drift
from verifier.planning.calibration import CalibrationPlan, calibrate, replay_as
from verifier.planning.calibration_worker import Request, boundary_file

Results = dict[str, Any]
CONFIGS = {
    "small": RunConfig(layers=1, d_model=64, heads=4, context=32, batch=4, clip="0.1", steps=40, segment=4),
    "default": RunConfig(steps=40, segment=4),
}
BLOCK = {"small": 100, "default": 10}
VARIANTS = {
    "2 threads": Variant(threads=2),
    "no vector unit": Variant(capability="default"),
    "math attention": Variant(attention="math"),
    "fused AdamW": Variant(adamw="fused"),
    "2 micro-batches": Variant(micro_batches=2),
}
DRIFTS = (1e-7, 1e-6, 1e-5, 1e-4)
_HONEST_IN_ONE_SEGMENT = {"interpolate", "skip-middle"}
_INVISIBLE = {"drift"}
_NOT_FINITE = {"nan-state", "infinite-moment"}
MEASURED_CHEATS = tuple(
    sorted({n for n in RUNNERS if CHEATS[n].seen_by_replay} - _HONEST_IN_ONE_SEGMENT - _INVISIBLE - _NOT_FINITE)
)


def exact_block(config: RunConfig, number: int, segments: int) -> int:
    """Segments, of a round computed here, that a fresh process ends in another state."""
    whole = replace(config, steps=segments * config.segment, seed=number + 1)
    batches = batch_source(default_corpus(), whole, _seed(number), 1)
    with tempfile.TemporaryDirectory() as folder:
        honest = run_inner(whole, start_tensors(initial_theta(whole), None), batches, folder=Path(folder))
        command = [
            sys.executable,
            "-m",
            "benchmarks.false_rejections",
            "--worker",
            whole.to_json(),
            folder,
            str(number),
        ]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = done.stdout.split()
    same = [entry.hex() == other for entry, other in zip(honest.boundary_entries[1:], found, strict=True)]
    return len(same) - sum(same)


def _replay_block(text: str, folder: str, number: str) -> None:
    """The fresh process of `exact_block`: every segment from its opened start, one entry a line."""
    config = RunConfig.from_json(text)
    batches = batch_source(default_corpus(), config, _seed(int(number)), 1)
    for segment in range(config.segments):
        packed = (Path(folder) / f"boundary-{segment:04d}.safetensors").read_bytes()
        print(boundary_entry(replay_segment(config, unpack(packed, layout(config)), segment, batches)).hex())


def calibrated(config: RunConfig, variants: dict[str, Variant], segments: int, cheat_segments: int) -> LimitTable:
    """Limits of each variant against this process, on the data seed of `verifier.planning.calibration`."""
    plan = CalibrationPlan(config, tuple(variants.values()), segments, 20, cheat_segments, MEASURED_CHEATS)
    table, _ = calibrate(plan, default_corpus(), lambda what, done, of: progress(f"{what}: {done} of {of}"))
    return table


def bounded_block(config: RunConfig, variants: dict[str, Variant], number: int, segments: int) -> Results:
    """Variant to its errors (a row per segment, in order of METRICS) and alignment, on weights and data of its own."""
    own = replace(config, seed=1000 + number, steps=segments * config.segment)
    batches = batch_source(default_corpus(), own, _seed(1000 + number), 1)
    with tempfile.TemporaryDirectory() as name:
        state = start_tensors(initial_theta(own), None)
        for segment in range(segments):
            boundary_file(Path(name), segment).write_bytes(pack(state))
            state = segment_end(own, state, segment, batches, Variant())
        boundary_file(Path(name), segments).write_bytes(pack(state))
        request = Request(own.to_json(), name, segments, _seed(1000 + number).hex(), own.steps, Variant(), ())
        return {title: _in_variant(request, variant) for title, variant in variants.items()}


def _in_variant(request: Request, variant: Variant) -> Results:
    measured, computer = replay_as(replace(request, variant=variant), lambda _done: None)
    return {"errors": [[one.metrics[m] for m in METRICS] for one in measured], "alignment": computer.alignment}


def against(limits: PairLimits, errors: list[list[float]]) -> Results:
    """Segments beyond the limits, and the largest error over its limit, by metric."""
    bound = [float(limits.limit_of(metric)) for metric in METRICS]
    ratios = [[value / limit for value, limit in zip(row, bound, strict=True)] for row in errors]
    largest = {metric: max(row[i] for row in ratios) for i, metric in enumerate(METRICS)}
    return {"segments": len(ratios), "beyond": sum(max(row) > 1 for row in ratios), "largest error / limit": largest}


def drift_followed(config: RunConfig, variant: Variant, size: float, segments: int, limits: PairLimits) -> Results:
    """A node in `variant` that pushes by `size` (0: honest), replayed here: when it is flagged, and how it measures."""
    run = replace(config, profile="bounded", limits_digest="11" * 32, steps=segments * config.segment)
    batches = batch_source(default_corpus(), run, _seed(2000), 1)
    choose(variant)
    runner = drift(size) if size else run_inner
    claimed = runner(run, start_tensors(initial_theta(run), None), batches)
    choose(Variant())
    followed, flagged, largest, alignment = Drift.none(), 0, 0.0, 0.0
    for segment in range(segments):
        start, end = (unpack(claimed.packed_state(segment + i), layout(run)) for i in (0, 1))
        replayed = replay_segment(run, start, segment, batches)
        _, value, limit = distance(run, start, end, replayed).worst(limits)
        largest = max(largest, float(value / limit))
        followed.add(residual(start, end, replayed))
        alignment = max(alignment, followed.alignment if followed.rounds >= LEAST_ROUNDS else 0.0)
        flagged = flagged or (segment + 1 if followed.suspicious else 0)
    return {
        "size": size,
        "segments": segments,
        "flagged after": flagged or None,
        "largest error / limit": largest,
        "largest alignment": alignment,
    }


def measure_exact(results: Results, config: RunConfig, size: int, segments: int) -> None:
    """Blocks until `segments` are replayed; saved after each."""
    blocks: dict[str, int] = results.setdefault("exact blocks", {})
    for number in _missing(blocks, size, segments):
        blocks[str(number)] = exact_block(config, number, size)
        results["exact"] = {
            "segments": size * len(blocks),
            "processes": len(blocks),
            "differing": sum(blocks.values()),
            "bar": 0,
        }
        progress(f"exact: {results['exact']}")
        save_results(results)


def measure_bounded(results: Results, config: RunConfig, size: int, segments: int) -> None:
    """Limits once, then blocks until `segments` were replayed over all variants."""
    if "limits" not in results:
        results["limits"] = json.loads(calibrated(config, VARIANTS, size, 3).to_json())
    table = LimitTable.from_json(json.dumps(results["limits"]))
    blocks: dict[str, Results] = results.setdefault("bounded blocks", {})
    for number in _missing(blocks, size, -(-segments // len(VARIANTS))):
        found = bounded_block(config, VARIANTS, number, size)
        blocks[str(number)] = {
            name: against(pair, found[name]["errors"]) | {"alignment": found[name]["alignment"]}
            for name, pair in zip(VARIANTS, table.pairs, strict=True)
        }
        results["bounded"] = summary(table, list(blocks.values()))
        progress(f"bounded: {results['bounded']}")
        save_results(results)


def summary(table: LimitTable, blocks: list[Results]) -> Results:
    """What decides, over all blocks and variants."""
    lines = [line for block in blocks for line in block.values()]
    ratios = {m: max(line["largest error / limit"][m] for line in lines) for m in METRICS}
    cheats = {cheat: min(float(pair.cheats[cheat]) for pair in table.pairs) for cheat in sorted(table.pairs[0].cheats)}
    mildest = sorted(cheats, key=cheats.__getitem__)[:5]
    return {
        "segments": sum(line["segments"] for line in lines),
        "beyond the limit": sum(line["beyond"] for line in lines),
        "bar": 0,
        "largest honest error / limit": ratios,
        "smallest cheat / limit": {name: cheats[name] for name in mildest},
        "largest alignment": {n: max(block[n]["alignment"] for block in blocks) for n in VARIANTS},
        "alignment limit": ALIGNMENT_LIMIT,
    }


def measure_drift(results: Results, config: RunConfig, segments: int) -> None:
    """Every size of push under each variant that one process can take, and honest work beside it."""
    table = LimitTable.from_json(json.dumps(results["limits"]))
    found: dict[str, list[Results]] = results.setdefault("drift", {})
    for (name, variant), pair in zip(VARIANTS.items(), table.pairs, strict=True):
        if not variant.capability and name not in found:
            found[name] = [drift_followed(config, variant, size, segments, pair) for size in (0.0, *DRIFTS)]
            progress(f"drift, {name}: {found[name]}")
            save_results(results)


def save_results(results: Results) -> None:
    """Save; the other configurations stay as they are in the file."""
    stored = read_results()
    write_result("false_rejections", stored | {results["name"]: results})


def read_results() -> Results:
    """What earlier calls measured, by name of the configuration."""
    file = RESULTS / "false_rejections.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _missing(blocks: dict[str, Any], size: int, segments: int) -> Iterator[int]:
    return (number for number in range(-(-segments // size)) if str(number) not in blocks)


def _seed(number: int) -> bytes:
    return (77_000 + number).to_bytes(32, "little")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=2000, help="of each of exact and bounded")
    parser.add_argument("--drift-segments", type=int, default=60)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="small")
    parser.add_argument("--only", choices=("exact", "bounded", "drift"))
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        _replay_block(*chosen.worker)
        return
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two threads that spin on a busy machine take ages
    config, size = CONFIGS[chosen.config], BLOCK[chosen.config]
    described = json.loads(config.to_json())
    results = read_results().get(chosen.config, {"name": chosen.config, "config": described})
    if chosen.only in (None, "exact"):
        measure_exact(results, config, size, chosen.segments)
    if chosen.only in (None, "bounded"):
        measure_bounded(results, config, size, chosen.segments)
    if chosen.only in (None, "drift"):
        measure_drift(results, config, chosen.drift_segments)
    print(json.dumps({name: results.get(name) for name in ("exact", "bounded", "drift")}, indent=1))


if __name__ == "__main__":
    main()
