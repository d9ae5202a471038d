"""Names of tiles: those of the specification, round trips, and hostile paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.tlog.text import MAX_SIZE
from contracts.tlog.tiles import InvalidTile, Tile, edge_of, parse_tile, tile_of, tiles_of

pytestmark = pytest.mark.unit

LEVELS = st.integers(0, 7)
TILES = LEVELS.flatmap(
    lambda level: st.builds(
        Tile,
        st.just(level),
        st.integers(0, (MAX_SIZE >> level * 8) // 256),
        st.integers(1, 256),
        st.booleans() if level == 0 else st.just(False),
    )
)


# C2SP/C2SP, tlog-tiles.md at 0ad71eb: index 1234067, and the tiles of 70,000 and of 256 entries.
def test_the_index_is_written_as_in_the_specification() -> None:
    assert Tile(0, 1234067).path() == "tile/0/x001/x234/067"
    assert parse_tile("tile/0/x001/x234/067") == Tile(0, 1234067)


def test_seventy_thousand_entries_have_the_tiles_of_the_text() -> None:
    tiles = list(tiles_of(70_000))
    assert [tile.index for tile in tiles if tile.level == 0 and tile.width == 256] == list(range(273))
    assert [tile.path() for tile in tiles[273:]] == [
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert [tile.path() for tile in edge_of(70_000)] == ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]


def test_256_entries_have_the_tiles_of_the_text() -> None:
    assert [tile.path() for tile in tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(6, 5, 1), "tile/6/005.p/1"),
        (Tile(63, 0, 255), "tile/63/000.p/255"),
        (Tile(0, 273, 112, entries=True), "tile/entries/273.p/112"),
        (Tile(0, 1234067, entries=True), "tile/entries/x001/x234/067"),
    ],
)
def test_names_are_written_and_read(tile: Tile, path: str) -> None:
    assert tile.path() == path
    assert parse_tile(path) == tile


@given(TILES)
def test_names_round_trip(tile: Tile) -> None:
    assert parse_tile(tile.path()) == tile


@given(st.text("tile/entries.px0123456789", max_size=30) | st.data())
def test_what_is_read_is_written_alike(found: object) -> None:
    path = found if isinstance(found, str) else _changed(found)
    try:
        tile = parse_tile(path)
    except InvalidTile:
        return
    assert tile.path() == path


def _changed(data: object) -> str:
    draw = data.draw  # type: ignore[attr-defined]
    path = draw(TILES).path()
    at = draw(st.integers(0, len(path)))
    spoilt: str = (
        path[:at] + draw(st.sampled_from(["", "0", "x", "/", ".", "x000/", "../"])) + path[at + draw(st.booleans()) :]
    )
    return spoilt


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0//000",
        "tile/0/0",
        "tile/0/1000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/-01",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/1/1",
        "tile/0/000\n",
        "tile/0/000?x=1",
        "tile/0/\u0660\u0660\u0660",
        "tile/8/x001/000",
        "tile/63/001",
        "tile/Entries/000",
        "tile/data/000",
        "tile/0/" + "x999/" * 6 + "999",
        "tile/0/" + "x999/" * 900 + "999",
    ],
)
def test_names_that_no_tile_has_are_refused(path: str) -> None:
    with pytest.raises(InvalidTile):
        parse_tile(path)


@pytest.mark.parametrize(
    "path",
    ["tile/../../etc/passwd", "tile/0/../000", "../tile/0/000", "tile/0/..%2f000", "tile/0/x../000", "tile\\0\\000"],
)
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(InvalidTile, match="not the name"):
        parse_tile(path)


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/000.p/201", "tile/entries/000.p/201", "tile/1/000.p/1"])
def test_a_tile_wider_than_the_log_is_refused(path: str) -> None:
    with pytest.raises(InvalidTile, match="200 entries"):
        parse_tile(path).check_within(200)


def test_narrower_tiles_of_an_older_log_are_within() -> None:
    for width in range(1, 201):
        Tile(0, 0, width).check_within(200)


def test_a_tile_that_the_log_does_not_reach_is_refused() -> None:
    with pytest.raises(InvalidTile):
        tile_of(0, 1, 256)
    with pytest.raises(InvalidTile):
        tile_of(1, 0, 255)


@pytest.mark.parametrize("made", [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, 2**55, 1)])
def test_tiles_out_of_range_are_not_made(made: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidTile):
        Tile(*made)


def test_entries_lie_under_level_0_only() -> None:
    with pytest.raises(InvalidTile):
        Tile(1, 0, entries=True)


@given(st.integers(0, MAX_SIZE))
def test_widths_at_the_edge_are_those_of_the_rule(size: int) -> None:
    expected = {level: (size >> 8 * level) % 256 for level in range(8) if (size >> 8 * level) % 256}
    assert {tile.level: tile.width for tile in edge_of(size)} == expected
    assert list(tiles_of(0)) == []
