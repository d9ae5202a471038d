"""Forged work under the published limits of Proof-of-Learning and under ours, side by side.

    python -m benchmarks.proof_of_learning [--warmup N]     writes benchmarks/results/proof_of_learning.json

Proof-of-Learning (arXiv 2103.05633) compares whole weights and accepts below l1 1000, l2 10, linf 0.1, cosine 0.01.
Every cheat of the corpus that a replay can see runs a round of two segments from a checkpoint; both verifiers replay
each segment from the state that the cheat opened. Ours compares boundary entries and must accept no round. PoL gets
more than it asks for: data, start and step count are fixed, and it replays every segment.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from benchmarks.cheats import PROFILES, SEED, SEGMENTS, runners, warmed_up
from benchmarks.record import progress, write_result
from contracts.errors import InvalidTensorFile
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import unpack
from trainer.data.batches import BatchSource, batch_source
from trainer.data.draw import Share
from trainer.data.text import default_corpus
from trainer.model.state import Tensors, initial_theta, layout, start_tensors
from trainer.steps.inner_step import NonFiniteLoss
from trainer.steps.trajectory import Trajectory, replay_segment

LIMITS = {"l1": 1000.0, "l2": 10.0, "linf": 0.1, "cosine": 0.01}
LENGTHS = (4, 1, 10)


@dataclass(frozen=True)
class Judged:
    """One segment of a cheat: its distances over whole weights, whether it is forged, and whether ours accepts it."""

    cheat: str
    segment: int
    distances: dict[str, float]
    forged: bool

    @property
    def passed(self) -> dict[str, bool]:
        """PoL's word by each metric and by all four; what is not a number passes nowhere."""
        each = {name: bool(self.distances[name] < limit) for name, limit in LIMITS.items()}
        return each | {"all four": all(each.values())}


def distances(claimed: Tensors, replayed: Tensors) -> dict[str, float]:
    """PoL's four metrics over all weights as one vector."""
    one, other = _weights(claimed), _weights(replayed)
    gap = one - other
    sizes = float(np.linalg.norm(one) * np.linalg.norm(other))
    return {
        "l1": float(np.abs(gap).sum()),
        "l2": float(np.linalg.norm(gap)),
        "linf": float(np.abs(gap).max()),
        "cosine": 1.0 - float(one @ other) / sizes,
    }


def judged(config: RunConfig, cheat: str, claimed: Trajectory, batches: BatchSource) -> Iterator[Judged]:
    """Every segment of a cheat's round, replayed from what it opened."""
    for segment in range(config.segments):
        start, end = (load(claimed.packed_state(segment + i)) for i in (0, 1))
        try:
            replayed = replay_segment(config, start, segment, batches)
        except NonFiniteLoss:
            yield Judged(cheat, segment, dict.fromkeys(LIMITS, float("nan")), True)
            continue
        yield Judged(cheat, segment, distances(end, replayed), not ours_accepts(config, claimed, segment, replayed))


def ours_accepts(config: RunConfig, claimed: Trajectory, segment: int, replayed: Tensors) -> bool:
    """The exact comparison of an opened segment: both states must be well formed, and the entries equal."""
    try:
        _, end = (unpack(claimed.packed_state(segment + i), layout(config)) for i in (0, 1))
    except InvalidTensorFile:
        return False
    return boundary_entry(end) == boundary_entry(replayed)


def measure(config: RunConfig, warmup: int, lengths: tuple[int, ...] = LENGTHS) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every cheat, one length of segment after the other."""
    corpus = default_corpus()
    before = start_tensors(initial_theta(config), None)
    start = warmed_up(config, corpus, before, warmup)
    for length in lengths:
        short = replace(config, steps=SEGMENTS * length, segment=length)
        batches, twin = (batch_source(corpus, short, SEED, 1, Share(place, 2)) for place in (0, 1))
        rows: list[Judged] = []
        for name, runner in runners(short, start, before, twin).items():
            rows += judged(short, name, runner(short, start, batches), batches)
        yield f"k = {length}", counted(rows)


def counted(rows: list[Judged]) -> dict[str, Any]:
    """Forged segments and rounds, and how many each verifier accepts."""
    forged = [row for row in rows if row.forged]
    cheats = sorted({row.cheat for row in rows})
    by_cheat = {cheat: [row for row in rows if row.cheat == cheat] for cheat in cheats}
    metrics = (*LIMITS, "all four")
    fooled = {m: [c for c, own in by_cheat.items() if all(row.passed[m] for row in own)] for m in metrics}
    return {
        "cheats": len(cheats),
        "forged segments": len(forged),
        "PoL accepts, forged segments": {m: sum(row.passed[m] for row in forged) for m in metrics},
        "PoL accepts, cheats": {m: len(names) for m, names in fooled.items()},
        "PoL rejects, cheats": sorted(set(cheats) - set(fooled["all four"])),
        "ours accepts, cheats": sum(not any(row.forged for row in own) for own in by_cheat.values()),
        "rows": [asdict(row) for row in rows],
    }


def _weights(state: Tensors) -> NDArray[np.float64]:
    return np.concatenate([state[n].ravel() for n in sorted(state) if n.startswith("theta.")]).astype(np.float64)


def main() -> None:
    """Both models of benchmarks/cheats.py; the default one decides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warmup", type=int, default=100, help="honest steps before the checkpoint")
    warmup = parser.parse_args().warmup
    warnings.simplefilter("ignore", RuntimeWarning)  # the infinities are the cheats'
    result: dict[str, object] = {"limits": LIMITS, "warmup_steps": warmup}
    for name, config in reversed(PROFILES.items()):  # the quick one first
        found: dict[str, object] = {"config": json.loads(config.to_json())}
        result[name] = found
        for length, counts in measure(config, warmup):
            found[length] = counts
            progress(f"{name}, {length}: {counts['PoL accepts, cheats']}")
            write_result("proof_of_learning", result)


if __name__ == "__main__":
    main()
