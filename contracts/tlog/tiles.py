"""The paths of a log's tiles (C2SP's tlog-tiles): names of the files of a log's static copy.

A tile is 256 neighbouring hashes of one level: leaf hashes at level 0, roots over 256 hashes of the level below at each
higher one. Its name is `tile/LEVEL/INDEX`, `tile/entries/INDEX` for the entries under a tile of level 0, and then
`.p/WIDTH` where the log does not fill it yet. The index is written in groups of three digits, all but the last after
an x.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.errors import CommonweightError
from contracts.tlog.text import MAX_SIZE, shown

WIDTH = 256
BITS = 8
"""Levels of the tree in one level of tiles: 2^8 is WIDTH."""

MAX_LEVEL = 63
ENTRIES = "entries"

_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class InvalidTile(CommonweightError):
    """A tile's name that no log has, or bytes that are not the tile of this name."""

    code = "invalid-tile"
    status = 422


@dataclass(frozen=True)
class Tile:
    """The name of a tile, or of the entries under one where `entries` is set. Raises InvalidTile."""

    level: int
    index: int
    width: int = WIDTH
    entries: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.level <= MAX_LEVEL or (self.entries and self.level):
            raise InvalidTile(f"no tile has level {self.level}")
        if not 1 <= self.width <= WIDTH:
            raise InvalidTile(f"a tile has a width from 1 to {WIDTH}, not {self.width}")
        if not 0 <= self.index * WIDTH <= MAX_SIZE >> self.level * BITS:
            raise InvalidTile(f"no log has a tile {self.index} at level {self.level}")

    def path(self) -> str:
        """The name, without a slash at its start: parse_tile reads it."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *above, last = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        groups = "".join(f"x{group}/" for group in above) + last
        suffix = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{ENTRIES if self.entries else self.level}/{groups}{suffix}"

    def check_within(self, size: int) -> None:
        """Raises InvalidTile unless a log of this size has all of the tile's hashes."""
        if self.index * WIDTH + self.width > size >> self.level * BITS:
            raise InvalidTile(f"a log of {size} entries has no {self.path()}")


def parse_tile(path: str) -> Tile:
    """Raises InvalidTile for what Tile.path does not write: other spellings, dots, slashes at the ends, level 64."""
    match = _PATH.fullmatch(path)
    if not match:
        raise InvalidTile(f"not the name of a tile: {shown(path)}")
    level, groups, width = match.groups()
    index = int(groups.replace("x", "").replace("/", ""))
    tile = Tile(0 if level == ENTRIES else int(level), index, int(width or WIDTH), level == ENTRIES)
    if tile.path() != path:
        raise InvalidTile(f"not the only name of a tile: {shown(path)}")
    return tile


def tile_of(level: int, index: int, size: int, entries: bool = False) -> Tile:
    """This tile in a log of `size` entries, as wide as the log fills it. Raises InvalidTile if it does not at all."""
    filled = (size >> level * BITS) - index * WIDTH
    return Tile(level, index, min(WIDTH, filled), entries)


def tiles_of(size: int) -> Iterator[Tile]:
    """All tiles of a log of this size, from the leaves up, without the entries."""
    level = 0
    while size >> level * BITS:
        for index in range(-(-(size >> level * BITS) // WIDTH)):
            yield tile_of(level, index, size)
        level += 1


def edge_of(size: int) -> list[Tile]:
    """The tiles that are not full, from the leaves up: the root over `size` entries follows from these alone."""
    partial = [(level, size >> level * BITS) for level in range(MAX_LEVEL // BITS + 1)]
    return [tile_of(level, count // WIDTH, size) for level, count in partial if count % WIDTH]
