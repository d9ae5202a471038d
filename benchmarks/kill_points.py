"""Every named crash point of the way of money, by kill, raise and hang, on the processes of benchmarks/kills.py.

    python -m benchmarks.kill_points

A claim is on its way, and what else it takes to get there is done to it: a reorg, blocks that stay away, a key that
somebody else uses too, an indexer that was down. The process with the armed point must be seen to get there. It is
killed then, if it still lives, and another one goes on; after each, supply, ledger and Transfer events must agree, and
in the end each claim is paid once.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlmodel import select

from benchmarks.kill_workers import REACHED, RULES
from benchmarks.kills import SLOTS, Bench
from benchmarks.record import progress, write_result
from contracts.wire.states import CallState
from ledger.crash_points import POINTS
from ledger.storage.tables import Header, Outgoing
from tests.anvil import spend_nonce

ACTIONS = ("kill", "raise", "hang")
CLAIMS = 2
"""Claims at each point and action."""
STAYS_SECONDS = 1.0
"""How long a process that was told to raise or hang goes on, or stands still."""


def take_back(bench: Bench) -> None:
    """A reorg of the blocks that a claim is in."""
    bench.until(lambda: bool(_young(bench)), "a claim is in a block that a reorg may take")
    with bench.chain:
        newest = bench.anvil.w3.eth.block_number
        bench.anvil.reorg(newest + 1 - min(_young(bench), default=newest))


def _young(bench: Bench) -> list[int]:
    """Numbers of the newest blocks that claims are in, of those that relayer and indexer have seen."""
    newest = bench.anvil.w3.eth.block_number
    with bench.ledger.store.read() as session:
        seen = set(session.exec(select(Header.number)))
    return [row.block for row in _in_state(bench, CallState.MINED) if row.block in seen and row.block > newest - SLOTS]


def starve(bench: Bench) -> None:
    """No block for so long that a transaction with a higher fee is signed."""
    with bench.chain:
        time.sleep(2 * RULES.replace_seconds)


def take_the_nonce(bench: Bench) -> None:
    """Somebody else uses the relayer's key, for more, before there is a block."""
    with bench.chain:
        bench.until(lambda: bool(_waiting(bench)), "a claim waits for a block")
        spend_nonce(bench.anvil, bench.place.operator, min(_waiting(bench)))


def _waiting(bench: Bench) -> set[int]:
    """Nonces of claims in the node's pool."""
    pending = bench.anvil.rpc("txpool_content")["pending"]
    return {int(nonce) for by_nonce in pending.values() for nonce in by_nonce}


PROVOKED: Mapping[str, Callable[[Bench], None]] = {
    "outbox.returned": take_back,
    "indexer.rewound": take_back,
    "outbox.replacing": starve,
    "outbox.external": take_the_nonce,
}


ON_THE_WAY = tuple(name for name in POINTS if not name.startswith(("judgement.", "blocks.")))
"""The points that claims come by; those of judgement are in tests/ledger/machine."""


def points(folder: Path, names: tuple[str, ...] = ON_THE_WAY, actions: tuple[str, ...] = ACTIONS) -> dict[str, Any]:
    """Each point by each action. Raises TimeoutError if one is not reached, AssertionError if a unit is amiss."""
    bench = Bench(folder, CLAIMS * len(names) * len(actions), 1)
    try:
        for name in names:
            for action in actions:
                _at(bench, name, action)
                bench.check()
                progress(f"{name} {action}: {bench.claimed} claims are in")
        found = bench.settle()
    finally:
        bench.close()
    return {"points": len(names), "actions": list(actions), "reached": len(names) * len(actions)} | found


def _at(bench: Bench, name: str, action: str) -> None:
    """Arm a process, claim, see it get there, then kill it and go on."""
    worker, mark = bench.workers[_part(name)], bench.folder / REACHED
    mark.unlink(missing_ok=True)
    worker.kill()
    if name == "indexer.read":  # by range, which is how one reads that was down
        with bench.chain:
            bench.anvil.mine(6 * SLOTS)
    worker.start(f"{name}:{action}")
    bench.allowed += CLAIMS
    if name in PROVOKED:
        PROVOKED[name](bench)
    bench.until(mark.exists, f"{name} is reached")
    if action != "kill":
        time.sleep(STAYS_SECONDS)
    worker.kill()
    worker.start()


def _part(name: str) -> str:
    return {"claims": "api", "indexer": "indexer"}.get(name.split(".")[0], "settlement")


def _in_state(bench: Bench, state: CallState) -> list[Outgoing]:
    with bench.ledger.store.read() as session:
        return list(session.exec(select(Outgoing).where(Outgoing.state == state)))


def main() -> None:
    """Entry point."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folder = Path(tempfile.mkdtemp(prefix="commonweight-points-"))
    try:
        found = points(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    progress(str(found))
    write_result("kill_points", found)


if __name__ == "__main__":
    main()
