"""A Celery task for the queue tests, with a behaviour that the test orders.

What it is told is JSON: {"folder": where to write, "held" | "raises" | "kills": [segments]}. Each run writes one line.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from tests.verifier.fan import TASK
from verifier.jobs.queue import make_app
from verifier.settings import WorkerSettings

app = make_app(WorkerSettings.of_this_process())


def runs(folder: Path) -> list[tuple[str, int]]:
    """(segment, process) of every run so far."""
    file = folder / "runs"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(name, int(pid)) for name, pid in (line.split() for line in lines)]


@app.task(name=TASK, shared=False)  # type: ignore[untyped-decorator]
def segment(told: str, number: int) -> int:
    """Does to a segment what it is told."""
    order = json.loads(told)
    folder = Path(order["folder"])
    with (folder / "runs").open("a") as file:
        file.write(f"{number} {os.getpid()}\n")
    if number in order.get("raises", ()):
        raise ArithmeticError(f"poison in segment {number}")
    if number in order.get("kills", ()):
        os.kill(os.getpid(), signal.SIGKILL)
    while number in order.get("held", ()) and not (folder / "release").exists():
        time.sleep(0.02)
    return number
