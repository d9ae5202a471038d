"""What a server costs that has nothing to do: finished runs in its ledger, and a chain whose blocks come all the same.

    python -m benchmarks.idle [--runs N] [--seconds S] [--block-times 2 12] [--database sqlite|postgresql|both]

The runs are played by real messages through the server's own door, to their end on the chain; then the server, with its
keeper, stands as a process of its own over them, and its CPU time over the seconds is read. The bar is 1 % of a core.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.settings import ServerSettings
from benchmarks.record import progress, write_result
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from tests import databases
from tests.deployed import key_of
from tests.ledger.served_run import Served, ServedRun

BAR_PERCENT = 1.0
SETTLE_SECONDS = 15.0
"""After the start, in which what was left is done."""


def finished_runs(served: Served, url: str, folder: Path, runs: int) -> None:
    """Play so many runs of one round to their end."""
    ledger = served.ledger(url, folder)
    for number in range(runs):
        with ServedRun.on(served, ledger, nonce=number) as run:
            run.play()
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        over = sum(run.over for run in state.runs.values())
    assert over == runs, f"{over} of {runs} runs are over"
    ledger.store.engine.dispose()


@contextmanager
def blocks_every(chain: Devnet, seconds: float) -> Iterator[None]:
    """The chain's clock runs, and a block comes each time."""
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(seconds):
            chain.increase_time(round(seconds))
            chain.mine()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join()


@contextmanager
def serving(settings: ServerSettings) -> Iterator[int]:
    """The server as a process; its id."""
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "api.app:create_app",
        "--port",
        "0",
        "--log-level",
        "error",
    ]
    with settings.handed_on() as variables:
        process = subprocess.Popen(command, env=os.environ | variables)
        try:
            yield process.pid
            assert process.poll() is None, "the server has ended"
        finally:
            process.terminate()
            process.wait(30)


def cpu_of(process: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percent_of_a_core(settings: ServerSettings, seconds: float) -> float:
    """Of a server that is left alone."""
    with serving(settings) as process:
        time.sleep(SETTLE_SECONDS)
        before, begun = cpu_of(process), time.monotonic()
        time.sleep(seconds)
        return round(100 * (cpu_of(process) - before) / (time.monotonic() - begun), 2)


def measure(kind: str, runs: int, block_times: list[float], seconds: float) -> dict[str, float]:
    """Percent of a core by block time."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name, databases.fresh_database(kind, Path(name)) as url:
        folder, served = Path(name), Served()
        finished_runs(served, url, folder, runs)
        progress(f"{kind}: {runs} runs are over")
        deployment = folder / "deployment.json"
        deployment.write_text(served.deployment.to_json())
        for block_time in block_times:
            with DevnetServer(served.chain, "127.0.0.1", 0, 10**6) as rpc, blocks_every(served.chain, block_time):
                settings = ServerSettings(
                    rpc_url=rpc.url,
                    deployment=deployment,
                    operator_key=key_of("operator").key.hex(),
                    database_url=url,
                    blobs=folder / "blobs",
                )
                found[f"a block each {block_time:g} s"] = percent_of_a_core(settings, seconds)
            progress(f"{kind}, {block_time:g} s: {found[f'a block each {block_time:g} s']} % of a core")
    return found


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--block-times", type=float, nargs="+", default=[2.0, 12.0])
    parser.add_argument("--database", choices=[*databases.KINDS, "both"], default="both")
    asked = parser.parse_args()
    kinds = databases.KINDS if asked.database == "both" else (asked.database,)
    found: dict[str, Any] = {kind: measure(kind, asked.runs, asked.block_times, asked.seconds) for kind in kinds}
    write_result("idle", {"bar percent": BAR_PERCENT, "runs": asked.runs, "seconds": asked.seconds} | found)


if __name__ == "__main__":
    main()
