"""A verifier's own copy of the log: heads must be signed, consistent with the last one seen, and audited in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts.errors import CommonweightError
from contracts.messages import TreeHead, from_json
from contracts.positional_tree import SHA256_TREE
from contracts.signing import require_signer
from trainer.client import ApiClient, octets
from verifier.audit import LogAudit
from verifier.errors import AuditFailed


class LogMirror:
    """Leaves as they were downloaded; `file` keeps the last head over restarts."""

    def __init__(self, client: ApiClient, audit: LogAudit, file: Path) -> None:
        self._client, self._audit, self._file = client, audit, file
        self._leaves: list[bytes] = []

    def sync(self) -> None:
        """Download and audit what is new. Raises AuditFailed if history was rewritten or does not hold."""
        given = self._client.get("/log/head")
        head = from_json(TreeHead, given["message"])
        require_signer(head, self._client.domain, octets(given["signature"]), self._client.network["operator"])
        while len(self._leaves) < head.logSize:
            self._download(head.logSize)
        if self.root(head.logSize) != head.logRoot:
            raise AuditFailed(head.logSize, "the signed tree head is not over these entries")
        self._check_history(head.logSize)

    @property
    def size(self) -> int:
        """Entries of this copy."""
        return len(self._leaves)

    def root(self, size: int) -> bytes:
        """Root over the first `size` leaves of this copy."""
        return SHA256_TREE.root(self._leaves[:size])

    def _download(self, size: int) -> None:
        entries = self._client.get("/log/entries", start=len(self._leaves), limit=500)["entries"]
        if not entries:
            raise AuditFailed(len(self._leaves), f"is missing; the head promised {size} entries")
        for entry in entries:
            if entry["index"] != len(self._leaves):
                raise AuditFailed(len(self._leaves), "is missing or out of order")
            self._audit.take(entry["index"], entry["body"])
            self._leaves.append(entry["body"].encode())

    def _check_history(self, size: int) -> None:
        known = self._last_seen()
        if known is not None:
            first, root = int(known["size"]), bytes.fromhex(known["root"])
            if first > size:
                raise AuditFailed(size, f"the log shrank from {first}")
            path = [octets(n) for n in self._consistency(first, size)]
            try:
                SHA256_TREE.check_consistency(first, size, root, self.root(size), path)
            except CommonweightError as error:
                raise AuditFailed(first, f"history was rewritten: {error.detail}") from error
        self._file.write_text(json.dumps({"size": size, "root": self.root(size).hex()}))

    def _consistency(self, first: int, second: int) -> list[str]:
        if first in (0, second):
            return []
        return list(self._client.get("/log/consistency", first=first, second=second)["path"])

    def _last_seen(self) -> dict[str, Any] | None:
        return dict(json.loads(self._file.read_text())) if self._file.exists() else None
