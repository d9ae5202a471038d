"""A verifier's secret hash chain, kept in a file that only it can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from contracts.draw import chain_link

LENGTH = 10_000


class DrawChain:
    """One chain per run. The secret is made on first use and never leaves the file."""

    def __init__(self, path: Path, length: int = LENGTH) -> None:
        self.length = length
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
        self._secret = path.read_bytes()
        self._links: dict[int, bytes] = {}

    def anchor(self) -> bytes:
        """What the verifier binds itself to before the first round, 32 bytes."""
        return chain_link(self._secret, self.length, 0)

    def link(self, round_number: int) -> bytes:
        """What it reveals for a round, 32 bytes. Raises BadField past the chain's end."""
        if round_number not in self._links:  # thousands of hashes, and every proof of a round asks for the same one
            self._links[round_number] = chain_link(self._secret, self.length, round_number)
        return self._links[round_number]
