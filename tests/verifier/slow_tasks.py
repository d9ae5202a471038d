"""Celery tasks for the queue tests: the names and results of the real ones, with a behaviour that the test orders.

The "proof" is JSON: {"folder": where to write, "held" | "raises" | "kills": [segments]}. Each run writes one line.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from verifier.queue import make_app
from verifier.settings import VerifierSettings

app = make_app(VerifierSettings.from_environment())


def runs(folder: Path) -> list[tuple[str, int]]:
    """(segment or "end", process) of every run so far."""
    file = folder / "runs"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(name, int(pid)) for name, pid in (line.split() for line in lines)]


@app.task(name="verifier.check_segment", shared=False)
def check_segment(proof: str, segment: int, _facts: Any) -> dict[str, Any]:
    """Does to a segment what the proof orders."""
    order = json.loads(proof)
    folder = Path(order["folder"])
    _note(folder, str(segment))
    if segment in order.get("raises", ()):
        raise ArithmeticError(f"poison in segment {segment}")
    if segment in order.get("kills", ()):
        os.kill(os.getpid(), signal.SIGKILL)
    while segment in order.get("held", ()) and not (folder / "release").exists():
        time.sleep(0.02)
    return {"failed": False, "segment": segment, "measured": str(segment)}


@app.task(name="verifier.check_end", shared=False)
def check_end(proof: str, _facts: Any) -> dict[str, Any]:
    """Always in order."""
    _note(Path(json.loads(proof)["folder"]), "end")
    return {"failed": False, "segment": 0, "measured": "0"}


def _note(folder: Path, name: str) -> None:
    with (folder / "runs").open("a") as file:
        file.write(f"{name} {os.getpid()}\n")
