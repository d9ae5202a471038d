"""How far from the honest replay is each cheat? `python -m benchmarks.cheats` writes benchmarks/results/cheats.json.

From a checkpoint after some honest steps of the default run, every cheat that a replay can see runs a round of two
segments of 1, 4 and 10 steps. Each segment is replayed from the state that the cheat committed to at its start; of
the segments that differ, the one with the smallest error of the update counts. verifier/comparison/bounded.py defines
the errors.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from contracts.ids import as_address
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import unpack
from trainer.cheats import CHEATS
from trainer.cheats.data import fed
from trainer.cheats.states import from_theta, towards
from trainer.cheats.work import RUNNERS
from trainer.data.batches import BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import Share
from trainer.data.text import default_corpus
from trainer.model.state import Tensors, initial_theta, layout, start_tensors, theta_of
from trainer.steps.trajectory import InnerRunner, Trajectory, replay_segment, run_inner
from verifier.comparison.bounded import distance

RESULT = Path(__file__).parent / "results" / "cheats.json"
SEED, NODE, TWIN = bytes(range(32)), as_address("0x" + "11" * 20), as_address("0x" + "22" * 20)
LENGTHS = (1, 4, 10)
SEGMENTS = 2
PROFILES = {
    "default": RunConfig(steps=40, segment=4),
    "tiny": RunConfig(layers=1, d_model=16, heads=2, context=16, batch=4, clip="0.1", steps=40, segment=4),
}


@dataclass(frozen=True)
class Measured:
    """The smallest relative errors of one cheat at one length of segment; `segments` of SEGMENTS differed."""

    cheat: str
    steps: int
    segments: int
    update: float
    moment1: float
    moment2: float
    slope: float


def measure(config: RunConfig, warmup: int) -> Iterator[Measured]:
    """Every replayable cheat, at every length."""
    corpus = default_corpus()
    before = start_tensors(initial_theta(config), None)
    start = warmed_up(config, corpus, before, warmup)
    for steps in LENGTHS:
        short = replace(config, steps=SEGMENTS * steps, segment=steps)
        batches, twin = (batch_source(corpus, short, SEED, 1, Share(place, 2)) for place in (0, 1))
        for name, runner in runners(short, start, before, twin).items():
            yield _smallest(name, short, runner(short, start, batches), batches)


def warmed_up(config: RunConfig, corpus: Corpus, before: Tensors, steps: int) -> Tensors:
    """The state after so many steps of another round."""
    long = replace(config, steps=steps, segment=steps)
    return run_inner(long, before, batch_source(corpus, long, SEED, 2)).end_state


def runners(config: RunConfig, start: Tensors, stale: Tensors, twin: BatchSource) -> Mapping[str, InnerRunner]:
    """The cheats of the work, and those of the protocol that a replay sees, with a twin instead of a service."""
    others_end = theta_of(run_inner(config, start, twin).end_state)
    named = {name: runner for name, runner in RUNNERS.items() if CHEATS[name].seen_by_replay}
    return named | {
        "copied-end": towards(others_end),
        "copied-end-perturbed": towards(others_end, 0.01),
        "shared-work": fed(lambda _config, _batches, step: twin(step)),
        "stale-start": from_theta(theta_of(stale)),
    }


def _smallest(name: str, config: RunConfig, claimed: Trajectory, batches: BatchSource) -> Measured:
    found = []
    for segment in range(config.segments):
        opened, end = (unpack(claimed.packed_state(segment + i), layout(config)) for i in (0, 1))
        replayed = replay_segment(config, opened, segment, batches)
        if boundary_entry(replayed) != boundary_entry(end):
            found.append(distance(config, opened, end, replayed).values)
    if not found:
        nan = float("nan")
        return Measured(name, config.segment, 0, nan, nan, nan, nan)
    least = min(found, key=lambda values: values["update"])
    errors = {metric: least[metric] for metric in ("update", "moment1", "moment2", "slope")}
    return Measured(name, config.segment, len(found), **errors)


def main() -> None:
    """Measure, print a line each, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warmup", type=int, default=100, help="honest steps before the checkpoint")
    warmup = parser.parse_args().warmup
    began, result = time.time(), {"torch": str(torch.__version__), "warmup_steps": warmup, "segments": SEGMENTS}
    for profile, config in PROFILES.items():
        lines = []
        for line in measure(config, warmup):
            lines.append(asdict(line))
            print(
                f"{profile:8}{line.cheat:24}{line.steps:4}{line.segments:3}  update {line.update:.2e}  "
                f"m {line.moment1:.2e}  v {line.moment2:.2e}  slope {line.slope:.2e}",
                flush=True,
            )
        result[profile] = {"config": json.loads(config.to_json()), "cheats": lines}
    result["seconds"] = round(time.time() - began)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
