"""Tokens a second of a round with commitments, beside a plain PyTorch loop of the same model on the same batches.

    python -m benchmarks.plain_loop [--rounds N] [--steps N]      writes benchmarks/results/plain_loop.json

The plain loop is what a PyTorch user writes: an nn.Module, `loss.backward()`, `clip_grad_norm_`, `torch.optim.AdamW`
(foreach) with two groups, `zero_grad()`. It keeps nothing and hashes nothing. Ours is `run_inner` and `settle`: the
same steps, a boundary every k = 10 copied and hashed, and the gradient that is sent. Both take the exact profile's one
thread and its kernels, in one process, in turns; medians of their CPU seconds count, because the machine may be shared.
Bar: 97 percent.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from benchmarks.record import cpu_seconds, progress, write_result
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import BatchSource, batch_source
from trainer.data.text import default_corpus
from trainer.model.building import build_model, initial_parameters, loss_of
from trainer.model.state import initial_theta, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.settled import settle
from trainer.steps.trajectory import run_inner

BAR_PERCENT = 97.0
SIZES = {
    "1 M": RunConfig(segment=10),
    "19 M": RunConfig(layers=6, d_model=512, heads=8, segment=10),
}


def plain_loop(config: RunConfig, batches: BatchSource) -> float:
    """The last loss."""
    model = build_model(config).to_empty(device="cpu")
    model.load_state_dict(initial_parameters(config))
    optimizer = _adamw(config, model)
    loss_of_batch, loss = loss_of(config), torch.zeros(())
    for step in range(config.steps):
        batch = batches(step)
        optimizer.zero_grad()
        loss = loss_of_batch(model(torch.from_numpy(batch.x)), torch.from_numpy(batch.y))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), config.rate("clip"))
        optimizer.step()
        loss.item()
    return loss.item()


def _adamw(config: RunConfig, model: nn.Module) -> torch.optim.AdamW:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.rate("weight_decay")},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    betas = config.rate("beta1"), config.rate("beta2")
    return torch.optim.AdamW(groups, lr=config.rate("inner_lr"), betas=betas, eps=config.rate("eps"), foreach=True)


def our_round(config: RunConfig, batches: BatchSource) -> float:
    """The last loss of a round as a node does it, up to what it commits to."""
    start = start_tensors(initial_theta(config), None)
    return settle(start, run_inner(config, start, batches)).losses[-1]


def measure(config: RunConfig, rounds: int) -> dict[str, Any]:
    """Median CPU seconds and tokens a second of both, in turns, after one of each that counts nowhere."""
    configure_determinism(config.profile)
    batches = batch_source(default_corpus(), config, bytes(32), 1)
    short = replace(config, steps=config.segment)
    losses = our_round(short, batches), plain_loop(short, batches)
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(rounds):
        times["ours"].append(cpu_seconds(lambda: our_round(config, batches)))
        times["plain"].append(cpu_seconds(lambda: plain_loop(config, batches)))
    seconds = {name: statistics.median(found) for name, found in times.items()}
    return {
        "parameters": sum(value.numel() for value in initial_parameters(config).values()),
        "last losses": [round(loss, 6) for loss in losses],
        "tokens a second": {name: round(config.tokens_per_round / found, 1) for name, found in seconds.items()},
        "percent of plain": round(100 * seconds["plain"] / seconds["ours"], 2),
        "percent in each turn": [
            round(100 * plain / ours, 2) for ours, plain in zip(times["ours"], times["plain"], strict=True)
        ],
    }


def main() -> None:
    """Measure every size, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each kind")
    parser.add_argument("--steps", type=int, default=40, help="steps of a round, a multiple of 10")
    parser.add_argument("--size", choices=tuple(SIZES), action="append", help="only this one")
    told = parser.parse_args()
    sizes: dict[str, Any] = {}
    for name in told.size or SIZES:
        sizes[name] = measure(replace(SIZES[name], steps=told.steps), told.rounds)
        progress(f"{name}: {sizes[name]}")
        met = all(size["percent of plain"] >= BAR_PERCENT for size in sizes.values())
        shown = {"bar percent": BAR_PERCENT, "met": met, "k": 10, "steps": told.steps, "rounds": told.rounds}
        write_result("plain_loop", shown | {"sizes": sizes})
    print(json.dumps(sizes, indent=1))


if __name__ == "__main__":
    main()
