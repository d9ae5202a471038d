"""What grows with the model: digest, opening, replay and merge, from 1 M parameters up, per parameter.

    python -m benchmarks.growth [--sizes 1M,15M,150M,400M] [--repeats 3]      writes benchmarks/results/growth.json

Each named size is a process of its own, so that none has another's memory. A state has weights and two moments. An
opening is its packing with the Merkle path; a replay is one inner step over one sequence of 128 tokens, beside the
copying of the state; a merge takes three pseudo-gradients. Vocabularies are 2,048, so that what grows is the model.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from benchmarks.record import progress, write_result
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import fields_of
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import pack
from trainer.data.batches import Batch
from trainer.model.state import Tensors, initial_theta, start_tensors, theta_of
from trainer.steps.determinism import configure_determinism
from trainer.steps.outer import merge, zero_momentum
from trainer.steps.trajectory import replay_segment

SIZES = "1M,15M,150M,400M"
TOKENS, VOCABULARY, NODES, BOUNDARIES = 128, 2048, 3, 51
LINEAR = 1.3
"""Seconds a parameter may differ so much from those of the smallest size that leaves the caches."""
REFERENCE = "15M"


def config_of(size: str) -> RunConfig:
    """One step of one short sequence of a named size."""
    small = {"context": TOKENS, "vocab": VOCABULARY, "batch": 1, "micro_batch": 0, "steps": 1, "segment": 1}
    return replace(RunConfig(**fields_of(size)), **small)  # type: ignore[arg-type]


def batch_of(_step: int) -> Batch:
    """Tokens by a fixed draw."""
    tokens = np.random.default_rng(7).integers(0, VOCABULARY, (1, TOKENS + 1))
    return Batch(tokens[:, :-1], tokens[:, 1:], 1.0)


def seconds_of(work: Callable[[], object], repeats: int) -> float:
    """The median of some tries, after one that warms up."""
    tries = []
    for _ in range(repeats + 1):
        gc.collect()
        begun = time.perf_counter()
        work()
        tries.append(time.perf_counter() - begun)
    return statistics.median(tries[1:])


def measured(size: str, repeats: int) -> dict[str, float]:
    """Seconds of each, and the most memory that this process took, in GB."""
    torch.set_num_threads(1)
    config = config_of(size)
    configure_determinism(config.profile)
    state = start_tensors(initial_theta(config), None)
    parameters = sum(value.size for value in theta_of(state).values())
    found = {"parameters": float(parameters)}
    found["digest"] = seconds_of(lambda: boundary_entry(state), repeats)
    found["opening"] = seconds_of(lambda: _open(state), repeats)
    found["replay"] = seconds_of(lambda: replay_segment(config, state, 0, batch_of), repeats)
    found["merge"] = _merge(theta_of(state), config, repeats)
    found["gigabytes"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    return found


def _open(state: Tensors) -> tuple[bytes, list[bytes]]:
    entries = [bytes([number]) * 64 for number in range(BOUNDARIES)]
    return pack(state), list(KECCAK_TREE.inclusion_proof(entries, BOUNDARIES // 2))


def _merge(theta: Tensors, config: RunConfig, repeats: int) -> float:
    gradients = [theta] * NODES
    lr, mu = config.rate("outer_lr"), config.rate("outer_momentum")
    momentum = zero_momentum(theta)
    return seconds_of(lambda: merge(theta, momentum, gradients, lr, mu), repeats)


def growth(sizes: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Nanoseconds a parameter, by what is done and by size."""
    return {
        what: {size: round(1e9 * found[what] / found["parameters"], 2) for size, found in sizes.items()}
        for what in ("digest", "opening", "replay", "merge")
    }


def is_linear(by_size: dict[str, float]) -> bool:
    """Whether no larger size takes much more a parameter than the reference."""
    known = list(by_size)
    larger = known[known.index(REFERENCE) :] if REFERENCE in known else known
    return max(by_size[size] for size in larger) <= LINEAR * by_size[larger[0]]


def main() -> None:
    """Entry point; with `--one` it measures that size alone and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measured(args.one, args.repeats)))
        return
    sizes = {}
    for size in args.sizes.split(","):
        command = [sys.executable, "-m", "benchmarks.growth", "--one", size, "--repeats", str(args.repeats)]
        sizes[size] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        progress(f"{size}: {sizes[size]}")
    found = growth(sizes)
    linear = {what: is_linear(by_size) for what, by_size in found.items()}
    write_result("growth", {"sizes": sizes, "nanoseconds_a_parameter": found, "linear": linear})
    progress(f"nanoseconds a parameter: {found}; linear: {linear}")


if __name__ == "__main__":
    main()
