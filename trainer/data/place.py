"""Where a process has the text of its run: known to its settings, without numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_LIMIT = 20 * 2**30
"""Bytes of shards that are kept."""


@dataclass(frozen=True)
class CorpusSettings:
    """Where a process has its text: plain files `data`, or `corpus`, the folder or address of an index, and `mirrors`,
    which have the same files; shards from elsewhere come into the folder `cache`, of at most `limit` bytes. `loopback`
    lets a run's own address mean this machine."""

    data: Sequence[Path] = ()
    corpus: str = ""
    cache: Path = Path("corpus")
    limit: int = DEFAULT_LIMIT
    loopback: bool = False
    mirrors: Sequence[str] = ()

    def places(self) -> tuple[str, ...]:
        """Folders and addresses of the index that its user chose, in the order in which they are asked."""
        return tuple(filter(None, (self.corpus, *self.mirrors)))
