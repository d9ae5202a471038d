"""A machine's state between two runs of the process, in files that anybody may delete.

A file is used only if its bytes have the digest of its first line, this code made it, and the database's log has the
root of its first line. Else the log is read from its start, or from an older file.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session

from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull, replace_file
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.snapshot import InvalidSnapshot, code_version, dump, restore
from contracts.protocol.judge.state import State
from ledger.books import log
from ledger.errors import NotFound

EVERY = 5_000
"""Entries between two snapshots: so many are read at most at a start."""
KEPT = 2
logger = logging.getLogger(__name__)


@dataclass
class Snapshots:
    """Snapshots of one log in one folder, which several processes may share."""

    folder: Path
    every: int = EVERY
    _last: int = 0

    def newest(self, session: Session, functions: Functions) -> State | None:
        """The largest state that fits the log; None without one."""
        for file in self._files():
            try:
                state = _read(file, session, functions)
            except (OSError, CommonweightError, ValueError) as error:
                logger.warning("snapshot %s is not used: %s", file.name, error)
                continue
            self._last = state.size
            return state
        return None

    def keep(self, session: Session, state: State) -> None:
        """Write a committed state to the disk if enough was entered since the last one. A failure is logged."""
        if state.size - self._last < self.every:
            return
        try:
            root = log.root(session, state.size)
            self._write(state, root)
            self._last = state.size
        except NotFound:
            return  # this reader's view of the database is older than the state
        except (OSError, DiskFull) as error:
            logger.warning("no snapshot of %d entries: %s", state.size, error)
            self._last = state.size

    def _write(self, state: State, root: bytes) -> None:
        body = dump(state).encode()
        head = {"code": code_version(), "size": state.size, "root": root.hex(), "digest": _hash(body)}
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(head, sort_keys=True).encode() + b"\n" + body
        replace_file(self.folder / f"{state.size:015d}.json", text)
        for old in self._files()[KEPT:]:
            old.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        """Largest first."""
        return sorted(self.folder.glob("*.json"), key=lambda file: file.name, reverse=True)


def _read(file: Path, session: Session, functions: Functions) -> State:
    """Raises OSError, ValueError, InvalidSnapshot and NotFound."""
    first, _, body = file.read_bytes().partition(b"\n")
    head: Any = json.loads(first)
    if not isinstance(head, dict) or head.get("code") != code_version():
        raise InvalidSnapshot("other code made it")
    if head.get("digest") != _hash(body):
        raise InvalidSnapshot("its bytes are not those that were written")
    size = head.get("size")
    if type(size) is not int or log.root(session, size).hex() != head.get("root"):
        raise InvalidSnapshot("the log is another one")
    state = restore(body.decode(), functions)
    if state.size != size:
        raise InvalidSnapshot("it is of another size than it says")
    return state


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
