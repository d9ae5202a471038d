"""Images on a machine without a registry of them: buildah without a daemon, over what this machine has.

The base image is a few links. The machine's /usr, its Python and the installed packages are mounted, read-only, when an
image is built and when it runs; so nothing is fetched, and only our own package is installed into the image.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = "/packages"
OFFLINE = "--no-build-isolation --no-index --no-deps"
FOLDERS = ("etc", "tmp", "root", "proc", "sys", "dev", "usr", "var", PACKAGES[1:])
LINKS = ("bin", "lib", "lib64", "sbin")
SECONDS = 600


@cache
def no_engine() -> str:
    """Why no image can be built here; empty where one can. A docker client without a daemon is no engine."""
    if shutil.which("buildah") is None:
        return "needs buildah"
    if os.geteuid() != 0:
        return "needs root, for buildah's chroot isolation"
    made = subprocess.run(["buildah", "info"], capture_output=True, text=True, check=False)
    return f"buildah does not work: {made.stderr.strip()}" if made.returncode else ""


def buildah(*words: str) -> str:
    """What it printed. Raises CalledProcessError."""
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout.strip()


@contextmanager
def base_image(folder: Path, name: str) -> Iterator[str]:
    """An image with nothing in it but a shell's and a Python's places."""
    python = Path(sys.base_prefix)
    for place in (*FOLDERS, *python.parts[1:2]):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / python.relative_to("/")).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    for link in LINKS:
        (folder / link).symlink_to(f"usr/{link}")
    shutil.copy("/etc/ld.so.cache", folder / "etc")
    container = buildah("from", "scratch")
    buildah("copy", "--quiet", container, str(folder), "/")
    buildah("config", "--env", f"PATH={python}/bin:/usr/bin", "--env", f"PYTHONPATH={PACKAGES}", container)
    buildah("commit", "--quiet", container, name)
    buildah("rm", container)
    yield name
    buildah("rmi", "--force", name)


def mounts() -> list[str]:
    """The options that show this machine's programs to a container."""
    shown = {"/usr": "/usr", sys.base_prefix: sys.base_prefix, site.getsitepackages()[0]: PACKAGES}
    return [word for source, place in shown.items() for word in ("--volume", f"{source}:{place}:ro")]
