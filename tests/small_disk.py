"""Tests on a disk of a stated size that is really full: a tmpfs that only their own process sees.

Each runs in an interpreter of its own, in a namespace of its own, so that it needs no rights on this machine. Where the
kernel gives nobody such a namespace the test is skipped by name.
"""

from __future__ import annotations

import functools
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

DISK = "COMMONWEIGHT_TEST_DISK"
"""Set in the interpreter that runs one test only: where its disk is mounted."""
_MOUNTED = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"'


def on_small_disk(size: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with the folder of a disk of `size` bytes as `disk`, and fail with what it printed.

    Its other parameters are as without; its `tmp_path` is on another disk.
    """

    def wrap(test: Callable[..., None]) -> Callable[..., None]:
        asked = [name for name in inspect.signature(test).parameters if name != "disk"]

        @functools.wraps(test)
        def started(*, request: pytest.FixtureRequest, tmp_path: Path, **others: Any) -> None:
            given = {**others, "request": request, "tmp_path": tmp_path}
            if DISK in os.environ:
                test(disk=Path(os.environ[DISK]), **{name: given[name] for name in asked})
                return
            disk = tmp_path / "disk"
            disk.mkdir()
            _need(tmp_path)
            done = _run(size, disk, request)
            assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]

        names = dict.fromkeys(("request", "tmp_path", *asked))
        parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
        started.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return started

    return wrap


def fill(disk: Path, left: int) -> Path:
    """A file that takes all room but so many bytes, whoever else writes meanwhile; once more, what became free."""
    file, room = disk / "filler", os.statvfs(disk)
    with suppress(OSError), file.open("ab", buffering=0) as filler:
        wanted = room.f_bavail * room.f_frsize - left
        while wanted > 0:
            wanted -= filler.write(b"\1" * min(wanted, room.f_frsize))
    return file


def contents(folder: Path) -> dict[str, int]:
    """Every file below a folder, with its bytes."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _run(size: int, disk: Path, request: pytest.FixtureRequest) -> subprocess.CompletedProcess[str]:
    again = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", request.node.nodeid]
    return subprocess.run(
        _mounting(size, disk) + again,
        cwd=Path(request.config.rootpath),
        env=os.environ | {DISK: str(disk)},
        capture_output=True,
        text=True,
        check=False,
    )


def _mounting(size: int, disk: Path) -> list[str]:
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNTED, "sh", str(size), str(disk)]


def _need(folder: Path) -> None:
    probe = folder / "probe"
    probe.mkdir()
    try:
        done = subprocess.run([*_mounting(2**20, probe), "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare of util-linux")
    if done.returncode:
        pytest.skip("needs mounts in a namespace of one's own")
