"""`python -m verifier.hosts.keeping PLACE SECONDS GRACE HOST USER`: runs a renter's script until its time is over, or
its host (a process) is gone; as another user where one is named.

All that the script began ends as a whole (verifier/hosts/ending.py), whatever it made of groups, sessions and parents:
when the script ends, after so many seconds, when this process is told to end, and when the host's process is gone,
however it ended. Then what the machine kept is removed, so that the next renter finds nothing. A script of the host's
own user can kill this process first: another user, or a container around the host, holds that.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL

from contracts.process.clock_watch import since_boot
from verifier.hosts.ending import adopt, below, hold, kill, reap, tell

SCRIPT, OUTPUT, HOME, TEMPORARY = "script.sh", "output.log", "home", "tmp"
TICK_SECONDS = 0.2
LOG_BYTES = 16_384
"""Of a machine's output, that its renter may read."""
KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
"""Variables that a renter's script gets of the host's environment: none that could hold a secret."""


def environment(own: Mapping[str, str], home: Path) -> dict[str, str]:
    """The script's environment. Its temporary files are its own, too: what one renter left in the system's folder of
    them would be read by the next one's programs, as a cache of compiled code is."""
    kept = {name: own[name] for name in KEPT if name in own}
    return kept | {"HOME": str(home), "TMPDIR": str(home / TEMPORARY), "COMMONWEIGHT_MARKET_HOME": str(home)}


def keep(place: Path, seconds: float, grace: float, host: int, user: str = "") -> int:
    """Run the script of a place; its exit status."""
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: told.append(received))
    adopt()
    hold(place)
    end = since_boot() + seconds
    child = _begun(place, user)
    while child.poll() is None and since_boot() < end and os.getppid() == host and not told:
        time.sleep(TICK_SECONDS)
        reap(child.pid)
    _end(child, grace)
    clear(place)
    return child.returncode


def clear(place: Path) -> None:
    """Remove what a machine that ended had, but for its last lines."""
    remove(place / HOME)
    with suppress(OSError):
        (place / SCRIPT).unlink(missing_ok=True)
        lines = last_lines(place)
        (place / OUTPUT).write_bytes(lines)


def remove(folder: Path) -> None:
    """A folder that a script has filled. Where Python's own way ends, a thousand folders within each other, `rm` goes
    on; folders that were closed to their owner are opened for it."""
    with suppress(OSError, RecursionError):
        shutil.rmtree(folder)
    for words in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        if folder.exists():
            with suppress(OSError):
                subprocess.run([*words, "--", str(folder)], check=False, stdin=DEVNULL, stderr=DEVNULL)


def last_lines(place: Path) -> bytes:
    """The end of a machine's output; empty before there is any. Raises OSError."""
    path = place / OUTPUT
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return file.read(LOG_BYTES)


def _begun(place: Path, user: str) -> subprocess.Popen[bytes]:
    home = place / HOME
    home.mkdir(mode=0o700, exist_ok=True)
    temporary = home / TEMPORARY
    temporary.mkdir(mode=0o700, exist_ok=True)
    script = shutil.copyfile(place / SCRIPT, home / SCRIPT)
    entry = pwd.getpwnam(user) if user else None
    if entry is not None:
        for path in (temporary, script, home):
            shutil.chown(path, entry.pw_uid, entry.pw_gid)
    lock = hold(place)  # another than this process's own: a script that lets it go lets go of no more
    with open(os.open(place / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        child = subprocess.Popen(
            ["/bin/sh", str(script)],
            cwd=home,
            env=environment(os.environ, home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(lock,),
            user=entry.pw_uid if entry is not None else None,
            group=entry.pw_gid if entry is not None else None,
            extra_groups=os.getgrouplist(user, entry.pw_gid) if entry is not None else None,
        )
    os.close(lock)
    return child


def _end(child: subprocess.Popen[bytes], grace: float) -> None:
    """All of them: asked first, then made to."""
    end = time.monotonic() + grace
    _tell(child.pid, signal.SIGTERM)
    tell(below(os.getpid()), signal.SIGTERM)
    while (_is_there(child.pid) or below(os.getpid())) and time.monotonic() < end:
        child.poll()
        reap(child.pid)
        time.sleep(TICK_SECONDS)
    _tell(child.pid, signal.SIGKILL)
    kill(lambda: below(os.getpid()))
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
    sys.exit(keep(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
