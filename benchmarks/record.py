"""What every benchmark does: time one thread, say how far it is, keep the figures with date, command and machine."""

from __future__ import annotations

import json
import platform
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, result: dict[str, Any]) -> None:
    """results/<name>.json, stamped with the command that makes it, the date and the machine."""
    import torch  # which the programs that measure the server do not need, nor its memory

    where = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"
    program = sys.modules["__main__"].__spec__
    command = shlex.join(["python", "-m", program.name if program else f"benchmarks.{name}", *sys.argv[1:]])
    stamped = result | {"command": command, "date": time.strftime("%Y-%m-%d", time.gmtime())}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(stamped | {"machine": where}, indent=1) + "\n")


def progress(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this thread while `work` runs."""
    before = time.thread_time()
    work()
    return time.thread_time() - before
