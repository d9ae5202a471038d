"""Whether a server answers as its `/openapi.json` says: schemathesis, all checks, on a server with a run in it.

`python -m benchmarks.http_contract --examples 520 --database postgresql` (`make bench-http`).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn

from tests.databases import fresh_database
from tests.house import House

KINDS = ("sqlite", "postgresql")
RULES = Path(__file__).parent / "schemathesis.toml"
"""All checks but those that it takes out, each with its reason."""


@contextmanager
def served(house: House) -> Iterator[str]:
    """The address of a house that listens."""
    server = uvicorn.Server(uvicorn.Config(house.app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def main() -> int:
    """Exit with the tool's own status: 0 if every answer fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=600, help="requests made up for each operation and phase")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=KINDS, default=KINDS[0])
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(fresh_database(chosen.database, folder))
        house = stack.enter_context(House(folder / "house", database=url))
        house.start(rounds=3).play_round()
        house.run.commit(house.run.nodes[0])
        address = stack.enter_context(served(house))
        command = [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(RULES),
            "run",
            f"{address}/openapi.json",
            "--max-examples",
            str(chosen.examples),
            "--seed",
            str(chosen.seed),
            "--continue-on-failure",
            "--request-timeout",
            "60",
        ]
        return subprocess.run(command, check=False, cwd=folder).returncode  # it leaves a cache where it runs


if __name__ == "__main__":
    raise SystemExit(main())
