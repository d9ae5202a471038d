"""What the kernel says about processes; Linux only."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def heed_signals_again() -> None:
    """For `preexec_fn`: the tests may run under nohup, which their children would inherit."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def gone(pid: int) -> bool:
    """No such process, or only its exit status is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def running_with(text: str) -> list[str]:
    """Command lines of running processes that name `text`."""
    return [line for line in _command_lines() if text in line]


def _command_lines() -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and not gone(int(entry.name)):
                yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
