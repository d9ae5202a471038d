"""Does DiLoCo learn as data parallel training does, with a five-hundredth of its exchanges?

    python -m benchmarks.diloco [--seeds 1 2 3] [--nodes 4 8] [--workers N]
    python -m benchmarks.diloco --worker CELL          one cell, as JSON on stdout

The 1 M model on the default text: 4 or 8 nodes, 4,000 inner steps each, as 8 rounds of H = 500, 80 of 50 and 400 of 10;
beside them the same nodes with their gradients averaged at each step (equal tokens), and one node alone (equal steps).
Each step, merge and batch is the product's own. A cell is kept in benchmarks/results/diloco.json as soon as it is done,
and a later call goes on where the last one stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import mean
from typing import Any

from blake3 import blake3

from benchmarks.record import RESULTS, progress, write_result
from contracts.ids import as_address
from contracts.protocol.run_config import RunConfig
from trainer.baseline import PublicRound, data_parallel
from trainer.data.batches import batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import Share
from trainer.data.text import default_corpus
from trainer.model.state import Tensors, initial_theta, inner_of, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.evaluate import held_out_loss
from trainer.steps.outer import merge, zero_momentum
from trainer.steps.settled import settle
from trainer.steps.trajectory import run_inner

NAME = "diloco"
STEPS = 4000
LONG = 500
WINDOWS = 256
"""Held-out windows of the last loss."""


@dataclass(frozen=True)
class Cell:
    """One training: `kind` is diloco, parallel or solo; `h` inner steps lie between two exchanges of a diloco."""

    kind: str
    nodes: int
    h: int
    seed: int

    def __str__(self) -> str:
        every = f", H = {self.h}" if self.kind == "diloco" else ""
        return f"{self.kind} of {self.nodes}{every}, seed {self.seed}"

    def config(self) -> RunConfig:
        """Rounds of H steps; the schedule goes by the steps of the whole."""
        segment = max(self.h // 10, 1)
        return RunConfig(
            steps=self.h, segment=segment, rounds=STEPS // self.h, seed=self.seed, schedule="cosine", warmup_steps=100
        )


def cells(seeds: list[int], nodes: list[int]) -> Iterator[Cell]:
    """The longest H first: it is the normal case."""
    for seed in seeds:
        for count in nodes:
            yield Cell("diloco", count, LONG, seed)
            yield Cell("parallel", count, LONG, seed)
        yield Cell("solo", 1, LONG, seed)
    for seed in seeds:
        yield from (Cell("diloco", nodes[0], h, seed) for h in (50, 10))


def losses(cell: Cell, corpus: Corpus) -> Iterator[float]:
    """Held-out loss, nats per byte, after each round."""
    config = cell.config()
    configure_determinism(config.profile)
    theta = initial_theta(config)
    if cell.kind == "diloco":
        yield from _diloco(cell, config, corpus, theta)
        return
    nodes = [as_address(f"0x{place + 1:040x}") for place in range(cell.nodes)]
    rounds = (PublicRound(config, _seed(cell, number), nodes, nodes) for number in range(1, config.rounds + 1))
    yield from data_parallel(rounds, corpus, theta)


def _diloco(cell: Cell, config: RunConfig, corpus: Corpus, theta: Tensors) -> Iterator[float]:
    momentum = zero_momentum(theta)
    inner: dict[int, Tensors] = {}
    rates = config.rate("outer_lr"), config.rate("outer_momentum")
    for number in range(1, config.rounds + 1):
        gradients = []
        for place in range(cell.nodes):
            batches = batch_source(corpus, config, _seed(cell, number), number, Share(place, cell.nodes))
            done = settle(theta, run_inner(config, start_tensors(theta, inner.get(place)), batches))
            inner[place] = inner_of(done.end_state)
            gradients.append(done.pseudo_gradient)
        theta, momentum = merge(theta, momentum, gradients, *rates, config.merge)
        last = number == config.rounds
        yield held_out_loss(config, theta, corpus.held_out(), WINDOWS if last else WINDOWS // 8)


def _seed(cell: Cell, number: int) -> bytes:
    return blake3(f"{cell.seed}/{number}".encode()).digest()


def measured(cell: Cell) -> dict[str, Any]:
    """A cell in a process of its own."""
    began = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.diloco", "--worker", json.dumps(vars(cell))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: list[float] = json.loads(done.stdout)
    progress(f"{cell}: {found[-1]:.4f}")
    return {"losses": found[:: max(1, len(found) // 8)] + found[-1:], "seconds": round(time.monotonic() - began)}


def summary(results: dict[str, Any], nodes: list[int]) -> dict[str, Any]:
    """Last losses by kind, the mean over all seeds, and beside data parallel of as many nodes."""
    last: dict[str, list[float]] = {}
    for name, cell in results.items():
        last.setdefault(name.rpartition(", seed")[0], []).append(cell["losses"][-1])
    means = {name: round(mean(found), 4) for name, found in last.items()}
    ratios = {
        name: round(means[name] / means[f"parallel of {count}"], 4)
        for count in nodes
        for name in means
        if name.startswith(f"diloco of {count},") and f"parallel of {count}" in means
    }
    return {"seeds": {name: len(found) for name, found in last.items()}, "loss": means, "to data parallel": ratios}


def _kept() -> dict[str, Any]:
    file = RESULTS / f"{NAME}.json"
    found: dict[str, Any] = json.loads(file.read_text())["cells"] if file.exists() else {}
    return found


def main() -> None:
    """All cells that are not measured yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--nodes", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--worker")
    asked = parser.parse_args()
    if asked.worker:
        print(json.dumps(list(losses(Cell(**json.loads(asked.worker)), default_corpus()))))
        return
    kept = _kept()
    left = [cell for cell in cells(asked.seeds, asked.nodes) if str(cell) not in kept]
    with ThreadPoolExecutor(asked.workers) as pool:
        for cell, found in zip(left, pool.map(measured, left), strict=True):
            kept[str(cell)] = found
            write_result(NAME, summary(kept, asked.nodes) | {"cells": kept})


if __name__ == "__main__":
    main()
