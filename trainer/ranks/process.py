"""A further process of a node: it computes one round with the node's own process, and ends.

It has no key, no corpus and no folder: its order comes on standard input, batches and weights from process 0. One line
on standard output says that it is ready, and under which numerics profile.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from contracts.process.record import Record
from contracts.process.spawner import end_with_spawner


@dataclass(frozen=True)
class Order(Record):
    """What a process is to do: `config` is the run's canonical JSON; it is `rank` of `size`."""

    config: str
    rank: int
    size: int
    store: str
    device: str
    threads: int
    recompute: bool
    offload: bool


def main() -> None:
    """One round."""
    end_with_spawner()
    order = Order.from_json(json.loads(sys.stdin.readline()))
    from contracts.ids import to_hex  # torch only now: the kernel ends this process with its parent before
    from contracts.protocol.run_config import RunConfig
    from trainer.model.device import choose_offload
    from trainer.model.recompute import choose_recompute
    from trainer.ranks.exchange import Exchange
    from trainer.ranks.placing import place
    from trainer.ranks.sharded import ShardedSteps
    from trainer.steps.determinism import profile_of

    config = RunConfig.from_json(order.config)
    choose_recompute(order.recompute)
    choose_offload(order.offload)
    device = place(config, order.device, order.rank, order.threads)
    print(json.dumps({"profile": to_hex(profile_of(config).digest())}), flush=True)
    with Exchange(order.rank, order.size, Path(order.store), device) as exchange:
        steps = ShardedSteps(config, exchange)
        for number in range(1, config.steps + 1):
            steps.step()
            if number % config.segment == 0:
                steps.tensors()


if __name__ == "__main__":
    main()
