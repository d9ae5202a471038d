"""The product's own Python files; what `make` installs among them is none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("contracts", "trainer", "ledger", "verifier", "api", "commonweight")
_INSTALLED = frozenset({".slither", "node_modules"})


def own_sources(*packages: str) -> Iterator[Path]:
    """Of these packages; of all where none is named."""
    for package in packages or PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if not _INSTALLED & set(path.parts))
