"""A process's folder: a file names its owner, one process uses it at a time, and a stranger changes nothing in it.

A node's folder belongs to one key in one run. A verifier's to one key in one model: its secret serves all runs. A
server's to one operator and model; its processes share it (docs/adr/0049-stored-data-names-its-owner.md).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import IO

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.files.whole_file import replace_file
from contracts.ids import NO_RUN, RunId

OWNER = "owner.json"
LOCK = "owner.lock"
_held: list[IO[bytes]] = []
"""Locks end with their process, however that ends."""


class FolderForeign(CommonweightError):
    """The folder belongs to another key, run, model, chain or kind of process."""

    code = "folder-foreign"
    status = 500


class FolderInUse(CommonweightError):
    """Another process uses the folder."""

    code = "folder-in-use"
    status = 500


class FolderUnwritable(CommonweightError):
    """Nothing can be written in the folder."""

    code = "folder-unwritable"
    status = 500


@dataclass(frozen=True)
class Owner:
    """`part` is node, verifier, server or host, `key` its address; `run` (0x-hex) is empty where the folder serves all
    runs."""

    part: str
    key: str
    chain_id: int
    model: str
    run: RunId = NO_RUN

    @classmethod
    def of(cls, part: str, key: str, deployment: Deployment, run: RunId = NO_RUN) -> Owner:
        """A part of a deployment."""
        return cls(part, key, deployment.chain_id, deployment.model, run)

    def words(self) -> str:
        """For a person."""
        run = f" in run {self.run}" if self.run else ""
        return f"the {self.part} {self.key}{run} of model {self.model} on chain {self.chain_id}"


def take_folder(folder: Path, owner: Owner) -> None:
    """Make the folder this owner's for as long as the process lasts; alone, unless it is a server's.

    Raises FolderForeign, FolderInUse and FolderUnwritable, and then nothing in it is changed.
    """
    if folder.is_dir():
        _compare(folder, owner)  # before the lock makes a file in a stranger's folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+b")
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _lock(folder, lock, alone=owner.part != "server")
        _compare(folder, owner)
        if not (folder / OWNER).exists():
            replace_file(folder / OWNER, json.dumps(asdict(owner), indent=1).encode())
    except OSError as error:
        lock.close()
        raise _unwritable(folder, error) from error
    except CommonweightError:
        lock.close()
        raise
    _held.append(lock)


def _lock(folder: Path, lock: IO[bytes], alone: bool) -> None:
    try:
        flock(lock, (LOCK_EX if alone else LOCK_SH) | LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        process = lock.read(20).decode(errors="replace")
        raise FolderInUse(
            f"process {process or 'of another kind'} uses {folder}: end it, or give another --folder"
        ) from error
    if alone:
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()


def _compare(folder: Path, owner: Owner) -> None:
    file = folder / OWNER
    try:
        existing = Owner(**json.loads(file.read_bytes()))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(folder, error) from error
    except (ValueError, TypeError) as error:
        raise FolderForeign(f"{file} does not say whose the folder is: give another --folder, or restore it") from error
    if existing != owner:
        raise FolderForeign(f"{folder} belongs to {existing.words()}, not to {owner.words()}: give another --folder")


def _unwritable(folder: Path, error: OSError) -> FolderUnwritable:
    why = error.strerror or type(error).__name__
    return FolderUnwritable(f"{folder} cannot be written ({why}): give --folder a place that this user can write")
