"""A verifier's secrets: one a round under an anchor, and the key of its cosignatures, all from one file (J6).

Every secret is a keyed hash of its index, so that some of them tell nothing of the others, earlier or later. An anchor
needs no memory: its tree follows from run, first round and length, which stand in the log.
"""

from __future__ import annotations

import hmac
import secrets
import stat
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from contracts.files.whole_file import create_file, sweep
from contracts.ids import Address, RunId, from_hex, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.protocol.judge.facts import Anchored
from contracts.protocol.judge.protocol import secret_leaf
from contracts.protocol.judge.state import RunState, State
from contracts.tlog.keys import SigningKey
from verifier.replica.errors import SecretUnusable

SECRET = 32
LENGTH = 1024
"""Rounds that one anchor serves."""
IN_TIME = 16
"""Rounds before an anchor's end in which the next one is signed."""


class RoundSecrets:
    """The secrets of one verifier (checksum address); the file is made on first use, and read by its owner alone."""

    def __init__(self, path: Path, verifier: Address) -> None:
        self.verifier = verifier
        if not path.exists():
            _create(path)
        self._seed = _read(path)
        self._leaves = lru_cache(maxsize=4)(self._make_leaves)
        self._root = lru_cache(maxsize=16)(lambda *key: KECCAK_TREE.root(self._leaves(*key)))

    def log_key(self) -> SigningKey:
        """The Ed25519 key of this verifier's cosignatures."""
        return SigningKey.derive(self._seed, f"cosigner {self.verifier}")

    def secret(self, run: RunId, first: int, index: int) -> bytes:
        """The 32 bytes of one index (from 0) under the anchor that counts from round `first`."""
        text = f"commonweight round secret {run} {first} {index}"
        return hmac.digest(self._seed, text.encode(), "sha256")

    def anchor(self, run: RunId, first: int, length: int = LENGTH) -> bytes:
        """The root that commits to the secrets."""
        return self._root(run, first, length)

    def path(self, run: RunId, first: int, length: int, index: int) -> list[bytes]:
        """The path from the secret of an index to its anchor."""
        return KECCAK_TREE.inclusion_proof(self._leaves(run, first, length), index)

    def owns(self, anchored: Anchored) -> bool:
        """Whether an anchor of the log is one that this file leads to."""
        root = self.anchor(anchored.run, anchored.first, anchored.length)
        return anchored.verifier == self.verifier and anchored.anchor == to_hex(root)

    def _make_leaves(self, run: RunId, first: int, length: int) -> list[bytes]:
        octets = from_hex(run)
        indexes = range(length)
        return [secret_leaf(octets, self.verifier, index, self.secret(run, first, index)) for index in indexes]


def next_first(state: State, run: RunState, verifier: Address, own: RoundSecrets | None = None) -> int | None:
    """The first round of the anchor that is due now, None while the last one serves for long enough.

    The new anchor follows on the last one where there is time for that. An anchor that `own` does not lead to (its file
    was lost) is replaced as soon as the rules let it.
    """
    anchors = run.anchors.get(verifier, [])
    earliest = run.round + (1 if run.merged == run.round else 2)
    if not anchors:
        return earliest
    last = anchors[-1]
    earliest = max(earliest, last.first + 1)
    end = last.first + last.length
    if own is not None and not own.owns(last):
        return earliest
    if end > state.functions.rounds(run.config) or run.round + IN_TIME < end:
        return None
    return max(earliest, end)


def _create(path: Path) -> None:
    """Whole or not at all; of two processes one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    with suppress(FileExistsError):
        create_file(path, secrets.token_bytes(SECRET), 0o600)


def _read(path: Path) -> bytes:
    """Raises SecretUnusable."""
    seed = path.read_bytes()
    if len(seed) != SECRET:
        raise SecretUnusable(
            f"{path} has {len(seed)} bytes instead of {SECRET}; restore it, or remove it and anchor anew"
        )
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SecretUnusable(f"{path} can be read by others; chmod 600 it")
    return seed
