"""`python -m verifier.hosts.keeping PLACE SECONDS GRACE USER`: runs a renter's script until its time is over, or its
host is gone; as another user where one is named.

The script has a process group of its own, which ends as a whole: when the script ends, after so many seconds, when this
process is told to end, and when the host's process is gone, however it ended. A script that leaves its group outlives
it: only a container or a virtual machine around the host holds that.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

SCRIPT, OUTPUT, HOME = "script.sh", "output.log", "home"
TICK_SECONDS = 0.2
KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
"""Variables that a renter's script gets of the host's environment: none that could hold a secret."""


def environment(own: Mapping[str, str], home: Path) -> dict[str, str]:
    """The script's environment."""
    kept = {name: own[name] for name in KEPT if name in own}
    return kept | {"HOME": str(home), "COMMONWEIGHT_MARKET_HOME": str(home)}


def keep(place: Path, seconds: float, grace: float, user: str = "") -> int:
    """Run the script of a place; its exit status."""
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: told.append(received))
    parent, end = os.getppid(), time.monotonic() + seconds
    child = _begun(place, user)
    while child.poll() is None and time.monotonic() < end and os.getppid() == parent and not told:
        time.sleep(TICK_SECONDS)
    _end(child, grace)
    return child.returncode


def _begun(place: Path, user: str) -> subprocess.Popen[bytes]:
    home = place / HOME
    home.mkdir(exist_ok=True)
    script = shutil.copyfile(place / SCRIPT, home / SCRIPT)
    if user:
        shutil.chown(home, user)
        shutil.chown(script, user)
    with (place / OUTPUT).open("ab") as output:
        return subprocess.Popen(
            ["/bin/sh", str(script)],
            cwd=home,
            env=environment(os.environ, home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=user or None,
            extra_groups=[] if user else None,
        )


def _end(child: subprocess.Popen[bytes], grace: float) -> None:
    """The whole group: asked first, then made to."""
    end = time.monotonic() + grace
    _tell(child.pid, signal.SIGTERM)
    while _is_there(child.pid) and time.monotonic() < end:
        child.poll()
        time.sleep(TICK_SECONDS)
    _tell(child.pid, signal.SIGKILL)
    child.wait()


def _tell(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
