"""A verifier's own copy of the log: heads must be signed, consistent with the last one seen, and audited in order.

It also remembers what only a watcher knows: that the log lacked an entry when the chain had come to a height (ADR 20).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.errors import CommonweightError
from contracts.messages import TreeHead, from_json
from contracts.positional_tree import SHA256_TREE
from contracts.signing import require_signer
from contracts.stored_tree import GrowingTree
from trainer.client import ApiClient, octets
from verifier.audit import LogAudit
from verifier.errors import AuditFailed


class LogMirror:
    """The tree over what was downloaded; `file` keeps the last head, and the chain's height then, over restarts.

    Who watches gives the chain's `height`. Who only reads cannot tell when an entry came, and leaves it out.
    """

    def __init__(self, client: ApiClient, audit: LogAudit, file: Path, height: Callable[[], int] = lambda: 0) -> None:
        self._client, self._audit, self._file, self._height = client, audit, file, height
        self._tree = GrowingTree()
        self._checked = (-1, b"")
        known = self._last_seen() or {"size": 0}
        self._seen_size, self._seen_at = int(known["size"]), int(known.get("height", 0))

    def watch(self) -> None:
        """Sync if the chain has grown since the last time; a second look at one height would show nothing new."""
        height = self._height()
        if height > self._seen_at:
            self._sync(height)

    def sync(self) -> None:
        """Download and audit what is new. Raises AuditFailed if history was rewritten or does not hold."""
        self._sync(self._height())

    def _sync(self, height: int) -> None:
        """`height` was read before the head is asked for: what the head lacks, the log lacked at that height."""
        given = self._client.get("/log/head")
        head = from_json(TreeHead, given["message"])
        require_signer(head, self._client.domain, octets(given["signature"]), self._client.network["operator"])
        while self.size < head.logSize:
            self._download(head.logSize)
        if (head.logSize, head.logRoot) != self._checked:
            self._check_history(head.logSize, head.logRoot)
            self._checked = head.logSize, head.logRoot
        self._keep(head.logSize, head.logRoot, height)

    @property
    def size(self) -> int:
        """Entries of this copy."""
        return self._tree.size

    def root(self, size: int) -> bytes:
        """Root over the first `size` entries of this copy. Raises AuditFailed if it has fewer."""
        if size > self.size:
            raise AuditFailed(self.size, f"is missing, of {size} that a root is said to be over")
        return self._tree.root(size)

    def _download(self, size: int) -> None:
        due = size - self.size
        # what lies beyond the head came later than this sync's height: the next one takes it
        entries = self._client.get("/log/entries", start=self.size, limit=min(due, 500))["entries"][:due]
        if not entries:
            raise AuditFailed(self.size, f"is missing; the head promised {size} entries")
        for entry in entries:
            if entry["index"] != self.size:
                raise AuditFailed(self.size, "is missing or out of order")
            self._audit.take(entry["index"], entry["body"], self._unseen_at(entry["index"]))
            self._tree.append([SHA256_TREE.leaf_hash(entry["body"].encode())])

    def _unseen_at(self, index: int) -> int:
        """Height at which the log was last seen without this entry; 0 for one that stood the test when it was new."""
        return self._seen_at if index >= self._seen_size else 0

    def _check_history(self, size: int, root: bytes) -> None:
        if self.root(size) != root:
            raise AuditFailed(size, "the signed tree head is not over these entries")
        known = self._last_seen()
        if known is not None:
            first, before = int(known["size"]), bytes.fromhex(known["root"])
            if first > size:
                raise AuditFailed(size, f"the log shrank from {first}")
            path = [octets(n) for n in self._consistency(first, size)]
            try:
                SHA256_TREE.check_consistency(first, size, before, root, path)
            except CommonweightError as error:
                raise AuditFailed(first, f"history was rewritten: {error.detail}") from error

    def _consistency(self, first: int, second: int) -> list[str]:
        if first in (0, second):
            return []
        return list(self._client.get("/log/consistency", first=first, second=second)["path"])

    def _keep(self, size: int, root: bytes, height: int) -> None:
        self._seen_size, self._seen_at = size, max(self._seen_at, height)
        scratch = self._file.with_suffix(".new")
        scratch.write_text(json.dumps({"size": size, "root": root.hex(), "height": self._seen_at}))
        scratch.replace(self._file)

    def _last_seen(self) -> dict[str, Any] | None:
        return dict(json.loads(self._file.read_text())) if self._file.exists() else None
