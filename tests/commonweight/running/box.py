"""Other users and other machines: a user without a name, without a home, on a disk that cannot be written.

A box is a mount namespace of its own (`unshare --mount`), so that nothing outside changes. Only root can make one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
ENTER = """
set -eu
mount -t tmpfs tmpfs /mnt
i=0
for pair in $SHOWN; do
  i=$((i + 1)); mkdir "/mnt/$i"; mount --bind "${pair#*=}" "/mnt/$i"
done
for closed in $CLOSED; do mount -t tmpfs -o mode=755 tmpfs "$closed"; done
i=0
for pair in $SHOWN; do
  i=$((i + 1)); mkdir -p "${pair#*=}"; mount --bind "/mnt/$i" "${pair#*=}"
done
mount --bind "$WRITABLE" "$WRITABLE"
if [ -n "$READ_ONLY" ]; then
  for place in / /mnt /dev/shm $CLOSED; do mount -o remount,ro,bind "$place"; done
fi
cd "$WHERE"
exec setpriv --pdeathsig TERM --reuid "$USER_ID" --regid "$USER_ID" --clear-groups -- "$@"
"""


@dataclass(frozen=True)
class User:
    """Who runs a command. `home` is HOME, None for unset; on a `read_only` disk only the test's folder takes files."""

    name: str
    number: int
    home: str | None
    read_only: bool = False


ROOT_USER = User("root", 0, "/root")
NOBODY = User("nobody", 65534, "/nonexistent")
NAMELESS = User("nameless", 54321, None)
READ_ONLY_ROOT = User("root-read-only", 0, None, True)
CONTAINER = User("container", 54321, None, True)
"""A user that no passwd names, no HOME, a disk that cannot be written but for one folder: what a container may be."""
USERS = (ROOT_USER, NOBODY, NAMELESS, READ_ONLY_ROOT, CONTAINER)


@cache
def no_box() -> str:
    """Why none can be made here; empty where one can."""
    if sys.platform != "linux" or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return "needs Linux with util-linux"
    if os.geteuid() != 0:
        return "needs root, to be somebody else"
    made = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"no mount namespace: {made.stderr.strip()}" if made.returncode else ""


def boxed(user: User, writable: Path, command: list[str]) -> tuple[list[str], dict[str, str]]:
    """What to start, and in which environment, so that `user` runs `command` where only `writable` takes files.

    It runs in `/`. Interpreter, packages and source are shown to the user also where they lie in a folder of root's.
    """
    shown = {Path(sys.base_prefix), Path(sys.prefix).resolve(), ROOT, writable}
    hidden = {path: closed for path in shown if (closed := _closed_above(path)) is not None}
    environment = {
        "SHOWN": " ".join(f"{closed}={path}" for path, closed in hidden.items()),
        "CLOSED": " ".join(map(str, sorted(set(hidden.values())))),
        "WRITABLE": str(writable),
        "WHERE": "/",
        "USER_ID": str(user.number),
        "READ_ONLY": "1" if user.read_only else "",
    }
    path = f"{sys.prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    inner = ["env", "-i", f"PATH={path}", f"PYTHONPATH={ROOT}", "PYTHONUNBUFFERED=1", "OMP_NUM_THREADS=1"]
    if user.home is not None:
        inner.append(f"HOME={user.home}")
    outer = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "box"]
    return [*outer, *inner, *command], {**os.environ, **environment}


def _closed_above(path: Path) -> Path | None:
    """The outermost folder above `path` that others cannot enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
