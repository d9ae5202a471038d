"""The state of a follower of the log, on the disk: a restart goes on from there instead of reading all entries again.

A file counts only where its bytes hash to the digest in its first line, this code made it, and the log at hand has the
root in that line. Anybody may delete it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull, replace_file
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.snapshot import code_version, dump, restore
from contracts.protocol.judge.state import State

EVERY = 2_000
"""Entries between two writes: so many are read at most at a start."""


@dataclass(frozen=True)
class Rest:
    """The machine's state after some entries, and its owner's own data (JSON)."""

    state: State
    beside: Any


class RestFile:
    """One file. `root` gives the log's root of a size, and raises a CommonweightError where it has fewer entries."""

    def __init__(self, path: Path, root: Callable[[int], bytes], every: int = EVERY) -> None:
        self.path = path
        self._root = root
        self._every = every
        self._last = 0

    def read(self, functions: Functions, most: int) -> Rest | None:
        """The stored state, if it fits the first `most` entries of the log."""
        self._last = 0
        try:
            head, _, body = self.path.read_bytes().partition(b"\n")
            size, (state, beside) = self._checked(json.loads(head), body, most), json.loads(body)
            rest = Rest(restore(state, functions), beside)
        except (OSError, ValueError, TypeError, KeyError, RecursionError, CommonweightError):
            return None
        self._last = size
        return rest if rest.state.size == size else None

    def write(self, state: State, beside: Callable[[], Any], now: bool = False) -> None:
        """Write a state with no entry due, where enough came since the last, or `now`. A failed write is ignored."""
        if state.size - self._last < (1 if now else self._every):
            return
        body = json.dumps([dump(state), beside()]).encode()
        head = {"code": code_version(), "digest": _hash(body), "root": self._root(state.size).hex(), "size": state.size}
        with suppress(OSError, DiskFull):
            replace_file(self.path, json.dumps(head).encode() + b"\n" + body)
        self._last = state.size

    def _checked(self, head: Any, body: bytes, most: int) -> int:
        """The size. Raises ValueError, KeyError, TypeError and the log's errors."""
        size = int(head["size"])
        is_own = (head["code"], head["digest"]) == (code_version(), _hash(body))
        if not is_own or size > most or self._root(size).hex() != head["root"]:
            raise ValueError("another log's, or spoilt")
        return size


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
