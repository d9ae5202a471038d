"""What training together is compared with, from the same start, data seeds and learning rates.

A process of its own: it follows the run's public rounds and prints one JSON line per round, for one node that trains
alone as many inner steps (`solo`) or for a data-parallel run over the very bytes that the accepted nodes saw.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commonweight.console import emit
from commonweight.lifetime import die_with_parent
from contracts.run_config import RunConfig
from contracts.tensorfile import unpack
from trainer.baseline import data_parallel, solo
from trainer.client import ApiClient, octets
from trainer.corpus import default_corpus, load_corpus
from trainer.evaluate import held_out_loss
from trainer.state import theta_layout


class ClosedRounds:
    """The run's closed rounds, each waited for: sequences that grow while they are read."""

    def __init__(self, client: ApiClient, run: str, count: int) -> None:
        self._client, self._run, self._count, self._seen = client, run, count, list[dict[str, Any]]()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(1, self._count + 1):
            yield self._round(number)

    def _round(self, number: int) -> dict[str, Any]:
        while True:
            run = self._client.get(f"/runs/{self._run}")
            if run["round"] >= number:
                found = self._client.get(f"/runs/{self._run}/rounds/{number}")
                if found["phase"] == "closed":
                    return dict(found)
            time.sleep(0.5)


def main(kind: str, api: str, run: str, rounds: int, node: str, data: list[str]) -> None:
    """Train the baseline and print held-out loss after each round, nats per byte; round 0 is the start."""
    die_with_parent()
    client = ApiClient(api)
    corpus = load_corpus([Path(p) for p in data]) if data else default_corpus()
    closed = list(ClosedRounds(client, run, rounds))
    configs = [RunConfig.from_json(c["config"]) for c in closed]
    theta = unpack(client.blob(closed[0]["theta"]["blob"]), theta_layout(configs[0]))
    emit({"kind": kind, "round": 0, "loss": held_out_loss(configs[0], theta, corpus.held_out)})
    seeds = [octets(c["data_seed"]) for c in closed]
    accepted = [[p["node"] for p in c["proofs"] if p["state"] == "posted"] for c in closed]
    losses = (
        solo(configs, corpus, theta, seeds, node)
        if kind == "solo"
        else data_parallel(configs, corpus, theta, seeds, accepted)
    )
    for number, loss in enumerate(losses, start=1):
        emit({"kind": kind, "round": number, "loss": loss})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6:])
