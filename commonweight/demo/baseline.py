"""The baselines of training together, from the same start, data seeds and learning rates.

A process of its own: it follows the run's public rounds and prints one JSON line per round, for one node that trains
alone as many inner steps (`solo`) or for a data-parallel run over the very bytes that the accepted nodes saw.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from commonweight.terminal.console import emit
from contracts.ids import Address, RunId, as_address, from_hex
from contracts.process.spawner import end_with_spawner
from contracts.protocol.run_config import RunConfig
from contracts.wire.rounds import Round
from contracts.wire.runs import Run
from contracts.wire.states import ProofState, RoundPhase
from trainer.baseline import PublicRound, data_parallel, solo
from trainer.client import ApiClient
from trainer.data.text import corpus_of
from trainer.model.state import initial_theta
from trainer.steps.evaluate import held_out_loss


def closed_rounds(client: ApiClient, run: str, count: int) -> Iterator[Round]:
    """The run's first `count` rounds, each as soon as it is closed."""
    for number in range(1, count + 1):
        while not (view := _closed(client, run, number)):
            time.sleep(0.5)
        yield view


def _closed(client: ApiClient, run: str, number: int) -> Round | None:
    if client.read(Run, f"/runs/{run}").round < number:
        return None
    view = client.read(Round, f"/runs/{run}/rounds/{number}")
    return view if view.phase == RoundPhase.CLOSED else None


def _public(view: Round) -> PublicRound:
    accepted = [p.node for p in view.proofs if p.state == ProofState.POSTED]
    listed = [as_address(node.node) for node in view.nodes]
    return PublicRound(RunConfig.from_json(view.config), from_hex(view.data_seed), listed, accepted)


def main(kind: str, api: str, run: RunId, rounds: int, node: Address, data: list[str]) -> None:
    """Train the baseline and print held-out loss after each round, nats per byte; round 0 is the start."""
    client = ApiClient(api)
    corpus = corpus_of([Path(p) for p in data])
    first = next(closed_rounds(client, run, 1))
    config = RunConfig.from_json(first.config)
    theta = initial_theta(config)
    emit({"kind": kind, "round": 0, "loss": held_out_loss(config, theta, corpus.held_out())})
    public = map(_public, closed_rounds(client, run, rounds))
    losses = solo(public, corpus, theta, node) if kind == "solo" else data_parallel(public, corpus, theta)
    for number, loss in enumerate(losses, start=1):
        emit({"kind": kind, "round": number, "loss": loss})


if __name__ == "__main__":
    end_with_spawner()
    main(sys.argv[1], sys.argv[2], RunId(sys.argv[3]), int(sys.argv[4]), as_address(sys.argv[5]), sys.argv[6:])
