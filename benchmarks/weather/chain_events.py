"""How late the server acts on an event of its chain: from the block that has it to the entry in the log.

    python -m benchmarks.weather.chain_events [--events 20] [--seed S]

It writes benchmarks/results/chain_events.json. The network has good weather, a block each two seconds and no nodes. An
account adds to its stake at random moments, and the log has each as an entry. Bar: within one block, which is by the
time of the next one.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from benchmarks.weather.network import BLOCK_SECONDS, STAKE, Network
from benchmarks.weather.outcome.back import entries_with
from contracts.bindings.node_stakes import NodeStakes
from contracts.chain.connection import connect, send

PATIENCE = 60.0
KIND = '"node-stake"'
WEI = STAKE // 100
LOOK_SECONDS = 0.02


def late(network: Network) -> tuple[float, int]:
    """Seconds and blocks from the stake's block until the log has it. Raises NotReady."""
    w3, account = connect(network.place.rpc), network.key("creator")
    stakes = NodeStakes(w3, network.place.deployment.verifier_registry)
    before = len(entries_with(network, KIND))
    receipt = send(w3, account, stakes.stake(), value=WEI)
    begun = time.monotonic()
    network.wait("the stake in the log", lambda: len(entries_with(network, KIND)) > before, PATIENCE, LOOK_SECONDS)
    return time.monotonic() - begun, w3.eth.block_number - receipt["blockNumber"]


def measured(folder: Path, seed: int, events: int) -> dict[str, Any]:
    """Seconds and blocks of each event."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    with Network(folder, seed, 0) as network:
        found = []
        for _ in range(events):
            time.sleep(rng.uniform(0, 2 * BLOCK_SECONDS))
            found.append(late(network))
            progress(f"{found[-1][0]:.2f} s, {found[-1][1]} blocks")
    seconds, blocks = zip(*found, strict=True)
    return {
        "events": events,
        "block_seconds": BLOCK_SECONDS,
        "median_seconds": round(statistics.median(seconds), 2),
        "most_seconds": round(max(seconds), 2),
        "most_blocks": max(blocks),
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="commonweight-events-"))
    body = measured(folder, args.seed, args.events)
    write_result("chain_events", body)
    shutil.rmtree(folder, ignore_errors=True)
    progress(str(body))


if __name__ == "__main__":
    main()
