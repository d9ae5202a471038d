"""Entry bundles (C2SP's tlog-tiles): up to 256 entries in one file, each after its length in two bytes, high first.

So an entry has at most 65,535 bytes; a log that is to be served as tiles refuses a larger one when it is made.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import CommonweightError
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.text import HASH
from contracts.tlog.tiles import WIDTH, InvalidTile

MAX_ENTRY = 2**16 - 1
"""Bytes of an entry."""

_LENGTH = 2
MAX_BUNDLE = WIDTH * (_LENGTH + MAX_ENTRY)
"""Bytes of a bundle."""


class EntryTooLarge(CommonweightError):
    """An entry that no bundle can hold."""

    code = "entry-too-large"
    status = 413


def format_entry(entry: bytes) -> bytes:
    """Length and entry. Raises EntryTooLarge."""
    if len(entry) > MAX_ENTRY:
        raise EntryTooLarge(f"an entry must have at most {MAX_ENTRY} bytes, not {len(entry)}")
    return len(entry).to_bytes(_LENGTH, "big") + entry


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """1 to 256 entries as one file. Raises EntryTooLarge, InvalidTile."""
    if not 1 <= len(entries) <= WIDTH:
        raise InvalidTile(f"a bundle has 1 to {WIDTH} entries, not {len(entries)}")
    return b"".join(format_entry(entry) for entry in entries)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """The `width` entries of a bundle and nothing besides. Raises InvalidTile."""
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        start = at + _LENGTH
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data):
            raise InvalidTile(f"a bundle ends within entry {len(entries)}")
        entries.append(data[start:at])
    if at != len(data):
        raise InvalidTile(f"a bundle has {len(data) - at} bytes after its {width} entries")
    return entries


def check_bundle(entries: Sequence[bytes], tile: bytes) -> None:
    """Raises InvalidTile unless these entries hash to the tile of level 0 with the same name (32 bytes each)."""
    if b"".join(SHA256_TREE.leaf_hash(entry) for entry in entries) != tile:
        at = next((i for i, entry in enumerate(entries) if _differs(entry, i, tile)), len(entries))
        raise InvalidTile(f"entry {at} of a bundle is not the one in the tile")


def _differs(entry: bytes, at: int, tile: bytes) -> bool:
    return SHA256_TREE.leaf_hash(entry) != tile[at * HASH : (at + 1) * HASH]
